import { Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import * as fc from 'fast-check';
import {
  Isolation, Lifetime, NetworkModel, NetworkPeer, NetworkPort, Posture, PostureConcern, Relaxation, Sandbox, SandboxNetwork, SandboxTemplate, SandboxVolume,
  SandboxWarmPool, Tenant,
} from '../src';
import { CONTAINER, POD, testApp, testChart } from './helpers';
import { chartWith, mutated, MUTATIONS } from './network-mutations';

const DIGEST = `@sha256:${'0123456789abcdef'.repeat(4)}`;

test('the text of a tenant is short, sorted, and says what is chosen', () => {
  const app = testApp();
  const tenant = new Tenant(new Chart(app, 'chart'), 'research', {
    pools: [{ name: 'python', template: { containers: [{ image: `registry.example/python${DIGEST}`, port: 8888, cpu: '500m', memory: '512Mi', memoryLimit: '512Mi' }], isolation: Isolation.gvisor() }, replicas: 1, claims: 1 }],
    groups: ['research'],
  });
  tenant.pool('python').claim('ticket-44');
  expect(Posture.of(app).toText()).toBe(`Tenant research
  enforced           restricted (default)
  other-namespaces   reached by the router (default)
  closed-by-default  Egress (default)
                     Ingress
  quota              limits.cpu 1
                     limits.memory 1Gi
                     persistentvolumeclaims 0
                     requests.cpu 1
                     requests.memory 1Gi
                     sandboxclaims 1
                     sandboxes 2
  members            Group research has Role sandbox-user

SandboxTemplate research/python
  isolation     gVisor (RuntimeClass gvisor)
  pod-security  restricted (default)
  token         none (default)
  host          no access (default)
  network       rules of the template, which allow ingress only (default)
  reached-by    the router (namespace agent-sandbox-system) (default)
  reaches       nothing (default)
  secrets       none (default)
  images        registry.example/python by digest 0123456789ab
  limits        cpu 500m; memory 512Mi
  storage       none (default)
  claims        1 claim without an end

SandboxWarmPool research/python
  template  python
  size      1 idle Sandbox
  updates   idle Sandboxes stay as they are when the template changes (default)
`);
});

/** Items of a topic of the only template or Sandbox. */
function factOf(topic: string, props: object, make: typeof SandboxTemplate | typeof Sandbox = SandboxTemplate) {
  const chart = testChart({ namespace: 'agents' });
  new make(chart, 'box', { ...POD, ...props } as any);
  const entry = Posture.of(chart).entries.find(({ object }) => object.endsWith(' agents/box'))!;
  const { items, concern, isDefault } = entry.facts.find(each => each.topic === topic)!;
  return { items, concern: String(concern), isDefault };
}

const secret = (chart = testChart()) => kplus.Secret.fromSecretName(chart, 'secret', 'keys');
const CASES: ReadonlyArray<readonly [topic: string, props: object, items: readonly string[], concern: string]> = [
  ['isolation', { isolation: Isolation.kata() }, ['Kata Containers (RuntimeClass kata-qemu)'], 'none'],
  ['isolation', { isolation: Isolation.gkeSandbox() }, ['gVisor (RuntimeClass gvisor)', 'on nodes with sandbox.gke.io/runtime=gvisor'], 'none'],
  ['isolation', { isolation: Isolation.runtimeClass('mine') }, ['RuntimeClass mine, of which it is not known whether it isolates'], 'notice'],
  ['isolation', { isolation: Isolation.none() }, ['none: ordinary containers, which share the kernel of the node'], 'risk'],
  ['pod-security', { containers: [{ ...CONTAINER, relaxations: [Relaxation.RUN_AS_ROOT] }] }, ['baseline', 'restricted forbids RUN_AS_ROOT'], 'notice'],
  ['pod-security', { containers: [{ ...CONTAINER, relaxations: [Relaxation.PRIVILEGED, Relaxation.RUN_AS_ROOT] }] }, ['privileged', 'baseline forbids PRIVILEGED'], 'risk'],
  ['token', {}, ['none'], 'none'],
  ['token', { automountServiceAccountToken: true }, ['of ServiceAccount default, for the API server'], 'risk'],
  ['host', { relaxations: [Relaxation.HOST_NETWORK, Relaxation.HOST_PID], hostNetwork: true, hostPid: true, network: SandboxNetwork.unmanaged() }, ['network of the node: no NetworkPolicy applies', 'processes of the node'], 'risk'],
  ['network', { network: SandboxNetwork.controllerDefault() }, ['rules of the controller, for templates without any'], 'notice'],
  ['reaches', { network: SandboxNetwork.dnsOnly() }, ['cluster DNS on TCP 53, UDP 53'], 'none'],
  ['reaches', { network: SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443)] }) }, ['public internet, IPv4 on TCP 443', 'cluster DNS on TCP 53, UDP 53'], 'notice'],
  ['reaches', { network: SandboxNetwork.dnsOnly().allowEgressTo(NetworkPeer.cidr('10.50.0.0/24', { except: ['10.50.0.7/32'] }), [NetworkPort.tcp(80)]) },
    ['8 networks of private addresses (#aa00f7) on TCP 80', 'cluster DNS on TCP 53, UDP 53'], 'notice'],
  ['reaches', { network: SandboxNetwork.routerOnly().allowEgressTo(NetworkPeer.cidr('169.254.169.254/32'), [NetworkPort.tcp(80)]) }, ['169.254.169.254/32 (metadata servers of clouds) on TCP 80'], 'risk'],
  ['reaches', { network: SandboxNetwork.routerOnly().allowEgressTo(NetworkPeer.pods({ app: 'db' }, { namespace: 'data' }), [NetworkPort.tcp(5432)]) }, ['Pods app=db of namespace data on TCP 5432'], 'none'],
  ['reached-by', { network: SandboxNetwork.denyAll() }, ['nothing'], 'none'],
  ['reached-by', { network: SandboxNetwork.unmanaged() }, ['everything: every address, and all Pods of the cluster'], 'risk'],
  ['secrets', { containers: [{ ...CONTAINER, env: { KEY: kplus.EnvValue.fromSecretValue({ secret: secret(), key: 'k' }) } }] }, ['KEY from Secret keys, as variable'], 'notice'],
  ['secrets', { containers: [{ ...CONTAINER, env: { API_TOKEN: 'hunter2' } }] }, ['API_TOKEN has its value in the manifest'], 'risk'],
  ['secrets', { containers: [{ ...CONTAINER, mounts: [{ path: '/keys', volume: SandboxVolume.secret('files', secret()) }] }] }, ['Secret keys, as files at /keys'], 'none'],
  ['images', { containers: [{ image: `registry.example/a${DIGEST}` }] }, ['registry.example/a by digest 0123456789ab'], 'none'],
  ['images', { containers: [{ image: 'registry.example:5000/a' }] }, ["registry.example:5000/a, by tag: what 'latest' is can change"], 'notice'],
  ['limits', { containers: [{ ...CONTAINER, cpu: '250m', cpuLimit: '2', memory: '1Gi' }] }, ['cpu 250m to 2; memory 1Gi'], 'none'],
  ['limits', {}, ['cpu without limit; memory without limit'], 'notice'],
  ['claims', { claimableFrom: ['support', 'research'] }, ['also from the namespaces research, support'], 'none'],
];

