import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/* Every step of docs/guide/policy-tests.md, in its order: what it writes is what the guide shows. */

const ROOT = join(__dirname, '..');
const TEXT = readFileSync(join(ROOT, 'docs/guide/policy-tests.md'), 'utf8');
const TIMEOUT_MS = 300_000;

interface Step {
  readonly commands: string;
  readonly fails: boolean;
  readonly shown: readonly string[];
}

const steps: Step[] = [...TEXT.matchAll(/^```sh( fails)?\n(.*?)^```(?:\n\n```text\n(.*?)^```)?/gms)].map(([, fails, commands, shown = '']) => ({
  commands, fails: fails !== undefined, shown: shown.split('\n').map(line => line.trim()).filter(line => line !== ''),
}));

beforeAll(() => rmSync(join(ROOT, 'dist/policy-tests'), { recursive: true, force: true }));
afterAll(() => rmSync(join(ROOT, 'dist/policy-tests'), { recursive: true, force: true }));

test('the guide has its steps', () => {
  expect(steps).toHaveLength(6);
  expect(steps.filter(({ shown }) => shown.length > 0)).toHaveLength(5);
});

test.each(steps)('$commands', ({ commands, fails, shown }) => {
  // As in a pipeline: a posture that is not committed is an error.
  const { stdout, stderr, status } = spawnSync('bash', ['-e', '-c', commands], { cwd: ROOT, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '', CI: 'true' } });
  const lines = `${stdout}\n${stderr}`.split('\n').map(line => line.trim());
  expect({ status, output: status === (fails ? 1 : 0) ? '' : `${stdout}${stderr}` }).toEqual({ status: fails ? 1 : 0, output: '' });
  // One after the other, with what else the command writes between them.
  expect(shown.filter((line, index) => !lines.some((each, at) => each === line && (index === 0 || lines.slice(0, at).includes(shown[index - 1]))))).toEqual([]);
}, TIMEOUT_MS);

test('the last step has written the page', () => {
  expect(existsSync(join(ROOT, 'dist/policy-tests/posture.html'))).toBe(true);
  expect(readFileSync(join(ROOT, 'dist/policy-tests/posture.html'), 'utf8')).toContain('10.50.0.0/24 (private addresses) on TCP 443');
});

test('the configurations of the guide are YAML', () => {
  const blocks = [...TEXT.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block]) => parse(block));
  expect(blocks.map(block => Object.keys(block)[0])).toEqual(['name', 'repos', 'validations']);
});
