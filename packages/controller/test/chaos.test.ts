import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ANNOTATION, LABEL, nameHash } from 'agent-sandbox-api';
import type { Logger } from 'agent-sandbox-kube';
import { ApiError, ControlPlane, PROJECT_CRDS_DIR, waitFor, type KubeObject } from '../../../testbed/src/index.js';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { controllersOf } from '../src/controllers.js';
import { parseFlags } from '../src/flags.js';
import { runManager } from '../src/shell/manager.js';
import { isPolicyReady } from '../src/template/policy.js';

const SANDBOX = 'agents.x-k8s.io/v1beta1';
const EXTENSIONS = 'extensions.agents.x-k8s.io/v1beta1';
const NETWORKING = 'networking.k8s.io/v1';
const USER = 'chaos-controller';
/** Number of steps and seed, for longer runs than a suite has time for. */
const STEPS = Number(process.env.AGENT_SANDBOX_CHAOS_STEPS ?? 150);
const SEED = Number(process.env.AGENT_SANDBOX_CHAOS_SEED ?? 1);
const SUITE_MS = 600_000;
const IDLE_MS = 10_000;

let state = SEED;
const below = (n: number) => {
  state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
  return Math.floor(state / 2_147_483_648 * n);
};
const pick = <T>(list: readonly T[]): T | undefined => list[below(list.length)];

