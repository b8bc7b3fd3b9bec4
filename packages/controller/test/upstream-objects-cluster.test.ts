import { ANNOTATION, LABEL, nameHash } from 'agent-sandbox-api';
import type { KubeObject } from '../../../testbed/src/index.js';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { ClusterBench, textOf } from './cluster-bench.js';

const GROUPS = {
  Sandbox: 'agents.x-k8s.io/', SandboxClaim: 'extensions.agents.x-k8s.io/', SandboxTemplate: 'extensions.agents.x-k8s.io/', SandboxWarmPool: 'extensions.agents.x-k8s.io/',
  Pod: '', Service: '', NetworkPolicy: 'networking.k8s.io/',
} as const;
const SPEC = { containers: [{ name: 'main', image: 'image' }] };
const NOW = '2026-01-01T00:00:00Z';
const READY = { type: 'Ready', status: 'True', reason: 'DependenciesReady', message: 'Pod is Ready', lastTransitionTime: NOW };

/** How a version of the original writes what belongs to a claim. */
interface Writing {
  /** Version of the API in objects and owner references. */
  readonly version: 'v1alpha1' | 'v1beta1';
  readonly claim: object;
  readonly claimMetadata?: (sandbox: string) => object;
  readonly claimStatus: (sandbox: string) => object;
  /** Name of the Sandbox of a claim; `pod`: of its Pod. */
  readonly sandbox?: string;
  readonly pod?: string;
  readonly sandboxSpec?: object;
  readonly sandboxLabels?: (claimUid: string) => object;
  readonly sandboxAnnotations?: object;
  /** Whether Sandboxes had a Service without being asked. */
  readonly service?: boolean;
  /** Whether the claim had a policy of its own. */
  readonly policy?: boolean;
}

const POOL_REF = { warmPoolRef: { name: 'pool' } };
const TEMPLATE_REF = { sandboxTemplateRef: { name: 'python' } };
const CLAIMED = (launch: string) => (uid: string) => ({
  [LABEL.claimUid]: uid, [LABEL.launchType]: launch, [LABEL.templateRefHash]: nameHash('python'), [LABEL.createdBy]: 'python-client',
});

const WRITINGS: { readonly [title: string]: Writing } = {
  // `Name` is what the first releases called it: the definitions drop it.
  '0.1, cold': { version: 'v1alpha1', claim: TEMPLATE_REF, claimStatus: name => ({ sandbox: { Name: name } }), sandboxSpec: { replicas: 1 }, service: true, policy: true },
  '0.1, with a Pod of the pool': {
    version: 'v1alpha1', claim: TEMPLATE_REF, claimStatus: name => ({ sandbox: { Name: name } }), pod: 'pool-x7k2p', sandboxSpec: { replicas: 1 },
    sandboxAnnotations: { [ANNOTATION.podName]: 'pool-x7k2p' }, service: true,
  },
  '0.2, warm': {
    version: 'v1alpha1', claim: TEMPLATE_REF, claimStatus: name => ({ sandbox: { name } }), sandbox: 'pool-b8m4q', sandboxSpec: { replicas: 1 },
    claimMetadata: sandbox => ({ labels: { [LABEL.sandboxName]: sandbox } }), service: true,
  },
  '0.4, warm': {
    version: 'v1alpha1', claim: { ...TEMPLATE_REF, warmpool: 'pool' }, claimStatus: name => ({ sandbox: { name, podIPs: ['10.0.0.9'] } }), sandbox: 'pool-c9n5r',
    claimMetadata: sandbox => ({ annotations: { [ANNOTATION.sandboxName]: sandbox } }), sandboxLabels: uid => ({ [LABEL.claimUid]: uid }),
    sandboxAnnotations: { [ANNOTATION.podName]: 'pool-c9n5r', [ANNOTATION.templateRef]: 'python' },
  },
  '0.5, cold': {
    version: 'v1beta1', claim: POOL_REF, claimStatus: name => ({ sandbox: { name } }), sandboxLabels: CLAIMED('cold'),
    sandboxSpec: { operatingMode: 'Running' }, sandboxAnnotations: { [ANNOTATION.templateRef]: 'python' },
    claimMetadata: () => ({ annotations: { [ANNOTATION.controllerFirstObservedAt]: NOW, [ANNOTATION.claimFirstReadyAt]: 'unknown' } }),
  },
  '0.5, warm': {
    version: 'v1beta1', claim: POOL_REF, claimStatus: name => ({ sandbox: { name } }), sandbox: 'pool-d2p6s', sandboxLabels: CLAIMED('warm'),
    claimMetadata: sandbox => ({ annotations: { [ANNOTATION.sandboxName]: sandbox, [ANNOTATION.claimFirstReadyAt]: NOW } }),
    sandboxAnnotations: { [ANNOTATION.podName]: 'pool-d2p6s', [ANNOTATION.templateRef]: 'python' },
  },
  '1.0.12, warm': {
    version: 'v1beta1', claim: { ...POOL_REF, safeToEvict: false }, sandbox: 'pool-e3q7t', sandboxLabels: CLAIMED('warm'), sandboxSpec: { service: true }, service: true,
    claimStatus: name => ({ sandbox: { name, podIPs: ['10.0.0.9'], serviceFQDN: `${name}.x.svc.cluster.local` } }),
    claimMetadata: sandbox => ({ annotations: { [ANNOTATION.sandboxName]: sandbox, [ANNOTATION.clientFirstRequestedAt]: NOW } }),
    sandboxAnnotations: { [ANNOTATION.podName]: 'pool-e3q7t', [ANNOTATION.templateRef]: 'python' },
  },
};

