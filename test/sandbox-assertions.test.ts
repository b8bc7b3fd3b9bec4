import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type App, Chart } from 'cdk8s';
import {
  Isolation, NetworkEndpoint, NetworkPeer, NetworkPort, Relaxation, Sandbox, SandboxAssertions, SandboxClaim, SandboxNamespace, SandboxNetwork, SandboxRuntimeClass,
  SandboxTemplate, SandboxWarmPool,
} from '../src';
import { METHODS } from '../src/generated/shapes.gen';
import { CONTAINER, POD, messageOf, testApp } from './helpers';
import { runTypeScript } from './typescript';

const FOLDER = mkdtempSync(join(tmpdir(), 'assertions-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));

/** Runs `action` where environment variables have these values (undefined: are not set), whatever they are for the tests themselves. */
function withVariables<T>(variables: Readonly<Record<string, string | undefined>>, action: () => T): T {
  const before = { ...process.env };
  try {
    for (const [name, value] of Object.entries(variables)) {
      if (value === undefined) {
        delete process.env[name];
      } else {
        process.env[name] = value;
      }
    }
    return action();
  } finally {
    process.env = before;
  }
}

/** A file with the posture of nothing, or one that is not there yet. */
function postureFile(name: 'empty' | 'missing' | 'anew' | 'refused'): string {
  if (name === 'empty') {
    writeFileSync(join(FOLDER, name), 'Sandbox agents/gone\n  token  none (default)\n');
  }
  return join(FOLDER, name);
}

/** An app in which every assertion can hold and fail. */
function app(): App {
  const root = testApp();
  const chart = new Chart(root, 'agents', { namespace: 'agents' });
  new SandboxNamespace(chart, 'agents', { enforce: undefined });
  const python = new SandboxTemplate(chart, 'python', { ...POD, labels: { team: 'research' }, network: SandboxNetwork.publicInternet() });
  python.addWarmPool('python-pool', { replicas: 5 }).claim('ticket-42', { annotations: { 'example.com/ticket': '42' } });
  python.claim('cold');
  new SandboxRuntimeClass(chart, 'class', { name: 'gvisor', isolation: Isolation.gvisor() });
  new Sandbox(chart, 'box', { ...POD, podLabels: { app: 'box' }, network: SandboxNetwork.denyAll() });
  const other = new Chart(root, 'other', { namespace: 'other' });
  new SandboxNamespace(other, 'other');
  new Sandbox(other, 'box', { ...POD, network: SandboxNetwork.denyAll() });
  return root;
}

/** The same with Pods that no assertion wants. */
function loose(): App {
  const root = app();
  const chart = new Chart(root, 'loose', { namespace: 'loose' });
  new SandboxTemplate(chart, 'desktop', {
    containers: [{ ...CONTAINER, relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.DEFAULT_CAPABILITIES] }], isolation: Isolation.none(),
    network: SandboxNetwork.routerOnly().allowEgressTo(NetworkPeer.cidr('10.50.0.100/32'), [NetworkPort.tcp(8000)])
      .allowIngressFrom(NetworkPeer.anyPod(), [NetworkPort.tcp(8888)]),
  });
  new SandboxClaim(chart, 'lost', { pool: SandboxWarmPool.fromName('nowhere') });
  new SandboxWarmPool(chart, 'empty', { template: SandboxTemplate.fromName('desktop'), replicas: 0 });
  new SandboxTemplate(chart, 'box', { ...POD, network: SandboxNetwork.unmanaged() });
  new SandboxTemplate(new Chart(root, 'open', { namespace: 'open' }), 'wide', { ...POD, network: SandboxNetwork.unmanaged() });
  return root;
}

const assert = (root = loose()) => SandboxAssertions.of(root);
const { named, address } = NetworkEndpoint;

/** Each assertion where it holds. */
const HOLDS: readonly (readonly [what: string, action: () => unknown])[] = [
  ['hasSandbox', () => assert().hasSandbox('agents/box', { spec: { podTemplate: { metadata: { labels: { app: 'box' } }, spec: { containers: [{ image: CONTAINER.image }], hostNetwork: undefined } } } })],
  ['hasTemplate', () => assert().hasTemplate('python', { labels: { team: 'research' } })],
  ['hasWarmPool', () => assert().hasWarmPool('python-pool', { replicas: 5, template: 'python' })],
  ['hasClaim', () => assert().hasClaim('ticket-42', { pool: 'python-pool', annotations: { 'example.com/ticket': '42' } })],
  ['hasClaim of a template', () => assert().hasClaim('cold', { pool: 'shadow-pool-python' })],
  ['isRestricted', () => assert(app()).isRestricted()],
  ['isRestricted of one, by its claim', () => assert().isRestricted('ticket-42')],
  ['runsUnder', () => assert(app()).runsUnder('gvisor').runsUnder('runsc')],
  ['runsUnder of one, by its pool', () => assert().runsUnder('gvisor', 'python-pool')],
  ['hasPosture', () => withVariables({ CI: undefined }, () => assert().hasPosture(postureFile('missing')).hasPosture(postureFile('missing')))],
  ['hasPosture that is to be written, also in CI', () => withVariables({ CI: 'true', AGENT_SANDBOX_UPDATE: '1' }, () => assert().hasPosture(postureFile('anew')))],
  ['hasNoFindings', () => assert(app()).hasNoFindings()],
  ['reaches', () => assert().reaches('python', named('public-web')).reaches('desktop', address('10.50.0.100'), NetworkPort.tcp(8000))],
  ['cannotReach', () => assert().cannotReach('cold', named('aws-metadata')).cannotReach('Sandbox agents/box', named('public-web'))],
  ['isolatedFrom', () => assert().isolatedFrom('agents', 'other')],
  ['all in a row, of manifests', () => SandboxAssertions.ofManifests(app().charts.flatMap(chart => chart.toJson())).hasSandbox('other/box').isRestricted().runsUnder('gvisor')
    .cannotReach('other/box', named('private-10')).isolatedFrom('agents', 'other').hasNoFindings()],
];

test.each(HOLDS)('%s holds', (_, action) => {
  expect(action).not.toThrow();
});

/** Each assertion where it fails, with the whole message. */
const FAILS: readonly (readonly [action: () => unknown, message: readonly string[]])[] = [
  [() => assert().hasSandbox('agents/bxo'), [
    "expected a Sandbox 'agents/bxo', and there is no Sandbox of this name:",
    "  nearest: 'agents/box'",
    '  there are Sandbox agents/box, Sandbox other/box',
  ]],
  [() => assert().hasSandbox('box'), [
    "expected a Sandbox 'box', and there are 2 of this name:",
    '  write one of: Sandbox agents/box, Sandbox other/box',
  ]],
  [() => assert().hasSandbox('python'), [
    "expected a Sandbox 'python', and there is no Sandbox of this name:",
    '  there is SandboxTemplate agents/python (agents/python/Resource)',
    '  there are Sandbox agents/box, Sandbox other/box',
  ]],
  [() => SandboxAssertions.ofManifests([]).hasSandbox('box'), [
    "expected a Sandbox 'box', and there is no Sandbox of this name:",
    '  there is none at all',
  ]],
  [() => assert().hasSandbox('agents/box', { spec: { podTemplate: { spec: { containers: [{ image: 'other:1', port: 1 }], runtimeClassname: 'gvisor' } }, shutdownTime: undefined } }), [
    'Sandbox agents/box (agents/box/Resource) is not as expected:',
    "  spec.podTemplate.spec.containers[0].image: expected 'other:1', found 'registry.example/python@sha256:0123'",
    '  spec.podTemplate.spec.containers[0].port: expected 1, found nothing',
    "  spec.podTemplate.spec.runtimeClassname: expected 'gvisor', found nothing; nearest: runtimeClassName, which is 'gvisor'",
  ]],
  [() => assert().hasSandbox('agents/box', { spec: { podTemplate: { spec: { containers: [{}, {}], automountServiceAccountToken: true, runtimeClassName: undefined } } } }), [
    'Sandbox agents/box (agents/box/Resource) is not as expected:',
    '  spec.podTemplate.spec.containers: expected 2 items, found 1: [{"image":"registry.example/python@sha256:0123","name":"sandbox","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]',
    '  spec.podTemplate.spec.automountServiceAccountToken: expected true, found false',
    "  spec.podTemplate.spec.runtimeClassName: expected nothing, found 'gvisor'",
  ]],
  [() => assert().hasTemplate('python', { labels: { teams: 'research' } }), [
    'SandboxTemplate agents/python (agents/python/Resource) is not as expected:',
    "  metadata.labels.teams: expected 'research', found nothing; nearest: team, which is 'research'",
  ]],
  [() => assert().hasWarmPool('python-pool', { replicas: 3, template: 'node' }), [
    'SandboxWarmPool agents/python-pool (agents/python/python-pool/Resource) is not as expected:',
    '  spec.replicas: expected 3, found 5',
    "  spec.sandboxTemplateRef.name: expected 'node', found 'python'",
  ]],
  [() => assert().hasClaim('ticket-42', { pool: 'other', annotations: { 'example.com/ticket': '43' } }), [
    'SandboxClaim agents/ticket-42 (agents/python/python-pool/ticket-42/Resource) is not as expected:',
    "  metadata.annotations['example.com/ticket']: expected '43', found '42'",
    "  spec.warmPoolRef.name: expected 'other', found 'python-pool'",
  ]],
  [() => assert().hasClaim('ticket-42', { template: 'python' }), [
    'SandboxClaim agents/ticket-42 (agents/python/python-pool/ticket-42/Resource) is not as expected:',
    '  spec.sandboxTemplateRef: expected {"name":"python"}, found nothing',
  ]],
  [() => assert().isRestricted(), [
    'expected all Sandboxes and templates to meet the restricted Pod Security Standard, and 1 of 6 does not:',
    "  SandboxTemplate loose/desktop (loose/desktop/Resource): container 'sandbox'.securityContext.capabilities.drop, which needs Relaxation.DEFAULT_CAPABILITIES",
    "  SandboxTemplate loose/desktop (loose/desktop/Resource): container 'sandbox'.securityContext.runAsNonRoot is false, which needs Relaxation.RUN_AS_ROOT",
  ]],
  [() => assert().isRestricted('desktop'), [
    "expected 'desktop' to meet the restricted Pod Security Standard, and it does not:",
    "  SandboxTemplate loose/desktop (loose/desktop/Resource): container 'sandbox'.securityContext.capabilities.drop, which needs Relaxation.DEFAULT_CAPABILITIES",
    "  SandboxTemplate loose/desktop (loose/desktop/Resource): container 'sandbox'.securityContext.runAsNonRoot is false, which needs Relaxation.RUN_AS_ROOT",
  ]],
  [() => SandboxAssertions.ofManifests([]).isRestricted(), [
    'expected all Sandboxes and templates to meet the restricted Pod Security Standard, and there is none',
  ]],
  [() => assert().isRestricted('lost'), [
    "expected 'lost' to meet the restricted Pod Security Standard, and the SandboxWarmPool that SandboxClaim loose/lost (loose/lost/Resource) names is not here:",
    "  spec.warmPoolRef.name is 'nowhere'",
  ]],
  [() => assert().runsUnder('gvisor'), [
    "expected all Sandboxes and templates to run under 'gvisor', and 1 of 6 does not:",
    '  SandboxTemplate loose/desktop (loose/desktop/Resource): spec.podTemplate.spec.runtimeClassName is not set, so that these are ordinary containers',
  ]],
  [() => assert().runsUnder('kata-qemu', 'python'), [
    "expected 'python' to run under 'kata-qemu', and it does not:",
    "  SandboxTemplate agents/python (agents/python/Resource): spec.podTemplate.spec.runtimeClassName is 'gvisor' (handler 'runsc')",
  ]],
  [() => SandboxAssertions.ofManifests([]).hasPosture(postureFile('empty')), [
    `expected the posture in ${join(FOLDER, 'empty')}, and it has changed:`,
    '  Sandbox agents/gone',
    '    - exists',
    'if this is meant, have the file written anew: AGENT_SANDBOX_UPDATE=1, or the flag -u of jest and vitest',
  ]],
  [() => withVariables({ CI: 'true' }, () => assert().hasPosture(postureFile('refused'))), [
    `expected the posture in ${join(FOLDER, 'refused')}, and there is no such file: if this is meant, have the file written anew: AGENT_SANDBOX_UPDATE=1, or the flag -u of jest and vitest, and commit it`,
  ]],
  [() => assert().hasNoFindings(), [
    'expected no findings, and there are 3:',
    '  warning: SandboxWarmPool loose/empty (loose/empty/Resource): spec.replicas is 0: every claim of it starts cold: keep at least 1, add an autoscaler, or claim the template itself [empty-pool]',
    ...['loose/box', 'open/wide'].map(name => `  warning: SandboxTemplate ${name} (${name}/Resource): spec.networkPolicyManagement is 'Unmanaged': nothing restricts the ingress and egress of its Pods: use another network, or add a NetworkPolicy or a SandboxNamespace [unmanaged-open]`),
  ]],
  [() => assert().reaches('python', named('aws-metadata')), [
    'expected SandboxTemplate agents/python to reach aws-metadata, and it cannot:',
    '  no egress rule of NetworkPolicy agents/default-deny, NetworkPolicy agents/python-network-policy (by the controller) matches',
    '  decided by agents/agents/DefaultDeny',
    '  outside of the cluster it reaches TCP 0-65535: 1.0.0.0/8, 2.0.0.0/7, 4.0.0.0/6, 8.0.0.0/7, 11.0.0.0/8 and 134 more; UDP 0-65535: 1.0.0.0/8, 2.0.0.0/7, 4.0.0.0/6, 8.0.0.0/7, 11.0.0.0/8 and 134 more; SCTP 0-65535: 1.0.0.0/8, 2.0.0.0/7, 4.0.0.0/6, 8.0.0.0/7, 11.0.0.0/8 and 134 more',
  ]],
  [() => assert().reaches('Sandbox agents/box', address('10.0.0.1'), NetworkPort.tcp(443)), [
    'expected Sandbox agents/box to reach 10.0.0.1 on TCP 443, and it cannot:',
    '  no egress rule of NetworkPolicy agents/default-deny, NetworkPolicy agents/sandbox-box matches',
    '  decided by agents/agents/DefaultDeny',
    '  outside of the cluster it reaches nothing',
  ]],
  [() => assert().cannotReach('python', named('public-web')), [
    'expected SandboxTemplate agents/python not to reach public-web, and it can:',
    '  for example 93.184.215.14',
    '  NetworkPolicy agents/python-network-policy (by the controller), egress rule 2',
    '  decided by agents/python/Resource',
  ]],
  [() => assert().cannotReach('ticket-42', NetworkEndpoint.apiServer()), [
    'expected SandboxTemplate agents/python not to reach the API server, and the manifests do not tell:',
    '  for example 1.0.0.0',
    '  its address is not known, and only some addresses are allowed',
    '  NetworkPolicy agents/python-network-policy (by the controller), egress rule 2',
    '  decided by agents/python/Resource',
  ]],
  [() => assert().cannotReach('desktop', address('10.50.0.0/16')), [
    'expected SandboxTemplate loose/desktop not to reach 10.50.0.0/16, and it can:',
    '  for example 10.50.0.100',
    '  NetworkPolicy loose/desktop-network-policy (by the controller), egress rule 1',
    '  decided by loose/desktop/Resource',
  ]],
  [() => assert().cannotReach('pyhton', named('public-web')), [
    "expected 'pyhton' not to reach public-web, and there is no Sandbox, template, pool or claim of this name:",
    "  nearest: 'python'",
    '  there are SandboxTemplate agents/python, SandboxWarmPool agents/python-pool, SandboxClaim agents/ticket-42, SandboxClaim agents/cold, SandboxWarmPool agents/shadow-pool-python and 7 more',
  ]],
  [() => assert().isolatedFrom('open', 'loose'), [
    "expected the namespaces 'open' and 'loose' to be isolated from each other, and they are not:",
    '  from SandboxTemplate open/wide to SandboxTemplate loose/box, TCP 0-65535: allowed: no NetworkPolicy restricts the egress of these Pods; no NetworkPolicy restricts the ingress of these Pods',
  ]],
  [() => assert().isolatedFrom('agents', 'othr'), [
    "expected the namespaces 'agents' and 'othr' to be isolated from each other, and there is no Sandbox or template in 'othr':",
    "  nearest: 'other'",
    '  namespaces with Sandboxes or templates: agents, other, loose, open',
  ]],
  [() => (assert() as any).hasSandbox('box', { image: 'a' }), [
    "SandboxAssertions.hasSandbox: image is 'a': ExpectedObject has no such prop: leave it out",
  ]],
  [() => (SandboxAssertions as any).of([]), [
    'SandboxAssertions.of: scope is []: use a Construct',
  ]],
];

test.each(FAILS)('%s fails with an explanation', (action, message) => {
  expect(messageOf(action).split('\n')).toEqual(message);
});

test('a template and its pool, which mean the same Pods, may have one name', () => {
  const chart = new Chart(testApp(), 'test', { namespace: 'agents' });
  const template = new SandboxTemplate(chart, 'python', { ...POD, network: SandboxNetwork.denyAll() });
  template.addWarmPool('pool', { name: 'python' }).claim('python-1');
  expect(() => SandboxAssertions.of(chart).isRestricted('python').cannotReach('agents/python', NetworkEndpoint.named('aws-metadata'))).not.toThrow();
  new Sandbox(chart, 'box', { ...POD, name: 'python' });
  expect(messageOf(() => SandboxAssertions.of(chart).isRestricted('python'))).toContain('and there are 3 of this name');
});

test('each assertion holds once and fails once', () => {
  const methods = Object.getOwnPropertyNames(SandboxAssertions.prototype).filter(name => METHODS[`SandboxAssertions#${name}`] || name === 'hasNoFindings');
  const missing = (actions: readonly (() => unknown)[]) => methods.filter(name => !actions.some(action => String(action).includes(`.${name}(`)));
  expect(methods).toHaveLength(11);
  expect([missing(HOLDS.map(([, action]) => action)), missing(FAILS.map(([action]) => action))]).toEqual([[], []]);
});

test('assertions are plain errors in node:test, too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'assertions-'));
  try {
    const file = join(folder, 'closed.test.mts');
    writeFileSync(file, `
      import { test } from 'node:test';
      import { SandboxAssertions } from ${JSON.stringify(join(__dirname, '../src/index.ts'))};
      test('holds', () => { SandboxAssertions.ofManifests([]).hasNoFindings(); });
      test('fails', () => { SandboxAssertions.ofManifests([]).hasSandbox('box'); });
    `);
    const { stdout } = runTypeScript(['--test', '--test-reporter', 'tap', file]);
    expect(stdout).toContain('ok 1 - holds');
    expect(stdout).toContain('not ok 2 - fails');
    expect(stdout).toContain("expected a Sandbox 'box', and there is no Sandbox of this name:");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
