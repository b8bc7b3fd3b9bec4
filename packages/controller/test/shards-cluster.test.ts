import { LEASE, SHARD_LEASES } from 'agent-sandbox-api';
import { waitFor } from '../../../testbed/src/index.js';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { shardOf } from '../src/shell/shards.js';
import { textOf } from './cluster-bench.js';
import { end, start, type Run } from './program.js';

const CORE = 'agents.x-k8s.io/v1beta1';
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const LEASES = 'coordination.k8s.io/v1';
const POD_TEMPLATE = { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } };
/** Names of replicas in the audit log. */
const REPLICAS = ['one', 'two', 'three', 'other', 'alone'];
/** The limit that the documents promise, from the last sign of life of a replica to the first of the next. */
const MOVES_WITHIN_MS = 20_000;

describeWithControlPlane('shards, on an API server', testbed => {
  const runs = new Map<string, Run>();
  /** Namespaces of both shards, three of each. */
  const namespaces: string[] = [];
  let count = 0;

  /** Starts a replica, which the audit log knows by its name. */
  const replica = async (name: string, shards: number): Promise<Run> => {
    const { path } = await testbed.cluster.kubeconfig({ user: name, groups: ['system:masters'] });
    const run = start(`--kubeconfig=${path}`, `--namespaces=${namespaces.join()}`, `--leader-election-namespace=${testbed.namespace}`, `--shards=${shards}`, '--extensions', '--metrics-bind-address=0', '--health-probe-bind-address=0');
    runs.set(name, run);
    return run;
  };
  const kill = async (name: string) => {
    runs.get(name)!.child.kill('SIGKILL');
    await runs.get(name)!.exit;
    runs.delete(name);
  };
  const stop = async (name: string) => {
    await end(runs.get(name)!);
    runs.delete(name);
  };

  const lease = async (name: string) => (await testbed.cluster.admin.find({ apiVersion: LEASES, kind: 'Lease', namespace: testbed.namespace, name }))?.spec as
    { holderIdentity?: string; acquireTime: string; renewTime: string } | undefined;
  const holders = async (shards: number) => (await Promise.all(SHARD_LEASES.slice(0, shards).map(lease))).map(spec => spec?.holderIdentity || undefined);
  /** Waits until each shard has a holder of its own. */
  const divided = (shards: number) => waitFor(async () => {
    const found = await holders(shards);
    return !found.includes(undefined) && new Set(found).size === shards ? found : undefined;
  }, { what: `${shards} replicas that work`, timeoutMs: 60_000 });

  /** A Sandbox in each namespace, which becomes ready. */
  const serves = async (): Promise<void> => {
    const name = `box-${count++}`;
    await Promise.all(namespaces.map(namespace => testbed.cluster.admin.create({ apiVersion: CORE, kind: 'Sandbox', metadata: { name, namespace }, spec: POD_TEMPLATE })));
    await Promise.all(namespaces.map(namespace =>
      testbed.cluster.admin.waitFor({ apiVersion: CORE, kind: 'Sandbox', namespace, name }, sandbox => textOf(sandbox, 'Ready').startsWith('True'), { timeoutMs: 60_000 })));
  };
  /** Who wrote in a namespace, in the order of the writes. */
  const writers = async (namespace: string) => (await testbed.auditLog.find({ namespace, writes: true }))
    .filter(({ user, code, resource }) => REPLICAS.includes(user) && code < 300 && resource !== 'events').map(({ user }) => user);

  beforeAll(async () => {
    for (let shard = 0; shard < 2; shard++) {
      while (namespaces.filter(name => shardOf(name, 2) === shard).length < 3) {
        namespaces.push(await testbed.cluster.createNamespace('shards'));
      }
    }
  }, 60_000);
  afterAll(() => end(...runs.values()));

  test('D1 each replica works on the namespaces of its shard, and on no other', async () => {
    await Promise.all([replica('one', 2), replica('two', 2)]);
    await divided(2);
    await serves();
    const byShard = [0, 1].map(shard => namespaces.filter(name => shardOf(name, 2) === shard));
    const users = await Promise.all(byShard.map(async names => [...new Set((await Promise.all(names.map(name => writers(name)))).flat())]));
    expect(users.map(found => found.length)).toEqual([1, 1]);
    expect(users.flat().sort()).toEqual(['one', 'two']);
    expect((await lease(LEASE))?.holderIdentity).toBe('shards-of-2');
  }, 120_000);

  test('D2 a replica with another number of shards, and one without shards, wait until the whole set has stopped', async () => {
    const waiting = await Promise.all([replica('other', 3), replica('alone', 1)]);
    for (const user of ['other', 'alone']) {
      await waitFor(async () => (await testbed.auditLog.find({ user, resource: 'leases' })).length > 1, { what: `${user} to ask for the Lease`, timeoutMs: 60_000 });
    }
    await stop('one');
    await serves();
    expect(waiting.map(run => run.output().includes('"working"'))).toEqual([false, false]);
    expect((await Promise.all(namespaces.map(name => writers(name)))).flat().filter(user => user === 'other' || user === 'alone')).toEqual([]);
    // The last of the set stops: another one takes over, and one only.
    await stop('two');
    await waitFor(async () => waiting.some(run => run.output().includes('"working"')), { what: 'a replica with another number to work', timeoutMs: 60_000 });
    await serves();
    expect(waiting.filter(run => run.output().includes('"working"'))).toHaveLength(1);
    await Promise.all([stop('other'), stop('alone')]);
  }, 120_000);

  test('D3 a replica that comes later is handed a shard, and the shard of a replica that is killed moves to the other', async () => {
    await replica('one', 2);
    await waitFor(async () => (await holders(2)).every(holder => holder !== undefined), { what: 'a replica that holds all shards', timeoutMs: 60_000 });
    await replica('three', 2);
    await divided(2);
    await serves();
    const lost = (await lease(SHARD_LEASES[0]!))!;
    await kill((await writers(namespaces.find(name => shardOf(name, 2) === 0)!)).at(-1)!);
    await serves();
    const found = (await lease(SHARD_LEASES[0]!))!;
    expect(found.holderIdentity).not.toBe(lost.holderIdentity);
    expect(Date.parse(found.acquireTime) - Date.parse(lost.renewTime)).toBeLessThan(MOVES_WITHIN_MS);
  }, 180_000);

  test('D4 claims survive replicas that are killed while they adopt: each claim has one Sandbox of its own', async () => {
    await Promise.all(namespaces.map(async namespace => {
      await testbed.cluster.admin.create({ apiVersion: EXTENSIONS, kind: 'SandboxTemplate', metadata: { name: 'python', namespace }, spec: POD_TEMPLATE });
      await testbed.cluster.admin.create({ apiVersion: EXTENSIONS, kind: 'SandboxWarmPool', metadata: { name: 'pool', namespace }, spec: { replicas: 4, sandboxTemplateRef: { name: 'python' } } });
    }));
    for (const round of [0, 1, 2]) {
      const names = [...runs.keys()];
      const fresh = ['one', 'two', 'three'].find(name => !runs.has(name));
      if (fresh !== undefined && names.length < 2) {
        await replica(fresh, 2);
        await divided(2);
      }
      await Promise.all(namespaces.map(namespace => testbed.cluster.admin.waitFor(
        { apiVersion: EXTENSIONS, kind: 'SandboxWarmPool', namespace, name: 'pool' }, pool => pool.status?.readyReplicas === 4, { timeoutMs: 90_000 },
      )));
      const claims = namespaces.flatMap(namespace => [0, 1, 2].map(i => ({ namespace, name: `claim-${round}-${i}` })));
      await Promise.all(claims.map(metadata => testbed.cluster.admin.create({ apiVersion: EXTENSIONS, kind: 'SandboxClaim', metadata, spec: { warmPoolRef: { name: 'pool' } } })));
      await kill([...runs.keys()][round % runs.size]!);
    }
    const bound = await Promise.all(namespaces.flatMap(namespace => [0, 1, 2].flatMap(round => [0, 1, 2].map(async i => {
      const ref = { apiVersion: EXTENSIONS, kind: 'SandboxClaim', namespace, name: `claim-${round}-${i}` };
      const claim = await testbed.cluster.admin.waitFor(ref, object => textOf(object, 'Ready').startsWith('True'), { timeoutMs: 90_000 });
      return `${namespace}/${claim.status.sandbox.name}`;
    }))));
    expect(new Set(bound).size).toBe(namespaces.length * 9);
    const owned = (await Promise.all(namespaces.map(namespace => testbed.cluster.admin.list(CORE, 'Sandbox', namespace)))).flat()
      .filter(({ metadata }) => metadata.ownerReferences?.some(({ kind }: { kind: string }) => kind === 'SandboxClaim'));
    expect(owned).toHaveLength(namespaces.length * 9);
  }, 300_000);
}, { requires: ['fakeNodes', 'auditLog'] });
