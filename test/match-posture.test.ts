import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from 'cdk8s';
import { Isolation, SandboxTemplate } from '../src';
import { matchers } from '../src/testing/matchers';
import { CONTAINER, synth, testApp, testChart } from './helpers';

expect.extend(matchers as any);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'match-posture-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function appWith(isolation: Isolation): App {
  const app = testApp();
  new SandboxTemplate(testChart({ namespace: 'agents' }, app), 'python', { containers: [CONTAINER], isolation });
  return app;
}
/** Calls the matcher as jest does after `jest -u`, `jest` and `jest --ci`. */
const match = (app: unknown, file: string, update: 'all' | 'new' | 'none') =>
  matchers.toMatchPosture.call({ testPath: join(folder, 'a.test.ts'), snapshotState: { _updateSnapshot: update } }, app, file);

describe('expect(…).toMatchPosture in jest', () => {
  test('writes a file that is missing, and compares with it from then on', () => {
    const file = join(folder, 'posture.txt');
    expect(match(appWith(Isolation.gvisor()), file, 'new').pass).toBe(true);
    expect(readFileSync(file, 'utf8')).toContain('SandboxTemplate agents/python');
    expect(appWith(Isolation.gvisor())).toMatchPosture(file);
  });

  test('explains a difference', () => {
    const file = join(folder, 'posture.txt');
    match(appWith(Isolation.gvisor()), file, 'new');
    const { pass, message } = match(appWith(Isolation.none()), file, 'none');
    expect(pass).toBe(false);
    expect(message()).toContain('- isolation: gVisor (RuntimeClass gvisor)');
    expect(message()).toContain('+ isolation: none: ordinary containers, which share the kernel of the node');
  });

  test('writes the file anew with -u, and no file with --ci', () => {
    const file = join(folder, 'posture.txt');
    expect(match(appWith(Isolation.gvisor()), file, 'none').pass).toBe(false);
    expect(existsSync(file)).toBe(false);
    match(appWith(Isolation.gvisor()), file, 'new');
    expect(match(appWith(Isolation.none()), file, 'all').pass).toBe(true);
    expect(match(appWith(Isolation.none()), file, 'none').pass).toBe(true);
  });

  test('takes manifests as well, and names the file after the test', () => {
    const app = appWith(Isolation.gvisor());
    expect(matchers.toMatchPosture.call({ testPath: join(folder, 'a.test.ts'), snapshotState: { _updateSnapshot: 'new' } }, synth(app.charts[0])).pass).toBe(true);
    expect(existsSync(join(folder, 'a.test.posture.txt'))).toBe(true);
  });

  test('cannot be negated', () => {
    expect(() => expect(appWith(Isolation.gvisor())).not.toMatchPosture()).toThrow('cannot be negated');
  });
});
