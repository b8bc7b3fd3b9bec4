import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
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

describe('the workflow of the guide', () => {
  const [workflow] = [...TEXT.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, block]) => parse(block));
  let folder: string;
  const git = (cwd: string, ...args: string[]) => execFileSync('git', ['-c', 'user.name=test', '-c', 'user.email=test@example.com', ...args], { cwd, encoding: 'utf8' });
  const program = (name: string, script: string) => writeFileSync(join(folder, 'bin', name), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
  const manifest = (network: string) => `apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxTemplate
metadata: { name: python, namespace: agents }
spec:
  networkPolicyManagement: ${network}
  podTemplate: { spec: { containers: [{ name: main, image: registry.example/app:1.0 }] } }
`;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'policy-workflow-'));
    const [bin, work] = ['bin', 'work'].map(name => join(folder, name));
    [bin, work].forEach(each => mkdirSync(each));
    // Stand-ins for what a pipeline has from the network: an app whose manifests are in `src`, and the command line of the forge.
    program('npm', 'if [ "$1" = run ]; then mkdir -p dist && cp src/*.yaml dist/; fi');
    program('npx', `[ "$1" = agent-sandbox-check ] && shift && exec ${process.execPath} --import ${pathToFileURL(require.resolve('tsx')).href} ${join(ROOT, 'src/cli/main.ts')} "$@"`);
    program('gh', `echo "$@" > ${join(folder, 'gh')}; cat "\${@: -1}" >> ${join(folder, 'gh')}`);
    git(work, 'init', '-q', '-b', 'main');
    mkdirSync(join(work, 'src'));
    writeFileSync(join(work, 'src/template.yaml'), manifest('Managed'));
    git(work, 'add', '.');
    git(work, 'commit', '-qm', 'base');
    git(work, 'update-ref', 'refs/remotes/origin/main', 'HEAD');
    writeFileSync(join(work, 'src/template.yaml'), manifest('Unmanaged'));
    git(work, 'commit', '-qam', 'edit');
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('says in a comment what the edit changes', () => {
    for (const { run, env } of workflow.jobs.policy.steps.filter((step: any) => step.run)) {
      const values = Object.fromEntries(Object.entries(env ?? {}).map(([name, text]) => [name, ({ '${{ github.base_ref }}': 'main', '${{ github.event.number }}': '7' } as any)[text as string] ?? 'x']));
      const { status, stdout, stderr } = spawnSync('bash', ['-e', '-c', run], {
        cwd: join(folder, 'work'), encoding: 'utf8', env: { ...process.env, ...values, NODE_OPTIONS: '', PATH: `${join(folder, 'bin')}:${process.env.PATH}` },
      });
      expect({ run, status, output: status === 0 ? '' : `${stdout}${stderr}` }).toEqual({ run, status: 0, output: '' });
    }
    const comment = readFileSync(join(folder, 'gh'), 'utf8');
    expect(comment.split('\n')[0]).toBe('pr comment 7 --body-file posture.md');
    expect(comment).toContain('+ network: unmanaged: only other policies of the namespace');
  }, TIMEOUT_MS);
});