describeWithPrograms('the controllers under users who do anything', () => {
  let cluster: ControlPlane;
  let namespace: string;
  let controller: { end: () => Promise<void> };
  const silence = () => undefined;
  const silent: Logger & { fatal: Logger['error'] } = { debug: silence, info: silence, warn: silence, error: silence, fatal: silence };

  const start = async () => {
    const { path } = await cluster.kubeconfig({ user: USER, groups: ['system:masters'] });
    const flags = parseFlags([
      `--kubeconfig=${path}`, `--namespaces=${namespace}`, '--leader-elect=false', '--extensions=true', '--metrics-bind-address=0',
      '--health-probe-bind-address=0', '--sandbox-warm-pool-readiness-grace-period=20s',
    ]);
    const stop = new AbortController();
    const running = runManager({ flags, definitions: controllersOf(flags), logger: silent, version: 'test' }, stop.signal);
    return { end: () => (stop.abort(), running) };
  };

  beforeAll(async () => {
    cluster = await ControlPlane.start({ fakeNodes: 1, auditLog: true, crds: [PROJECT_CRDS_DIR] });
    namespace = await cluster.createNamespace('chaos');
    controller = await start();
  }, SUITE_MS);

  afterAll(async () => {
    await controller?.end();
    await cluster?.stop();
  });

  const list = (apiVersion: string, kind: string) => cluster.admin.list(apiVersion, kind, namespace);
  const refTo = ({ apiVersion, kind, metadata: { name } }: KubeObject) => ({ apiVersion: apiVersion!, kind: kind!, namespace, name: name! });
  const meta = (name: string, more: object = {}) => ({ name, namespace, ...more });

  const templateOf = (name: string) => ({
    apiVersion: EXTENSIONS, kind: 'SandboxTemplate', metadata: meta(name),
    spec: { envVarsInjectionPolicy: 'Allowed', podTemplate: { spec: { containers: [{ name: 'main', image: `image:${below(3)}` }] } } },
  });
  const poolOf = (name: string) => ({
    apiVersion: EXTENSIONS, kind: 'SandboxWarmPool', metadata: meta(name),
    spec: { replicas: 4, sandboxTemplateRef: { name: name === 'pool-a' ? 'template-a' : 'template-b' }, updateStrategy: { type: name === 'pool-a' ? 'Recreate' : 'OnReplenish' } },
  });
  let made = 0;
  const soon = () => new Date(Date.now() + below(3000)).toISOString().replace(/\.\d+Z/, 'Z');
  const anyOf = async (apiVersion: string, kind: string) => pick(await list(apiVersion, kind));
  const patchAny = async (apiVersion: string, kind: string, patch: object | ((object: KubeObject) => object)) => {
    const object = await anyOf(apiVersion, kind);
    await (object && cluster.admin.merge(refTo(object), typeof patch === 'function' ? patch(object) : patch));
  };
  const deleteAny = async (apiVersion: string, kind: string, query: { [name: string]: string } = {}) => {
    const object = await anyOf(apiVersion, kind);
    await (object && cluster.admin.delete(refTo(object), query));
  };
  const label = (key: string, value: string | null) => ({ metadata: { labels: { [key]: value } } });
  const annotation = (key: string, value: string | null) => ({ metadata: { annotations: { [key]: value } } });
  const running = { spec: { operatingMode: 'Running', replicas: 1, shutdownTime: null } };

  /** What users do, well or badly. */
  const operations: readonly (readonly [weight: number, what: string, run: () => Promise<unknown>])[] = [
    [30, 'claim', async () => {
      const spec = pick<object>([
        { warmPoolRef: { name: 'pool-a' } }, { warmPoolRef: { name: 'pool-b' } }, { warmPoolRef: { name: 'pool-a' }, env: [{ name: 'A', value: '1' }] },
        { sandboxTemplateRef: { name: 'template-a' } }, { sandboxTemplateRef: { name: 'template-b' }, warmpool: 'default' },
        { warmPoolRef: { name: 'pool-b' }, additionalPodMetadata: { labels: { 'x.sandbox.users.io/a': '1' } } },
        { warmPoolRef: { name: 'pool-a' }, lifecycle: { shutdownTime: soon(), shutdownPolicy: pick(['Delete', 'DeleteForeground', 'Retain']) } },
      ]);
      await cluster.admin.create({ apiVersion: EXTENSIONS, kind: 'SandboxClaim', metadata: meta(`claim-${++made}`), spec });
    }],
    [12, 'delete claim', () => deleteAny(EXTENSIONS, 'SandboxClaim', { propagationPolicy: pick(['Background', 'Foreground', 'Orphan'])! })],
    [5, 'expire claim', () => patchAny(EXTENSIONS, 'SandboxClaim', { spec: { lifecycle: { shutdownTime: soon(), shutdownPolicy: pick(['Delete', 'Retain']) } } })],
    [3, 'claim metadata', () => patchAny(EXTENSIONS, 'SandboxClaim', { spec: { additionalPodMetadata: { labels: { 'x.sandbox.users.io/b': String(below(9)) } } } })],
    [2, 'other pool', () => patchAny(EXTENSIONS, 'SandboxClaim', { spec: { sandboxTemplateRef: null, warmpool: null, warmPoolRef: { name: pick(['pool-a', 'pool-b']) } } })],
    [8, 'scale', () => patchAny(EXTENSIONS, 'SandboxWarmPool', { spec: { replicas: below(7) } })],
    [2, 'strategy', () => patchAny(EXTENSIONS, 'SandboxWarmPool', { spec: { updateStrategy: { type: pick(['Recreate', 'OnReplenish']) } } })],
    [2, 'other template', () => patchAny(EXTENSIONS, 'SandboxWarmPool', { spec: { sandboxTemplateRef: { name: pick(['template-a', 'template-b']) } } })],
    [2, 'delete pool', () => deleteAny(EXTENSIONS, 'SandboxWarmPool', { propagationPolicy: pick(['Background', 'Foreground', 'Orphan'])! })],
    [4, 'make pool', () => cluster.admin.create(poolOf(pick(['pool-a', 'pool-b'])!))],
    [3, 'image', () => patchAny(EXTENSIONS, 'SandboxTemplate', { spec: { podTemplate: { spec: { containers: [{ name: 'main', image: `image:${below(3)}` }] } } } })],
    [3, 'policy', () => patchAny(EXTENSIONS, 'SandboxTemplate', { spec: { networkPolicy: pick([null, { egress: [] }, { ingress: [{}] }]) } })],
    [2, 'management', () => patchAny(EXTENSIONS, 'SandboxTemplate', { spec: { networkPolicyManagement: pick(['Managed', 'Unmanaged']) } })],
    [2, 'delete template', () => deleteAny(EXTENSIONS, 'SandboxTemplate')],
    [5, 'make template', () => cluster.admin.create(templateOf(pick(['template-a', 'template-b'])!))],
    [8, 'delete Sandbox', () => deleteAny(SANDBOX, 'Sandbox', { propagationPolicy: pick(['Background', 'Foreground', 'Orphan'])! })],
    [4, 'suspend', () => patchAny(SANDBOX, 'Sandbox', { spec: { operatingMode: 'Suspended', replicas: 0 } })],
    [6, 'resume', () => patchAny(SANDBOX, 'Sandbox', running)],
    [2, 'expire Sandbox', () => patchAny(SANDBOX, 'Sandbox', { spec: { shutdownTime: soon() } })],
    [2, 'Service', () => patchAny(SANDBOX, 'Sandbox', { spec: { service: pick([true, false, null]) } })],
    [6, 'labels of a Sandbox', () => patchAny(SANDBOX, 'Sandbox', label(
      pick([LABEL.warmPool, LABEL.claimUid, LABEL.launchType, LABEL.createdBy, LABEL.templateHash])!, pick([null, 'x']) ?? null))],
    [2, 'owner of a Sandbox', () => patchAny(SANDBOX, 'Sandbox', { metadata: { ownerReferences: [] } })],
    [3, 'Pod of a Sandbox', () => patchAny(SANDBOX, 'Sandbox', annotation(ANNOTATION.podName, pick([null, 'nothing', 'obstacle']) ?? null))],
    [10, 'delete Pod', () => deleteAny('v1', 'Pod', { gracePeriodSeconds: pick(['0', '1'])! })],
    [6, 'labels of a Pod', () => patchAny('v1', 'Pod', pick([
      label(LABEL.templateRefHash, null), label(LABEL.sandboxNameHash, null), label(LABEL.sandboxNameHash, 'x'), label(LABEL.warmPool, 'x'), label('free', 'x'),
    ])!)],
    [3, 'annotations of a Pod', () => patchAny('v1', 'Pod', annotation(pick([ANNOTATION.propagatedLabels, ANNOTATION.propagatedAnnotations])!, pick([null, 'a,,b', 'free']) ?? null))],
    [2, 'owner of a Pod', () => patchAny('v1', 'Pod', { metadata: { ownerReferences: [] } })],
    [3, 'delete policy', () => deleteAny(NETWORKING, 'NetworkPolicy')],
    [3, 'edit policy', () => patchAny(NETWORKING, 'NetworkPolicy', { spec: { ingress: [{}], egress: [{}] } })],
    [2, 'labels of a policy', () => patchAny(NETWORKING, 'NetworkPolicy', label(LABEL.templateRefHash, pick([null, 'x']) ?? null))],
    [2, 'owners of a policy', () => patchAny(NETWORKING, 'NetworkPolicy', { metadata: { ownerReferences: [] } })],
    [3, 'bare Sandbox', () => cluster.admin.create({
      apiVersion: SANDBOX, kind: 'Sandbox', metadata: meta(`bare-${++made}`), spec: { service: true, podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } } },
    })],
    [2, 'delete Service', () => deleteAny('v1', 'Service')],
    [2, 'owner of a Service', () => patchAny('v1', 'Service', { metadata: { ownerReferences: [] } })],
    [1, 'obstacle', () => cluster.admin.create({ apiVersion: 'v1', kind: 'Pod', metadata: meta('obstacle'), spec: { containers: [{ name: 'main', image: 'image' }] } })],
    [2, 'restart', async () => {
      await controller.end();
      controller = await start();
    }],
  ];
  const bag = operations.flatMap(operation => Array<typeof operation>(operation[0]).fill(operation));

  test('everything comes to rest, and nothing is lost, shared or left over', async () => {
    for (let i = 0; i < STEPS; i++) {
      const [, , run] = pick(bag)!;
      await run().catch((error: unknown) => {
        // What the server refuses, users cannot do; what is gone is gone.
        if (!(error instanceof ApiError)) {
          throw error;
        }
      });
    }
    await mend();
    await settled();
    await idle();
  }, SUITE_MS);

  /** Removes obstacles that controllers may not remove: objects without owner under names that are needed, suspended Sandboxes. */
  async function mend(): Promise<void> {
    for (const name of ['a', 'b']) {
      for (const object of [templateOf(`template-${name}`), poolOf(`pool-${name}`)]) {
        await cluster.admin.create(object).catch(() => undefined);
      }
      await cluster.admin.merge(refTo(templateOf(`template-${name}`) as KubeObject), { spec: { networkPolicyManagement: 'Managed' } });
    }
    await waitFor(async () => {
      const boxes = await list(SANDBOX, 'Sandbox');
      for (const box of boxes.filter(({ spec }) => spec.operatingMode === 'Suspended' || spec.replicas === 0 || spec.shutdownTime)) {
        await cluster.admin.merge(refTo(box), running).catch(() => undefined);
      }
      const obstacles = [
        ...await list('v1', 'Pod'), ...await list(NETWORKING, 'NetworkPolicy'), ...await list('v1', 'Service'), ...boxes.filter(({ metadata: { name } }) => name!.startsWith('claim-')),
      ]
        .filter(({ metadata }) => !metadata.deletionTimestamp && controllerOf(metadata) === undefined && !metadata.ownerReferences?.length);
      for (const object of obstacles) {
        await cluster.admin.delete(refTo(object)).catch(() => undefined);
      }
      return obstacles.length === 0;
    }, { what: 'obstacles to go', timeoutMs: 60_000, intervalMs: 500 });
  }

  /** What is wrong now. */
  async function problems(): Promise<string[]> {
    const [claims, pools, templates, boxes, pods, policies] = await Promise.all([
      list(EXTENSIONS, 'SandboxClaim'), list(EXTENSIONS, 'SandboxWarmPool'), list(EXTENSIONS, 'SandboxTemplate'), list(SANDBOX, 'Sandbox'), list('v1', 'Pod'),
      list(NETWORKING, 'NetworkPolicy'),
    ]);
    const found: string[] = [];
    const check = (holds: boolean, problem: () => string) => void (holds || found.push(problem()));
    for (const claim of claims) {
      const { name, uid } = claim.metadata;
      const mine = boxes.filter(box => controllerOf(box.metadata)?.uid === uid);
      const ready = conditionOf(claim, 'Ready');
      if (ready?.reason === 'ClaimExpired') {
        check(mine.length === 0, () => `claim ${name} has expired and owns ${mine.length} Sandboxes`);
      } else {
        check(mine.length === 1 && claim.status?.sandbox?.name === mine[0]!.metadata.name, () => `claim ${name} owns ${mine.map(({ metadata }) => metadata.name)}: ${JSON.stringify(claim.status)}`);
        check(ready?.status === 'True', () => `claim ${name} is not ready: ${JSON.stringify(ready)}`);
      }
    }
    for (const pool of pools) {
      const { name, uid } = pool.metadata;
      const mine = boxes.filter(box => controllerOf(box.metadata)?.uid === uid);
      check(mine.length === pool.spec.replicas && (pool.status?.readyReplicas ?? 0) === mine.length, () => `pool ${name} wants ${pool.spec.replicas} and owns ${mine.length}: ${JSON.stringify(pool.status)}`);
    }
    for (const box of boxes) {
      const { name, uid } = box.metadata;
      const mine = pods.filter(pod => controllerOf(pod.metadata)?.uid === uid);
      check(mine.length === 1 && conditionOf(box, 'Ready')?.status === 'True', () => `Sandbox ${name} has ${mine.length} Pods: ${JSON.stringify(conditionOf(box, 'Ready'))}`);
    }
    for (const pod of pods) {
      check(boxes.some(({ metadata: { uid } }) => uid === controllerOf(pod.metadata)?.uid), () => `Pod ${pod.metadata.name} has no owner`);
      const hash = pod.metadata.labels?.[LABEL.templateRefHash];
      check(hash === undefined || policies.some(({ spec }) => spec.podSelector.matchLabels?.[LABEL.templateRefHash] === hash), () => `Pod ${pod.metadata.name} has no policy`);
    }
    for (const template of templates) {
      const policy = policies.find(({ metadata: { name } }) => name === `${template.metadata.name}-network-policy`);
      check(isPolicyReady(template as never, policy as never), () => `the policy of ${template.metadata.name} is not as it should be: ${JSON.stringify(policy)}`);
      check(template.metadata.labels?.[LABEL.templateRefHash] === nameHash(template.metadata.name!), () => `template ${template.metadata.name} has no hash`);
    }
    return found;
  }

  async function settled(): Promise<void> {
    let seen: string[] = [];
    await waitFor(async () => {
      seen = await problems();
      return seen.length === 0;
    }, { what: 'everything to settle', timeoutMs: 180_000, intervalMs: 500, lastSeen: () => seen.join('\n') });
  }

  /** A controller that has nothing to do writes nothing. */
  async function idle(): Promise<void> {
    const begin = Date.now();
    let seen: string[] = [];
    await waitFor(async () => {
      const since = new Date(Date.now() - IDLE_MS);
      const writes = await cluster.auditLog.find({ user: USER, namespace, writes: true, since });
      seen = writes.map(({ verb, resource, name }) => `${verb} ${resource} ${name}`);
      return since.getTime() >= begin && writes.every(({ resource }) => resource === 'events');
    }, { what: 'the controllers to have nothing to do', timeoutMs: 90_000, intervalMs: 500, lastSeen: () => seen.join('\n') });
    expect(await problems()).toEqual([]);
  }
}, ['kwok', 'kube-controller-manager', 'kube-scheduler']);

function controllerOf(metadata: KubeObject['metadata']): { uid: string } | undefined {
  return metadata.ownerReferences?.find(({ controller }: { controller?: boolean }) => controller);
}

function conditionOf(object: KubeObject, type: string): { status: string; reason: string } | undefined {
  return object.status?.conditions?.find((condition: { type: string }) => condition.type === type);
}
