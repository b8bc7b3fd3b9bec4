import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Yaml } from 'cdk8s';
import { Sandbox, SandboxTemplate, SandboxVolume, SandboxWarmPool, UpdateStrategy } from '../src';
import { DIFF_RULES } from '../src/cli/diff';
import { main } from '../src/cli/main';
import { CONTAINER, POD, synth, testChart } from './helpers';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agent-sandbox-check-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const BAD = `# a pool
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxWarmPool
metadata: { name: python, namespace: agents }
spec:
  templateRef: { name: python }
  poolSize: 3
---
apiVersion: agents.x-k8s.io/v1beta1
kind: SandboxTemplate
metadata: { name: python, namespace: agents }
spec: {}
`;

test('findings of a folder have file, line, object, field, remedy and rule', () => {
  const path = write('deploy/pool.yaml', BAD);
  write('deploy/notes.txt', 'poolSize');
  expect(main([folder])).toEqual({
    code: 1,
    output: [
      `${path}:9: error: SandboxTemplate agents/python: apiVersion is 'agents.x-k8s.io/v1beta1': SandboxTemplate is in the group extensions.agents.x-k8s.io`,
      '    write apiVersion: extensions.agents.x-k8s.io/v1beta1 [wrong-group]',
      `${path}:2: error: SandboxWarmPool agents/python: spec.templateRef: SandboxWarmPool has no such field`,
      '    use spec.sandboxTemplateRef: spec: {sandboxTemplateRef: {name: …}} [unknown-field]',
      `${path}:2: error: SandboxWarmPool agents/python: spec.poolSize is 3: SandboxWarmPool has no such field`,
      '    use spec.replicas: spec: {replicas: 3} [unknown-field]',
      `${path}:2: error: SandboxWarmPool agents/python: spec.sandboxTemplateRef: the API requires it`,
      '    add it (object) [missing-field]',
      '4 errors, 0 warnings',
    ].join('\n'),
  });
});

test('JSON and SARIF hold the same', () => {
  const path = write('pool.yaml', BAD);
  const findings = JSON.parse(main(['--format', 'json', path]).output);
  expect(findings.map((finding: any) => finding.rule)).toEqual(['wrong-group', 'unknown-field', 'unknown-field', 'missing-field']);
  const [run] = JSON.parse(main(['--format=sarif', path]).output).runs;
  expect(run.results[1]).toEqual({
    ruleId: 'unknown-field', level: 'error',
    message: { text: 'SandboxWarmPool agents/python: spec.templateRef: SandboxWarmPool has no such field: use spec.sandboxTemplateRef: spec: {sandboxTemplateRef: {name: …}}' },
    locations: [{ physicalLocation: { artifactLocation: { uri: path }, region: { startLine: 2 } } }],
  });
  const known = run.tool.driver.rules.map((rule: any) => rule.id);
  expect(run.results.every((result: any) => known.includes(result.ruleId))).toBe(true);
});

test('the exit code is 0 without errors, 1 with errors, and 2 where the call is wrong', () => {
  const empty = write('empty.yaml', 'apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata: { name: p }\nspec: { replicas: 0, sandboxTemplateRef: { name: t } }\n');
  expect(main([empty])).toMatchObject({ code: 0, output: expect.stringContaining('0 errors, 1 warnings') });
  expect(main(['--strict', empty]).code).toBe(1);
  expect(main([])).toMatchObject({ code: 2, output: expect.stringContaining('PATH: name at least one file or folder') });
  expect(main(['diff', empty])).toMatchObject({ code: 2, output: expect.stringContaining('diff: name the manifests before and after the edit') });
  expect(main(['--formt', 'json', empty]).code).toBe(2);
  expect(main(['--format', 'xml', empty])).toEqual({ code: 2, output: "--format is 'xml': use text, json or sarif" });
  expect(main([join(folder, 'none')])).toEqual({ code: 2, output: `${join(folder, 'none')}: there is no such file or folder` });
  expect(main([write('broken.yaml', 'a: [')])).toMatchObject({ code: 2, output: expect.stringContaining('broken.yaml: ') });
  expect(main(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('usage: agent-sandbox-check') });
});

describe('diff', () => {
  type Make = (chart: ReturnType<typeof testChart>) => unknown;
  const changes = (before: Make, after: Make) => {
    const [old, now] = [before, after].map((make, index) => {
      const chart = testChart({ namespace: 'agents' });
      make(chart);
      return write(`${index}.yaml`, Yaml.stringify(...synth(chart)));
    });
    return JSON.parse(main(['--format', 'json', 'diff', old, now]).output).map(({ rule, severity, object, message }: any) => `${severity} ${rule} ${object}: ${message}`);
  };
  const box = (id: string, props: object = {}): Make => chart => new Sandbox(chart, id, { ...POD, volumes: [SandboxVolume.persistent('data', { size: '1Gi' })], ...props });
  const template = (image: string, updateStrategy?: UpdateStrategy): Make => chart =>
    new SandboxWarmPool(chart, 'pool', { template: new SandboxTemplate(chart, 'python', { ...POD, containers: [{ image }] }), replicas: 3, updateStrategy });

  test('no edit has no effect', () => {
    expect(changes(box('a'), box('a'))).toEqual([]);
  });

  test('volumes of a Sandbox are immutable', () => {
    expect(changes(box('a'), box('a', { volumes: [SandboxVolume.persistent('data', { size: '2Gi' })] }))).toEqual([
      'error immutable-volumes Sandbox agents/a: the API does not take changes of the volumes of a Sandbox that exists',
    ]);
  });

  test('a renamed Sandbox loses its volumes', () => {
    expect(changes(box('a'), box('b'))).toEqual(["error orphaned-volumes Sandbox agents/a: it is now called 'b', which is another Sandbox, and its volumes (data) are deleted with it"]);
    expect(changes(box('a'), () => undefined)).toEqual(['error orphaned-volumes Sandbox agents/a: it is removed, and its volumes (data) are deleted with it']);
  });

  test('the Pod that runs does not follow', () => {
    expect(changes(box('a'), box('a', { containers: [{ ...CONTAINER, cpu: '1' }] }))).toEqual(['warning restart-needed Sandbox agents/a: the Pod that runs stays as it is']);
  });

  test('members of pools follow as the pool says', () => {
    expect(changes(template('a:1'), template('a:2'))).toEqual([
      'warning members-replaced SandboxTemplate agents/python: idle Sandboxes of pool pool (3) are handed out as they are, and new ones follow the edit; Sandboxes that are claimed stay as they are',
    ]);
    expect(changes(template('a:1', UpdateStrategy.RECREATE), template('a:2', UpdateStrategy.RECREATE))).toEqual([
      'warning members-replaced SandboxTemplate agents/python: all idle Sandboxes of pool pool (3) are replaced at once; Sandboxes that are claimed stay as they are',
    ]);
  });

  test('every rule is in docs/reference/rules.md', () => {
    const text = readFileSync(join(__dirname, '../docs/reference/rules.md'), 'utf8');
    expect(DIFF_RULES.filter(({ id, summary }) => !text.includes(`| \`${id}\` | ${summary} |`))).toEqual([]);
  });
});
