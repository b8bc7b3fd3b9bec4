import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { falseStatements } from '../scripts/skill/check';
import { fieldsOf } from '../scripts/skill/facts';
import { MISTAKES } from '../src/findings/mistakes';

/* The skill for coding agents says nothing that is not so. */

const ROOT = join(__dirname, '..');
const SKILL = join(ROOT, 'skills', 'agent-sandbox');
const COMMANDS = [{ name: 'agent-sandbox run', description: '', parameters: '<command...>', options: [{ flags: '-n, --namespace <name>', description: '' }] }];
const files = readdirSync(SKILL, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.md'));

test('the committed files are what the generator writes, which refuses false statements and more than 30 KB', () => {
  execFileSync(process.execPath, ['--conditions=agent-sandbox-source', '--import', 'tsx', 'scripts/skill.ts', '--check'], { cwd: ROOT, stdio: 'pipe' });
  const bytes = files.reduce((sum, file) => sum + readFileSync(join(SKILL, file)).length, 0);
  expect(bytes).toBeLessThan(30 * 1024);
});

test('the header is as the format of skills wants it', () => {
  const [, header] = /^---\n(.*?)\n---\n/s.exec(readFileSync(join(SKILL, 'SKILL.md'), 'utf8'))!;
  const { name, description } = Object.fromEntries(header.split('\n').map(line => line.split(/: (.*)/s)));
  expect(name).toBe('agent-sandbox');
  expect(description.length).toBeLessThan(1024);
});

test.each([
  ['a field', 'Set `spec.poolSize`.', '`spec.poolSize` is no field, prop, command, flag or file'],
  ['a prop', 'The prop `poolSize`.', '`poolSize` is no field, prop, command, flag or file'],
  ['a prop in a list', '`port: number, wrongName?: string`', '`port: number, wrongName?: string` is no field, prop, command, flag or file'],
  ['a function', '`SandboxNetwork.openAll()`', '`SandboxNetwork.openAll()` is no field, prop, command, flag or file'],
  ['a flag', 'The flag `--pool-size`', '`--pool-size` is no field, prop, command, flag or file'],
  ['a file', '`docs/guide/none.md`', '`docs/guide/none.md` is no field, prop, command, flag or file'],
  ['a command', '`agent-sandbox start`', '"agent-sandbox start": agent-sandbox has no command start'],
  ['an option', '```sh\nagent-sandbox run --team a -- ls\n```', '"agent-sandbox run --team a -- ls": agent-sandbox run has no --team'],
  ['a resource', '```sh\nkubectl get sandboxpools\n```', '"kubectl get sandboxpools": there is no resource sandboxpools'],
  ['a condition', '```sh\nkubectl wait --for=condition=Running sandbox/a\n```', '"kubectl wait --for=condition=Running sandbox/a": there is no condition Running'],
  ['a field in a path', '```sh\nkubectl get sandbox a -o jsonpath={.status.phase}\n```', '"kubectl get sandbox a -o jsonpath={.status.phase}": there is no field status.phase'],
])('%s that does not exist is found', (_, text, problem) => {
  expect(falseStatements(text, COMMANDS)).toEqual([problem]);
});

test('YAML is checked by the rules for manifests', () => {
  const yaml = '```yaml\napiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata: {name: p}\nspec: {poolSize: 3, sandboxTemplateRef: {name: t}}\n```';
  expect(falseStatements(yaml, COMMANDS)).toEqual([expect.stringContaining('spec.replicas')]);
});

test('what exists is not found', () => {
  expect(falseStatements('`spec.replicas`, `SandboxWarmPool`, `agent-sandbox run -n a`, `--zap-log-level`, `Relaxation.RUN_AS_ROOT`, `docs/guide/network.md`', COMMANDS)).toEqual([]);
});

test('a field that is listed as a mistake exists in no kind that it is listed for', () => {
  const known = (kind: string) => fieldsOf(kind).map(({ path }) => path);
  const wrong = MISTAKES.flatMap(({ kinds = ['Sandbox', 'SandboxTemplate', 'SandboxClaim', 'SandboxWarmPool'], field }) => kinds.filter(kind => known(kind).includes(field)).map(kind => `${kind}: ${field}`));
  expect(wrong).toEqual([]);
});