test.each(CASES.map(([topic, props, items, concern]) => ({ topic, props, items, concern })))('$topic: $items', ({ topic, props, items, concern }) => {
  expect(factOf(topic, props)).toMatchObject({ items, concern });
});

test('a Sandbox of a manifest that does not forbid the token may have one', () => {
  const manifest = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'box' }, spec: { podTemplate: { spec: { containers: [{ name: 'a', image: 'a' }] } } } };
  const [{ facts }] = Posture.ofManifests([manifest]).entries;
  expect(facts.find(({ topic }) => topic === 'token')).toMatchObject({
    items: ['of ServiceAccount default, unless that forbids it: automountServiceAccountToken is not set'], concern: PostureConcern.RISK,
  });
});

test('a Sandbox says when it ends and what it keeps', () => {
  const props = { lifetime: Lifetime.until('2027-01-31T17:00:00Z'), volumes: [SandboxVolume.persistent('data', { size: '10Gi' })] };
  expect(factOf('lifetime', props, Sandbox).items).toEqual(['until 2027-01-31T17:00:00Z, then it is deleted']);
  expect(factOf('storage', props, Sandbox).items).toEqual(['data, 10Gi, kept until the Sandbox is deleted']);
  expect(factOf('lifetime', {}, Sandbox)).toEqual({ items: ['until it is deleted'], concern: 'none', isDefault: true });
});

