import { LABEL, type SandboxClaimSpec } from 'agent-sandbox-api';
import type { Logger } from 'agent-sandbox-kube';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { memberObject } from '../src/blueprint/member.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { runManager } from '../src/shell/manager.js';

const USER = 'claim-controller';
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const SANDBOX = { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox' };
const TEMPLATE = { apiVersion: EXTENSIONS, kind: 'SandboxTemplate' };
const POOL = { apiVersion: EXTENSIONS, kind: 'SandboxWarmPool' };
const CLAIM = { apiVersion: EXTENSIONS, kind: 'SandboxClaim' };

describeWithControlPlane('claims on an API server', (testbed) => {
  const stop = new AbortController();
  const problems: unknown[] = [];
  const note = (fields: object, message: string) => {
    problems.push({ fields, message });
  };
  const logger: Logger & { fatal: typeof note } = { debug: () => undefined, info: () => undefined, warn: note, error: note, fatal: note };
  let running: Promise<void>;
  const meta = (name: string) => ({ name, namespace: testbed.namespace });
  const ref = (name: string, kind: typeof SANDBOX = CLAIM) => ({ ...kind, ...meta(name) });
  const ready = (object: any) => object.status?.conditions?.find((found: any) => found.type === 'Ready');
  const isReady = (object: any) => ready(object)?.status === 'True';
  const claim = (name: string, spec: SandboxClaimSpec = { warmPoolRef: { name: 'pool' } }, kind: typeof SANDBOX = CLAIM) =>
    testbed.cluster.admin.create({ ...kind, metadata: meta(name), spec } as any);
  const readyClaim = async (name: string): Promise<any> => await testbed.cluster.admin.waitFor(ref(name), isReady);
  const writes = async (since: Date, names: readonly string[]) =>
    (await testbed.auditLog.find({ user: USER, namespace: testbed.namespace, writes: true, since }))
      .filter((request) => names.includes(request.name) || (request.resource === 'events' && names.includes(request.requestObject?.regarding?.name)))
      .map(({ verb, resource, subresource, code }) => `${verb} ${resource}${subresource ? `/${subresource}` : ''} ${code}`);

  /** Members made by hand, in a pool that asks for none. */
  const members = async (count: number, prefix: string): Promise<string[]> => {
    const { admin } = testbed.cluster;
    const [pool, template] = [await admin.get(ref('pool', POOL)), await admin.get(ref('python', TEMPLATE))] as any[];
    const names = Array.from({ length: count }, (_, i) => `${prefix}-${i}`);
    await Promise.all(names.map((name) => admin.create(memberObject(pool, template, { name, evictable: true }) as any)));
    await Promise.all(names.map((name) => admin.waitFor(ref(name, SANDBOX), isReady)));
    return names;
  };

  beforeAll(async () => {
    const { namespace, cluster } = testbed;
    const { path } = await cluster.kubeconfig({ user: USER, groups: ['system:masters'] });
    const flags = parseFlags([
      `--kubeconfig=${path}`, `--namespaces=${namespace}`, `--leader-election-namespace=${namespace}`, '--extensions', '--metrics-bind-address=0',
      '--health-probe-bind-address=0', '--sandbox-status-settle-window=5s',
    ]);
    running = runManager({ flags, definitions: controllersOf(flags), logger, version: 'test' }, stop.signal);
    running.catch((error: Error) => note(error, error.message));
    const spec = { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, envVarsInjectionPolicy: 'Allowed' };
    await cluster.admin.create({ ...TEMPLATE, metadata: meta('python'), spec } as any);
    await cluster.admin.create({ ...POOL, metadata: meta('pool'), spec: { replicas: 0, sandboxTemplateRef: { name: 'python' } } } as any);
  }, 60_000);

  afterAll(async () => {
    stop.abort();
    await running;
  });

  test('a warm claim costs three writes on its path: Sandbox, claim status, Pod', async () => {
    const { admin } = testbed.cluster;
    const [member] = await members(1, 'warm');
    const since = new Date();
    await claim('quick');
    const bound = await readyClaim('quick');
    expect(bound.status).toMatchObject({ sandbox: { name: member, podIPs: [expect.any(String)] }, sandboxName: member });
    await admin.waitFor(ref(member!, { apiVersion: 'v1', kind: 'Pod' }), (pod: any) => pod.metadata.labels[LABEL.warmPool] === undefined);
    expect((await writes(since, ['quick', member!])).filter((write) => !write.includes('events')).sort()).toEqual([
      'patch pods 200', 'patch sandboxclaims/status 200', 'patch sandboxes 200',
    ]);
  });

  test('a cold claim costs six writes at most, and its Sandbox has its name', async () => {
    const since = new Date();
    await claim('cold', { sandboxTemplateRef: { name: 'python' } });
    expect((await readyClaim('cold')).status.sandbox.name).toBe('cold');
    const sent = await writes(since, ['cold']);
    expect(sent.filter((write) => !write.includes('events')).sort()).toEqual([
      'create pods 201', 'create sandboxes 201', 'patch sandboxclaims/status 200', 'patch sandboxes/status 200',
    ]);
  });
}, { requires: ['fakeNodes', 'auditLog'] });
