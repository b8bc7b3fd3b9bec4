import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Chart, Yaml } from 'cdk8s';
import { Lifetime, Sandbox, SandboxClaim, SandboxNetwork, SandboxTemplate, SandboxVolume, SandboxWarmPool, UpdateStrategy } from '../src';
import { main } from '../src/cli/main';
import { COMMANDS } from '../src/generated/commands.gen';
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

test('of one mistake in many objects, the text shows the first few, and the formats for programs show all', () => {
  const pool = (index: number) => `{apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxWarmPool, metadata: {name: pool-${index}}, spec: {sandboxTemplateRef: {name: python}, poolSize: ${index}}}`;
  const other = '{apiVersion: extensions.agents.x-k8s.io/v1beta1, kind: SandboxWarmPool, metadata: {name: other}, spec: {sandboxTemplateRef: {name: python}, maxSize: 9}}';
  const path = write('pools.yaml', [...Array.from({ length: 2000 }, (_, index) => pool(index)), other].join('\n---\n'));
  const lines = main([path]).output.split('\n');
  expect(lines.filter(line => line.includes('poolSize is'))).toHaveLength(5);
  expect(lines.filter(line => line.includes('more of this kind'))).toEqual(['    and 1995 more of this kind; --format json lists them [unknown-field]']);
  expect(lines.filter(line => line.includes('maxSize is'))).toHaveLength(1);
  expect(lines.at(-1)).toBe('2001 errors, 0 warnings');
  expect(JSON.parse(main(['--format', 'json', path]).output)).toHaveLength(2001);
  expect(JSON.parse(main(['--format', 'sarif', path]).output).runs[0].results).toHaveLength(2001);
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
  expect(main([])).toMatchObject({ code: 2, output: expect.stringContaining('check: name at least one file or folder') });
  expect(main(['diff', empty])).toMatchObject({ code: 2, output: expect.stringContaining('diff: name the manifests before and after the edit') });
  expect(main(['--formt', 'json', empty]).code).toBe(2);
  expect(main(['--format', 'xml', empty])).toEqual({ code: 2, output: "--format is 'xml': use text, json, sarif or junit" });
  expect(main([join(folder, 'none')])).toEqual({ code: 2, output: `${join(folder, 'none')}: there is no such file or folder` });
  expect(main([write('broken.yaml', 'a: [')])).toMatchObject({ code: 2, output: expect.stringContaining('broken.yaml: ') });
  expect(main(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('usage: agent-sandbox-check') });
});

test('a wrong path never passes for manifests without mistakes', () => {
  const none = mkdtempSync(join(folder, 'none-'));
  expect(main([none])).toEqual({ code: 2, output: `${none}: there is no file in it that ends in .yaml, .yml or .json` });
  const text = write('notes.yaml', 'just a note\n');
  expect(main([text])).toEqual({ code: 2, output: `${text}:1: it is a text, and no manifest` });
  expect(main([write('blank.yaml', '')])).toEqual({ code: 0, output: '0 errors, 0 warnings' });
  const helm = write('helm.yaml', '{{- if .Values.agents }}\nkind: Sandbox\n');
  expect(main([helm])).toEqual({ code: 2, output: expect.stringMatching(/^.*helm.yaml: .*[^:]; it looks like a template of Helm: render it first: helm template CHART \| agent-sandbox-check check -$/) });
});

test.each([
  [['chek', 'dist'], 'chek: there is no such command, file or folder: use check'],
  [['init'], 'init: that is a command of agent-sandbox, of the package agent-sandbox-client'],
  [['nowhere'], 'nowhere: there is no such file or folder'],
])('%j is no command', (args, output) => expect(main(args)).toEqual({ code: 2, output }));

test('help and the version can be asked for in every way', () => {
  expect(main(['help'])).toEqual(main(['--help']));
  expect(main(['help', 'diff'])).toEqual(main(['diff', '--help']));
  expect(main(['--version'])).toEqual({ code: 0, output: expect.stringMatching(/^\d+\.\d+\.\d+/) });
});