describeWithControlPlane('objects of every version of the original', testbed => {
  const bench = new ClusterBench(testbed, 'move-controller');
  const claimName = (title: string) => `claim-${title.replace(/[^0-9a-z]+/g, '-')}`;
  const sandboxName = (title: string) => WRITINGS[title]!.sandbox ?? claimName(title);

  const write = async (kind: keyof typeof GROUPS, version: string, name: string, metadata: object, spec: object, status?: object): Promise<KubeObject> => {
    const ref = { apiVersion: GROUPS[kind] + version, kind, namespace: bench.namespace, name };
    const created = await bench.admin.create({ apiVersion: ref.apiVersion, kind, metadata: { name, namespace: bench.namespace, ...metadata }, spec });
    return status === undefined ? created : bench.admin.merge(ref, { status }, 'status');
  };

  /** A claim with its Sandbox, Pod, Service and policy, as the original leaves them behind. */
  const leave = async (title: string): Promise<void> => {
    const { version, ...writing } = WRITINGS[title]!;
    const name = sandboxName(title);
    const claim = await write('SandboxClaim', version, claimName(title), writing.claimMetadata?.(name) ?? {}, writing.claim, { conditions: [READY], ...writing.claimStatus(name) });
    const sandbox = await write('Sandbox', version, name, {
      labels: writing.sandboxLabels?.(claim.metadata.uid!), annotations: writing.sandboxAnnotations, ownerReferences: [ownedBy(claim)],
    }, { podTemplate: { spec: SPEC }, ...writing.sandboxSpec }, {
      conditions: [READY], replicas: 1, ...(writing.service ? { service: name, serviceFQDN: `${name}.${bench.namespace}.svc.cluster.local` } : {}),
    });
    const tracked = { labels: { [LABEL.sandboxNameHash]: nameHash(name), ...writing.sandboxLabels?.(claim.metadata.uid!) }, ownerReferences: [ownedBy(sandbox)] };
    await write('Pod', 'v1', writing.pod ?? name, tracked, SPEC);
    if (writing.service) {
      await write('Service', 'v1', name, tracked, { clusterIP: 'None', selector: { [LABEL.sandboxNameHash]: nameHash(name) } });
    }
    if (writing.policy) {
      await write('NetworkPolicy', 'v1', `${claimName(title)}-network-policy`, { ownerReferences: [ownedBy(claim)] }, { podSelector: { matchLabels: { [LABEL.claimUid]: claim.metadata.uid } } });
    }
  };

  const uids = async (): Promise<{ readonly [object: string]: string }> => {
    const lists = await Promise.all(['SandboxClaim', 'Sandbox', 'Pod', 'Service'].map(kind => bench.list(kind)));
    return Object.fromEntries(lists.flat().map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.uid]));
  };
  let before: { readonly [object: string]: string } = {};

  beforeAll(async () => {
    await write('SandboxTemplate', 'v1beta1', 'python', {}, { podTemplate: { spec: SPEC } });
    await write('SandboxWarmPool', 'v1beta1', 'pool', {}, { replicas: 0, sandboxTemplateRef: { name: 'python' } });
    await Promise.all(Object.keys(WRITINGS).map(leave));
    before = await uids();
    await bench.start();
  }, 90_000);
  afterAll(() => bench.end());

  test.each(Object.keys(WRITINGS))('a claim of %s keeps its Sandbox and its Pod, and is ready', async title => {
    await bench.until('SandboxClaim', claimName(title), claim =>
      claim.status?.sandbox?.name === sandboxName(title) && claim.status.sandbox.podIPs?.length > 0 && textOf(claim, 'Ready').startsWith('True'));
    const claim = await bench.get('SandboxClaim', claimName(title));
    expect([textOf(claim, 'UpToDate'), textOf(await bench.get('Sandbox', sandboxName(title)), 'UpToDate')]).toEqual(['', '']);
  });

  test('nothing was made anew or lost, but the policies that claims of the first releases had', async () => {
    expect(await uids()).toEqual(before);
    expect((await bench.list('NetworkPolicy')).map(({ metadata }) => metadata.name)).toEqual(['python-network-policy']);
    expect(bench.problems).toEqual([]);
  });

  test.each(Object.keys(WRITINGS))('the Sandbox of %s suspends, resumes, and ends with its claim', async title => {
    const name = sandboxName(title);
    await bench.merge('Sandbox', name, { spec: { operatingMode: 'Suspended' } });
    await bench.condition('Sandbox', name, 'Suspended', /^True/);
    await bench.merge('Sandbox', name, { spec: { operatingMode: 'Running' } });
    await bench.ready('Sandbox', name);
    await bench.ready('SandboxClaim', claimName(title));
    await bench.admin.delete(bench.ref('SandboxClaim', claimName(title)));
    await bench.admin.waitGone(bench.ref('Sandbox', name), { timeoutMs: 60_000 });
  });

  test.each(['v1beta1', 'v1alpha1'])('V6 fields that no release has are stored through %s, and ignored', async version => {
    const generatedSecrets = [{ name: 'token', length: 32 }];
    const claimDefaults = { lifecycle: { ttlSecondsAfterFinished: 0, shutdownPolicy: 'Delete' } };
    const sandboxFields = {
      podFailurePolicy: 'Recreate', scheduledWakeupTime: NOW,
      autoSuspendPolicy: { suspendThresholdSeconds: 1, idleDetectionStrategies: [{ type: 'Timer', timerConfig: { seconds: 1 } }] },
    };
    const name = `ignored-${version}`;
    await write('SandboxTemplate', version, name, {}, { podTemplate: { spec: SPEC }, generatedSecrets });
    await write('SandboxWarmPool', version, name, {}, { replicas: 1, sandboxTemplateRef: { name }, updateStrategy: { type: 'Recreate' }, claimDefaults });
    await write('SandboxClaim', version, name, {}, { warmPoolRef: { name }, safeToEvict: true });
    await write('Sandbox', version, `${name}-box`, {}, { podTemplate: { spec: SPEC }, ...sandboxFields });
    await bench.ready('SandboxClaim', name);
    const sandbox = await bench.ready('Sandbox', `${name}-box`);
    const pool = await bench.until('SandboxWarmPool', name, ({ status }) => status?.readyReplicas === 1 && status.updatedReplicas === 1);
    expect(sandbox.spec).toMatchObject(sandboxFields);
    expect(pool.spec.claimDefaults).toEqual(claimDefaults);
    expect((await bench.get('SandboxTemplate', name)).spec.generatedSecrets).toEqual(generatedSecrets);
    expect((await bench.get('SandboxClaim', name)).spec.safeToEvict).toBe(true);
  });
}, { requires: ['fakeNodes', 'auditLog'] });

function ownedBy({ apiVersion, kind, metadata: { name, uid } }: KubeObject): object {
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
}