/** An app with some of everything. */
function mixed(): Chart {
  const chart = chartWith(SandboxNetwork.publicInternet());
  new SandboxWarmPool(chart, 'pool', { template: new SandboxTemplate(chart, 'other', { ...POD, network: SandboxNetwork.unmanaged(), containers: [{ ...CONTAINER, env: { PASSWORD: 'hunter2' } }] }) }).claim('claim');
  new Sandbox(chart, 'box', POD);
  return chart;
}

test('an app and its manifests have one posture, in whatever order', () => {
  const chart = mixed();
  const text = Posture.of(chart).toText();
  fc.assert(fc.property(fc.shuffledSubarray(chart.toJson(), { minLength: chart.toJson().length }), manifests => {
    expect(Posture.ofManifests(manifests).toText()).toBe(text);
  }), { numRuns: 15 });
});

test('no value of a variable is in the text', () => {
  expect(Posture.of(mixed()).toText()).not.toContain('hunter2');
});

test.each([[undefined], ['deploy'], [{}]])('%p has no posture', subject => {
  expect(() => Posture.of(subject as any)).toThrow('Posture.of: scope');
  expect(() => Posture.ofManifests(subject as any)).toThrow('Posture.ofManifests: manifests');
});

describe('a difference', () => {
  const MOST_LINES = 20;
  const before = Posture.ofManifests(mutated(() => 0, []));

  test('of a posture from itself is empty', () => {
    expect(Posture.ofManifests(mutated(() => 0, [])).explain(before)).toBe('');
  });

  test('names the object, the topic, what was and what is', () => {
    const after = Posture.of(chartWith(SandboxNetwork.dnsOnly().allowEgressTo(NetworkPeer.cidr('10.50.0.100/32'), [NetworkPort.tcp(8000)])));
    expect(after.explain(Posture.of(chartWith(SandboxNetwork.dnsOnly())))).toBe(`SandboxTemplate agents/python
  + reaches: 10.50.0.100/32 (private addresses) on TCP 8000`);
  });

  test('tells of objects that come and go', () => {
    const [small, large] = [chartWith(SandboxNetwork.dnsOnly()), chartWith(SandboxNetwork.dnsOnly())].map((chart, index) => {
      new SandboxTemplate(chart, `t${index}`, { ...POD, isolation: Isolation.none() });
      return Posture.of(chart);
    });
    expect(large.explain(small)).toBe(`SandboxTemplate agents/t0
  - exists
SandboxTemplate agents/t1
  + exists
  + isolation: none: ordinary containers, which share the kernel of the node
  + images: registry.example/python by digest 0123
  + limits: cpu without limit; memory without limit`);
  });

  test.each(MUTATIONS.map(([name, , mutate, ...add]) => ({ name, mutate, add })))('explains $name', ({ mutate, add }) => {
    const lines = Posture.ofManifests(mutated(mutate, add)).explain(before).split('\n');
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.length).toBeLessThan(MOST_LINES);
  });

  test('explains any change of what a random policy allows', () => {
    const peer = fc.oneof(
      fc.constantFrom('10.0.0.0/8', '10.1.2.3/32', '0.0.0.0/0', '169.254.169.254/32', '8.8.8.0/24', 'fd00::/8', '::/0').map(cidr => ({ ipBlock: { cidr } })),
      fc.constantFrom({ podSelector: {} }, { podSelector: { matchLabels: { app: 'a' } } }, { namespaceSelector: {} }, { namespaceSelector: { matchLabels: { team: 'x' } }, podSelector: { matchLabels: { app: 'b' } } }),
    );
    const port = fc.record({ protocol: fc.constantFrom('TCP', 'UDP'), port: fc.constantFrom(53, 80, 443) });
    const rules = (key: string) => fc.array(fc.record({ [key]: fc.array(peer, { maxLength: 3 }), ports: fc.array(port, { maxLength: 2 }) }), { maxLength: 3 });
    const policies = fc.record({ ingress: rules('from'), egress: rules('to') });
    const set = (networkPolicy: object) => mutated(template => (template.spec.networkPolicy = networkPolicy), []);
    const answers = (manifests: any[]) => {
      const model = NetworkModel.ofManifests(manifests);
      const [sandbox] = model.sandboxes();
      return JSON.stringify([model.reaches(sandbox), Object.entries(model.whoCanReach(sandbox)).map(([source, { reachability }]) => [source, reachability])]);
    };
    fc.assert(fc.property(policies, policies, (one, other) => {
      const explained = Posture.ofManifests(set(other)).explain(Posture.ofManifests(set(one)));
      // What is not explained is no change.
      expect(explained !== '' || answers(set(one)) === answers(set(other))).toBe(true);
      expect(explained.split('\n').length).toBeLessThan(2 * MOST_LINES);
    }), { numRuns: 25 });
  });
});

