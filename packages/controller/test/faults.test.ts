import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Logger } from 'agent-sandbox-kube';
import { ControlPlane, PROJECT_CRDS_DIR, waitFor, type KubeObject } from '../../../testbed/src/index.js';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { kubeconfigText } from '../../../testbed/src/kubeconfig.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { runManager } from '../src/shell/manager.js';
import { FaultyProxy } from './faulty-proxy.js';
import { end, start, type Run } from './program.js';

const SANDBOX = 'agents.x-k8s.io/v1beta1';
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const POOL = 8;
const CLAIMS = 20;
const SUITE_MS = 240_000;

/** The same numbers in every run, so that a failure can be repeated. */
function chance(probability: number): () => boolean {
  let state = 42;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648 < probability;
  };
}

describeWithPrograms('the controllers when things break', () => {
  let cluster: ControlPlane;
  const silent: Logger & { fatal: Logger['error'] } = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, fatal: () => undefined };

  beforeAll(async () => {
    cluster = await ControlPlane.start({ fakeNodes: 1, auditLog: true, crds: [PROJECT_CRDS_DIR] });
  }, SUITE_MS);

  afterAll(async () => {
    await cluster?.stop();
  });

  const flagsFor = (kubeconfig: string, namespace: string, ...more: string[]) => [
    `--kubeconfig=${kubeconfig}`, `--namespaces=${namespace}`, `--leader-election-namespace=${namespace}`, '--extensions=true',
    '--metrics-bind-address=0', '--health-probe-bind-address=0', ...more,
  ];

  /** Two programs that agree on a leader, each with a user of its own. */
  const startReplicas = (namespace: string, ...users: [string, string]) => Promise.all(users.map(async user => {
    const { path } = await cluster.kubeconfig({ user, groups: ['system:masters'] });
    return { user, ...start(...flagsFor(path, namespace)) };
  }));
  const leads = ({ output }: Run) => output().includes('"working"');
  async function leaderFirst<R extends Run>(replicas: readonly R[]): Promise<readonly R[]> {
    await waitFor(() => replicas.some(leads), { what: 'a leader', timeoutMs: 90_000 });
    return leads(replicas[0]!) ? replicas : [...replicas].reverse();
  }

  /** A template, a pool, and claims one after the other. */
  async function makeWork(namespace: string, each: () => Promise<void> = async () => undefined): Promise<void> {
    const create = (kind: string, name: string, spec: object) => cluster.admin.create({ apiVersion: EXTENSIONS, kind, metadata: { name, namespace }, spec });
    await create('SandboxTemplate', 'python', { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } });
    await create('SandboxWarmPool', 'pool', { replicas: POOL, sandboxTemplateRef: { name: 'python' } });
    for (let i = 0; i < CLAIMS; i++) {
      await create('SandboxClaim', `claim-${i}`, { warmPoolRef: { name: 'pool' } });
      await each();
    }
  }

  /** Waits for what must be true in the end whatever happened on the way: nothing lost, nothing shared, nothing left over. */
  async function settled(namespace: string): Promise<void> {
    let seen = '';
    await waitFor(async () => {
      const [claims, boxes, pods] = await Promise.all([
        cluster.admin.list(EXTENSIONS, 'SandboxClaim', namespace), cluster.admin.list(SANDBOX, 'Sandbox', namespace), cluster.admin.list('v1', 'Pod', namespace),
      ]);
      const pool = await cluster.admin.get({ apiVersion: EXTENSIONS, kind: 'SandboxWarmPool', namespace, name: 'pool' });
      const ready = claims.filter(claim => isReady(claim)).length;
      seen = `${ready} of ${claims.length} claims ready, ${boxes.length} Sandboxes, ${pods.length} Pods, pool ${JSON.stringify(pool.status)}`;
      return ready === CLAIMS && boxes.length === CLAIMS + POOL && pods.length === CLAIMS + POOL && pool.status?.readyReplicas === POOL && boxes.every(isReady);
    }, { what: 'everything to settle', timeoutMs: 120_000, intervalMs: 250, lastSeen: () => seen });
    const [claims, boxes, pods] = await Promise.all([
      cluster.admin.list(EXTENSIONS, 'SandboxClaim', namespace), cluster.admin.list(SANDBOX, 'Sandbox', namespace), cluster.admin.list('v1', 'Pod', namespace),
    ]);
    const byUid = new Map(boxes.map(box => [box.metadata.uid, box]));
    for (const claim of claims) {
      const mine = boxes.filter(box => ownersOf(box).some(({ uid }) => uid === claim.metadata.uid));
      expect(mine.map(({ metadata }) => metadata.name)).toEqual([claim.status.sandbox.name]);
    }
    expect(boxes.filter(box => ownersOf(box).length !== 1)).toEqual([]);
    expect(new Set(pods.map(pod => byUid.get(ownersOf(pod)[0]?.uid)?.metadata.name)).size).toBe(CLAIMS + POOL);
  }

  /** Runs the controllers in this process behind a proxy, and makes work meanwhile. */
  async function behindProxy(name: string, arrange: (proxy: FaultyProxy) => void, each?: (proxy: FaultyProxy) => Promise<void>): Promise<void> {
    const namespace = await cluster.createNamespace(name);
    const proxy = await FaultyProxy.inFrontOf(cluster.connection);
    const kubeconfig = join(cluster.dir, `${name}.kubeconfig`);
    await writeFile(kubeconfig, kubeconfigText({ server: proxy.url }, name));
    const flags = parseFlags(flagsFor(kubeconfig, namespace, '--leader-elect=false'));
    const stop = new AbortController();
    arrange(proxy);
    const running = runManager({ flags, definitions: controllersOf(flags), logger: silent, version: 'test' }, stop.signal);
    try {
      await makeWork(namespace, () => each?.(proxy) ?? Promise.resolve());
      await settled(namespace);
      expect(proxy.faults).toBeGreaterThan(0);
    } finally {
      stop.abort();
      await running;
      await proxy.close();
    }
  }

  const isWrite = (method: string) => method !== 'GET';

  test('connections that break again and again', () => behindProxy('cuts', () => undefined, async proxy => proxy.cut()), SUITE_MS);

  test('watches that are too old, again and again', () => {
    const unlucky = chance(0.5);
    return behindProxy('gone', proxy => {
      proxy.fault = ({ isWatch }) => (isWatch && unlucky() ? { code: 410, reason: 'Expired' } : undefined);
    }, async proxy => proxy.cut());
  }, SUITE_MS);

  test('a storm of conflicts', () => {
    const unlucky = chance(0.4);
    return behindProxy('conflicts', proxy => {
      proxy.fault = ({ method }) => (['PATCH', 'PUT', 'DELETE'].includes(method) && unlucky() ? { code: 409, reason: 'Conflict' } : undefined);
    });
  }, SUITE_MS);

  test('a server that asks for patience', () => {
    const unlucky = chance(0.2);
    return behindProxy('patience', proxy => {
      proxy.fault = ({ method }) => (isWrite(method) && unlucky() ? { code: 429, reason: 'TooManyRequests', retryAfter: 1 } : undefined);
    });
  }, SUITE_MS);

  test('a server that fails', () => {
    const unlucky = chance(0.2);
    return behindProxy('failures', proxy => {
      proxy.fault = ({ method }) => (isWrite(method) && unlucky() ? { code: 500, reason: 'InternalError' } : undefined);
    });
  }, SUITE_MS);

  test('writes that are done, although their answers are lost', () => {
    const unlucky = chance(0.2);
    return behindProxy('lost', proxy => {
      proxy.fault = ({ method }) => (isWrite(method) && unlucky() ? 'lostAnswer' : undefined);
    });
  }, SUITE_MS);

  test('a controller that is killed in the middle of its work, three times', async () => {
    const namespace = await cluster.createNamespace('killed');
    const { path } = await cluster.kubeconfig({ user: 'killed', groups: ['system:masters'] });
    const run = () => start(...flagsFor(path, namespace, '--leader-elect=false'));
    let current = run();
    try {
      const kill = async () => {
        current.child.kill('SIGKILL');
        await current.exit;
        current = run();
      };
      await waitFor(() => current.output().includes('"working"'), { what: 'the controller to work' });
      let made = 0;
      await makeWork(namespace, async () => {
        if (++made % 6 === 0) {
          await waitFor(async () => (await cluster.auditLog.find({ user: 'killed', namespace, writes: true })).length > made, { what: 'writes of the controller' });
          await kill();
        }
      });
      await settled(namespace);
    } finally {
      await end(current);
    }
  }, SUITE_MS);

  test('a leader that is killed: the other one goes on, and the two never write at the same time', async () => {
    const namespace = await cluster.createNamespace('leaders');
    const replicas = await startReplicas(namespace, 'one', 'two');
    try {
      const [first, second] = await leaderFirst(replicas);
      let made = 0;
      await makeWork(namespace, async () => {
        if (++made === CLAIMS / 2) {
          first!.child.kill('SIGKILL');
          await first!.exit;
        }
      });
      await settled(namespace);
      const times = async (user: string) => (await cluster.auditLog.find({ user, namespace, writes: true })).map(({ at }) => at.getTime());
      expect(Math.max(...await times(first!.user))).toBeLessThan(Math.min(...await times(second!.user)));
    } finally {
      await end(...replicas);
    }
  }, SUITE_MS);

  test('a leader that stands still until the other one has taken over writes nothing any more', async () => {
    const namespace = await cluster.createNamespace('paused');
    const replicas = await startReplicas(namespace, 'still', 'awake');
    try {
      const [first, second] = await leaderFirst(replicas);
      first!.child.kill('SIGSTOP');
      const work = makeWork(namespace);
      await waitFor(() => leads(second!), { what: 'the other one to lead', timeoutMs: 60_000 });
      await work;
      const since = new Date();
      first!.child.kill('SIGCONT');
      await first!.exit;
      await settled(namespace);
      const late = await cluster.auditLog.find({ user: first!.user, namespace, writes: true, since });
      expect(late.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`)).toEqual([]);
    } finally {
      await end(...replicas);
    }
  }, SUITE_MS);

  test('an API server that restarts', async () => {
    const namespace = await cluster.createNamespace('restarted');
    const { path } = await cluster.kubeconfig({ user: 'restarted', groups: ['system:masters'] });
    const run = start(...flagsFor(path, namespace));
    try {
      await waitFor(() => run.output().includes('"working"'), { what: 'the controller to work' });
      let made = 0;
      await makeWork(namespace, async () => {
        if (++made === CLAIMS / 2) {
          await cluster.restart('kube-apiserver');
        }
      });
      await settled(namespace);
      expect(run.child.exitCode).toBe(null);
    } finally {
      await end(run);
    }
  }, SUITE_MS);
}, ['kwok', 'kube-controller-manager', 'kube-scheduler']);

function isReady(object: KubeObject): boolean {
  return object.status?.conditions?.some((condition: any) => condition.type === 'Ready' && condition.status === 'True') ?? false;
}

function ownersOf(object: KubeObject): { uid: string }[] {
  return object.metadata.ownerReferences ?? [];
}