test('objects without a kind or name are named as such, and values of metadata and times are checked', () => {
  const file = write('odd.yaml', `apiVersion: agents.x-k8s.io/v1beta1
Kind: Sandbox
metadata: { name: a }
---
apiVersion: agents.x-k8s.io/v1beta1
kind: Sandbox
metadata: { namespace: Agents }
spec: { shutdownTime: tomorrow, podTemplate: { spec: { containers: [{ name: a, image: 'a:1', command: sleep 1000, ports: [{ port: 80 }] }] } } }
---
apiVersion: apps/v1
kind: Sandbox
metadata: { name: S_4 }
---
apiVersion: extensions.agents.x-k8s.io/v1beta1
kind: SandboxTemplate
metadata: { generateName: x- }
spec: { networkPolicy: { ingress: [{ from: [{ podSelector: { app: x } }] }] }, podTemplate: { spec: { containers: [{ name: a, image: 'a:1' }] } } }
`);
  expect(JSON.parse(main(['--format', 'json', file]).output).filter(({ severity }: any) => severity === 'error').map(({ object, field, remedy }: any) => [object, field, remedy])).toEqual([
    ['Sandbox Agents/(no name)', 'spec.podTemplate.spec.containers[0].ports[0].containerPort is 0', 'use a whole number from 1 to 65535'],
    ['(no kind) a', 'kind', 'write apiVersion: agents.x-k8s.io/v1beta1, kind: Sandbox'],
    ['Sandbox S_4', "apiVersion is 'apps/v1'", 'write apiVersion: agents.x-k8s.io/v1beta1'],
    ['Sandbox Agents/(no name)', 'spec.podTemplate.spec.containers[0].ports[0].port is 80', 'use spec.podTemplate.spec.containers[0].ports[0].containerPort'],
    ['SandboxTemplate (no name)', "spec.networkPolicy.ingress[0].from[0].podSelector.app is 'x'", 'put it into matchLabels: spec.networkPolicy.ingress[0].from[0].podSelector.matchLabels.app'],
    ['Sandbox Agents/(no name)', 'spec.podTemplate.spec.containers[0].ports[0].containerPort', 'add it (integer)'],
    ['Sandbox Agents/(no name)', 'metadata.name', 'add it (string)'],
    ['Sandbox Agents/(no name)', "spec.podTemplate.spec.containers[0].command is 'sleep 1000'", "write a list: ['sleep 1000']"],
    ['Sandbox Agents/(no name)', "spec.shutdownTime is 'tomorrow'", "write date, time and zone as in RFC 3339: '2027-01-31T17:00:00Z'"],
    ['Sandbox Agents/(no name)', "metadata.namespace is 'Agents'", "use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ]);
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

  test('a claim keeps the Sandbox that it has', () => {
    const claim = (props: object): Make => chart => new SandboxClaim(chart, 'job', { pool: SandboxWarmPool.fromName('pool'), ...props });
    expect(changes(claim({}), claim({ env: { MODE: 'batch' } }))).toEqual(['warning claim-edit SandboxClaim agents/job: a claim that has a Sandbox keeps it as it is']);
    expect(changes(claim({}), claim({ lifetime: Lifetime.until('2027-01-31T17:00:00Z') }))).toEqual([]);
  });

  test('what is removed ends', () => {
    const pool: Make = chart => new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('python') });
    expect(changes(pool, () => undefined)).toEqual(['warning removed SandboxWarmPool agents/pool: it is removed: its idle Sandboxes end']);
  });
});

describe('other commands', () => {
  const app = (network: SandboxNetwork, more: (chart: Chart) => void = () => undefined) => {
    const chart = testChart({ namespace: 'agents' });
    const template = new SandboxTemplate(chart, 'python', { ...POD, network });
    template.addWarmPool('pool', { replicas: 2 }).claim('ticket');
    more(chart);
    return Yaml.stringify(...synth(chart));
  };

  test('posture says what manifests mean, and what an edit changes', () => {
    const [old, now] = [write('old.yaml', app(SandboxNetwork.dnsOnly())), write('new.yaml', app(SandboxNetwork.publicInternet()))];
    expect(main(['posture', old]).output).toContain('SandboxTemplate agents/python\n  isolation     gVisor (RuntimeClass gvisor)\n');
    const changed = 'SandboxTemplate agents/python\n  + reaches: public internet, IPv4\n  + reaches: perhaps the API server: the address is not known\n  + reaches: perhaps the kubelets of the nodes: the address is not known';
    expect(main(['posture', now, '--against', old])).toEqual({ code: 0, output: changed });
    expect(main(['posture', now, '--against', old, '--fail-on-change']).code).toBe(1);
    expect(main(['posture', now, '--against', now, '--fail-on-change'])).toEqual({ code: 0, output: 'the posture is the same' });
    expect(main(['posture', now, '--against', old, '--format', 'markdown']).output).toMatch(/^```diff\nSandboxTemplate agents\/python\n\+ reaches: public internet, IPv4\n/);
    const page = join(folder, 'page.html');
    expect(main(['posture', now, '--against', old, '--format', 'html', '--title', 'Agents', '-o', page])).toEqual({ code: 0, output: '' });
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[^]*<h1>Agents<\/h1>[^]*<h2 id="changes">/);
    expect(main(['diff', old, now]).output).toBe(`${changed}\n\n0 errors, 0 warnings`);
  });

  test('network answers, with the rule that decides, and can expect an answer', () => {
    const file = write('app.yaml', app(SandboxNetwork.publicInternet()));
    const ask = (...args: readonly string[]) => main(['network', '-f', file, ...args]);
    expect(ask('python').output).toBe([
      'SandboxTemplate agents/python is reached by', '  the router (namespace agent-sandbox-system)', 'and reaches', '  public internet, IPv4', '  cluster DNS on TCP 53, UDP 53',
      '  perhaps the API server: the address is not known', '  perhaps the kubelets of the nodes: the address is not known',
    ].join('\n'));
    expect(ask('agents/python', 'aws-metadata')).toEqual({
      code: 0,
      output: `SandboxTemplate agents/python to aws-metadata: denied\n  no egress rule of NetworkPolicy agents/python-network-policy (by the controller) matches\n  decided by ${file}:1`,
    });
    expect(ask('python', '8.8.8.8', '--port', 'UDP/53', '--expect', 'denied')).toMatchObject({ code: 1, output: expect.stringContaining('allowed, and denied was expected') });
    expect(ask('python', 'api-server').output).toContain('unknown\n  its address is not known');
    expect(JSON.parse(ask('python', 'namespace data', '--format', 'json').output)).toMatchObject({ destination: 'any Pod of data', reachability: 'denied' });
    expect(JSON.parse(ask('python', '--format', 'json').output).cells).toMatchObject({ 'aws-metadata': 'denied', 'public-web': 'allowed' });
  });

  test.each([
    [['network', 'pyhton'], "SANDBOX is 'pyhton': there is none of this name: use 'SandboxTemplate agents/python'"],
    [['network', 'python', 'moon'], "DESTINATION is 'moon': use an address or network, 'api-server', 'nodes', 'namespace NAME'"],
    [['network', 'python', '10.0.0.1', '--port', 'x'], "--port is 'x': write 443, TCP/8000-8010 or UDP/53"],
    [['network', 'python', '10.0.0.1', '--port', '0'], "--port is '0'"],
    [['network', 'python', '300.1.1.1'], "DESTINATION is '300.1.1.1': write an address or a network"],
    [['network', 'python', 'api.example.com'], "DESTINATION is 'api.example.com': NetworkPolicies know addresses, not host names"],
    [['network', 'python', 'aws-metdata'], "DESTINATION is 'aws-metdata': use aws-metadata"],
    [['network'], 'network: name a sandbox, and a destination; --help says more'],
  ])('%j is wrong', (args, message) => {
    const file = write('app.yaml', app(SandboxNetwork.publicInternet()));
    expect(main([...args, '-f', file])).toMatchObject({ code: 2, output: expect.stringContaining(message) });
  });

  test('graph shows tenants, templates, pools and claims, and names stay text', () => {
    const file = write('app.yaml', app(SandboxNetwork.denyAll()));
    expect(main(['graph', file]).output).toBe('Tenant agents\n└─ SandboxTemplate python\n   └─ SandboxWarmPool pool\n      └─ SandboxClaim ticket');
    expect(main(['graph', '--format', 'mermaid', file]).output).toContain('  n2["SandboxWarmPool pool"]\n  n3["SandboxClaim ticket"]\n  n2 --> n3\n  n1 --> n2');
    const hostile = write('hostile.yaml', Yaml.stringify({ apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'a"]; click n0 "x' }, spec: {} }));
    expect(main(['graph', '--format', 'mermaid', hostile]).output).toContain('["Sandbox a#34;#93;#59; click n0 #34;x"]');
  });

  test('check writes JUnit with a case for each rule', () => {
    const output = main(['check', '--format', 'junit', write('bad.yaml', BAD)]).output;
    expect(output).toMatch(/<testsuite name="rules" tests="\d+" failures="3">/);
    expect(output).toContain('name="missing-field"><failure message="SandboxWarmPool agents/python: spec.sandboxTemplateRef: the API requires it">');
  });

  test('objects of a cluster stand for those of files', () => {
    const manifest = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'box', namespace: 'agents', uid: '1' }, spec: { replicas: 1, podTemplate: { spec: { containers: [{ name: 'a', image: 'a:1' }] } } } };
    const objects = [{ manifest, place: 'cluster' }];
    expect(main(['graph'], { objects }).output).toBe('Tenant agents\n└─ Sandbox box');
    const same = write('same.json', JSON.stringify({ ...manifest, metadata: { name: 'box', namespace: 'agents' } }));
    expect(main(['drift', same], { objects })).toEqual({ code: 0, output: 'the cluster is as the manifests say' });
    const other = write('other.json', JSON.stringify({ ...manifest, spec: { ...manifest.spec, replicas: 0 } }));
    expect(main(['drift', other], { objects })).toEqual({ code: 1, output: `Sandbox agents/box (${other}:1)\n  spec.replicas: expected 0, found 1` });
    const more = write('more.json', JSON.stringify({ ...manifest, metadata: { name: 'more' } }));
    expect(main(['drift', more], { objects }).output).toBe(`Sandbox more (${more}:1)\n  it is not in the cluster`);
    expect(main(['drift', same])).toEqual({ code: 2, output: 'drift: it compares with a cluster: use the program agent-sandbox, with --cluster' });
  });

  test.each(COMMANDS)('$name --help says what it takes', ({ name, flags }) => {
    const { output, code } = main([name, '--help']);
    expect(code).toBe(0);
    expect(flags.filter(flag => !output.includes(`--${flag.name}`))).toEqual([]);
  });
});