describe('reports', () => {
  const posture = Posture.ofManifests(mutated(MUTATIONS[0][2], []));

  test('JSON has entries and findings, with what catalogues call them', () => {
    const { version, entries, findings } = JSON.parse(posture.toJson());
    expect(version).toBe(1);
    expect(entries.map(({ object }: any) => object)).toEqual(posture.entries.map(({ object }) => object));
    expect(entries[1].facts.find(({ topic }: any) => topic === 'isolation').standards).toEqual(['NSA/CISA Kubernetes Pod security', 'Kubescape C-0297', 'OWASP agentic ASI05']);
    expect(findings).toEqual([expect.objectContaining({ rule: 'universal-range', standards: expect.arrayContaining(['CIS 5.3.2', 'Kubescape C-0301']) })]);
  });

  test('SARIF has findings as they are and what weakens as notes, each with a rule and its tags', () => {
    const [{ results, tool }] = JSON.parse(posture.toSarif()).runs;
    expect(results.map(({ ruleId, level }: any) => `${level} ${ruleId}`)).toEqual(['warning universal-range', 'note posture/quota', 'note posture/reaches', 'note posture/limits']);
    const rules = new Map(tool.driver.rules.map((rule: any) => [rule.id, rule]));
    expect(results.every(({ ruleId }: any) => rules.has(ruleId))).toBe(true);
    expect(rules.get('posture/reaches')).toMatchObject({ properties: { tags: expect.arrayContaining(['OWASP agentic ASI02']) } });
  });

  test('JUnit fails for errors, and for warnings where it is strict', () => {
    expect(posture.toJunit()).toMatch(/<testsuite name="SandboxTemplate agents\/python" tests="\d+" failures="0">/);
    expect(posture.toJunit(true)).toContain('<testcase classname="SandboxTemplate agents/python" name="universal-range"><failure message="spec.networkPolicy.egress[0]: it reaches every IPv4 address');
  });

  test('Markdown has a table for each object, and names stay text', () => {
    expect(posture.toMarkdown()).toContain('### SandboxTemplate agents/python\n\n| topic | what is true | |\n|---|---|---|\n| isolation | gVisor (RuntimeClass gvisor) |  |\n');
    const hostile = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: '|<b>*x*' }, spec: {} };
    expect(Posture.ofManifests([hostile]).toMarkdown()).toContain('### Sandbox \\|\\<b\\>\\*x\\*');
  });
});

test('a name cannot write lines or steer a terminal', () => {
  const object = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'box\n  token  none\u001b[2J' }, spec: {} };
  const posture = Posture.ofManifests([object]);
  expect(posture.toText()).toMatch(/^Sandbox box\ufffd {2}token {2}none\ufffd\[2J\n/);
  expect(posture.explain(Posture.ofManifests([])).split('\n')[0]).toBe('Sandbox box\ufffd  token  none\ufffd[2J');
});
