import * as fc from 'fast-check';
import * as api from '../src/index.js';

/** 32-bit FNV-1a by the book: big integers, one modulo per byte. */
function referenceHash(text: string): string {
  let hash = 0x811c9dc5n;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash = ((hash ^ BigInt(byte)) * 0x01000193n) % 2n ** 32n;
  }
  return hash.toString(16).padStart(8, '0');
}

describe('nameHash', () => {
  test.each([
    ['', '811c9dc5'],
    ['a', 'e40c292c'],
    ['pool', '91dd7983'],
    ['my-sandbox', '374de8f5'],
    ['python-pool', 'ed572cc4'],
    ['test-template-custom', '999443e6'],
  ])('of "%s" is %s', (name, hash) => {
    expect(api.nameHash(name)).toBe(hash);
    expect(referenceHash(name)).toBe(hash);
  });

  test('can be the same for two names', () => {
    expect(api.nameHash('browser-prod-team-2151')).toBe('22b058e1');
    expect(api.nameHash('browser-template-team-2200')).toBe('22b058e1');
  });

  test('has leading zeros', () => {
    expect(api.nameHash('box-26')).toBe('00ac6c41');
  });

  test('is 32-bit FNV-1a over the UTF-8 bytes, for every text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), name => {
      expect(api.nameHash(name)).toBe(referenceHash(name));
      expect(api.nameHash(name)).toMatch(/^[0-9a-f]{8}$/);
    }), { numRuns: 500 });
  });

  test.each(['ä', '沙箱', '🏖', 'e\u0301', '\ud800'])('takes %j as UTF-8', name => {
    expect(api.nameHash(name)).toBe(referenceHash(name));
  });
});

test('the groups and versions are these', () => {
  expect([api.GROUP, api.EXTENSIONS_GROUP]).toEqual(['agents.x-k8s.io', 'extensions.agents.x-k8s.io']);
  expect([api.VERSION, api.DEPRECATED_VERSION]).toEqual(['v1beta1', 'v1alpha1']);
});

test('the labels are the ones that other clients know', () => {
  expect(Object.values(api.LABEL).sort()).toEqual([
    'agents.x-k8s.io/adoptable',
    'agents.x-k8s.io/claim-uid',
    'agents.x-k8s.io/created-by',
    'agents.x-k8s.io/launch-type',
    'agents.x-k8s.io/sandbox-name',
    'agents.x-k8s.io/sandbox-name-hash',
    'agents.x-k8s.io/sandbox-pod-template-hash',
    'agents.x-k8s.io/sandbox-template-hash',
    'agents.x-k8s.io/sandbox-template-ref-hash',
    'agents.x-k8s.io/warm-pool-sandbox',
  ]);
  expect(api.LABEL).toMatchObject({
    sandboxNameHash: 'agents.x-k8s.io/sandbox-name-hash',
    warmPool: 'agents.x-k8s.io/warm-pool-sandbox',
    templateRefHash: 'agents.x-k8s.io/sandbox-template-ref-hash',
    templateHash: 'agents.x-k8s.io/sandbox-template-hash',
    podTemplateHash: 'agents.x-k8s.io/sandbox-pod-template-hash',
  });
});

// Left out: keys that no program here reads or writes (`creation-latency-recorded`, and those of the migration script).
test('the annotations are the ones that other clients know, and our own for consent and for what runs', () => {
  expect(Object.values(api.ANNOTATION).sort()).toEqual([
    'agents.x-k8s.io/claim-first-ready-at',
    'agents.x-k8s.io/claim-request',
    'agents.x-k8s.io/claimable-from',
    'agents.x-k8s.io/client-first-requested-at',
    'agents.x-k8s.io/controller-first-observed-at',
    'agents.x-k8s.io/idempotency',
    'agents.x-k8s.io/pod-name',
    'agents.x-k8s.io/pod-spec-hash',
    'agents.x-k8s.io/propagated-annotations',
    'agents.x-k8s.io/propagated-labels',
    'agents.x-k8s.io/requested-by',
    'agents.x-k8s.io/sandbox-name',
    'agents.x-k8s.io/sandbox-pod-template-hash',
    'agents.x-k8s.io/sandbox-template-ref',
    'agents.x-k8s.io/webhook-first-observed-at',
    'cluster-autoscaler.kubernetes.io/safe-to-evict',
    'opentelemetry.io/trace-context',
  ]);
});

test('keys are valid for Kubernetes', () => {
  for (const key of [...Object.values(api.LABEL), ...Object.values(api.ANNOTATION)]) {
    expect(key).toMatch(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\/[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  }
});

test('what the controller keeps for itself on Pods are its own prefixes and the trace context', () => {
  expect(api.RESERVED_PREFIXES).toEqual(['agents.x-k8s.io/', 'extensions.agents.x-k8s.io/']);
  expect(api.RESERVED_ANNOTATIONS).toEqual(['opentelemetry.io/trace-context']);
});

test('label values of ours are the ones that other clients know', () => {
  expect(Object.values(api.LAUNCH_TYPE)).toEqual(['cold', 'warm']);
  expect(Object.values(api.CREATED_BY)).toEqual(['go-client', 'python-client', 'typescript-client', 'controller', 'unknown']);
});

test('condition types and reasons are spelled like their names, as the API server takes them', () => {
  for (const [name, value] of [...Object.entries(api.CONDITION), ...Object.entries(api.REASON)]) {
    expect(value).toBe(name[0].toUpperCase() + name.slice(1));
    expect(value).toMatch(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/);
  }
});

test('names that are made from other names have these parts', () => {
  expect(api.SHADOW_POOL_PREFIX).toBe('shadow-pool-');
  expect(api.NETWORK_POLICY_SUFFIX).toBe('-network-policy');
});

test('the router and the runtime are where network policies expect them', () => {
  expect(api.ROUTER).toEqual({ namespace: 'agent-sandbox-system', labels: { app: 'sandbox-router' }, service: 'sandbox-router-svc' });
  expect(api.RUNTIME_PORT).toBe(8888);
});

test('objects can be typed as they are on the wire', () => {
  const sandbox: api.Sandbox = {
    apiVersion: 'agents.x-k8s.io/v1beta1',
    kind: 'Sandbox',
    metadata: { name: 'my-sandbox', annotations: { [api.ANNOTATION.podName]: 'my-sandbox' } },
    spec: {
      podTemplate: { spec: { containers: [{ name: 'main', resources: { limits: { cpu: '250m', memory: 1 } } }], hostIPC: false } },
      operatingMode: 'Running',
    },
    status: { podIPs: ['10.0.0.1'], selector: `${api.LABEL.sandboxNameHash}=${api.nameHash('my-sandbox')}` },
  };
  // @ts-expect-error the API has no such mode
  sandbox.spec.operatingMode = 'Hibernated';
  // @ts-expect-error fields have their names on the wire
  sandbox.status!.podIps = [];
  expect(sandbox.status!.selector).toBe('agents.x-k8s.io/sandbox-name-hash=374de8f5');
});
