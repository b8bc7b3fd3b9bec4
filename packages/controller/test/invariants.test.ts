import { LABEL, type Sandbox } from 'agent-sandbox-api';
import fc from 'fast-check';
import { controllerOf } from '../src/object/ownership.js';
import { NAMESPACE, SandboxBench, TRACKED, foreignOwner, pod, sandbox, service, template, reconcileTemplateOnce } from './fixtures.js';
import { Model } from './model.js';

const VOLATILE = new Set(['resourceVersion', 'uid', 'creationTimestamp', 'lastTransitionTime', 'deletionTimestamp', 'generation', 'observedGeneration']);

/** Everything but what differs from run to run: versions, UIDs, times, and the order in which conditions came up. */
function endState(model: Model): unknown {
  return JSON.parse(JSON.stringify(model.all(), (key, value) => (VOLATILE.has(key) ? undefined : key === 'conditions' ? byType(value) : value)));
}

function byType(conditions: readonly { type: string }[]): { type: string }[] {
  return [...conditions].sort((a, b) => (a.type < b.type ? -1 : 1));
}

/** Reconciles until nothing more happens, with kubelet and garbage collector in between. */
function converge(bench: SandboxBench): void {
  for (let i = 0, before = -1; before !== bench.model.revision; i++) {
    before = bench.model.revision;
    bench.settle();
    bench.model.runPods();
    bench.model.collect();
    if (i > 20) {
      throw new Error('no rest');
    }
  }
}

const full = { service: true, volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] };

/** Each prepares a situation and leaves it to the reconciler. */
const SCENARIOS: { [name: string]: (bench: SandboxBench) => void } = {
  create: bench => {
    bench.model.create(sandbox(full));
  },
  adopt: bench => {
    bench.model.create(pod({ name: 'spare', labels: { [LABEL.adoptable]: 'true' } }));
    bench.model.create(service({ labels: TRACKED }));
    bench.model.create({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data-box', namespace: NAMESPACE, labels: TRACKED } });
    bench.model.create(sandbox(full, { annotations: { 'agents.x-k8s.io/pod-name': 'spare' } }));
  },
  suspend: bench => {
    bench.ready(sandbox(full));
    change(bench, { operatingMode: 'Suspended', replicas: 0 });
  },
  resume: bench => {
    bench.model.create(sandbox({ ...full, operatingMode: 'Suspended', replicas: 0 }));
    converge(bench);
    change(bench, { operatingMode: 'Running', replicas: 1 });
  },
  'expire and keep': bench => {
    bench.ready(sandbox({ ...full, shutdownTime: '2026-01-01T00:01:00Z' }));
    bench.model.now += 60_000;
  },
  'expire and delete': bench => {
    bench.ready(sandbox({ ...full, shutdownTime: '2026-01-01T00:01:00Z', shutdownPolicy: 'Delete' }));
    bench.model.now += 60_000;
  },
  'lose the Pod': bench => {
    bench.ready(sandbox(full));
    bench.model.destroy(bench.pod!);
    bench.model.runPods();
  },
  'drop the Service': bench => {
    bench.ready(sandbox(full));
    change(bench, { service: false });
  },
  delete: bench => {
    bench.ready(sandbox(full));
    bench.model.destroy(bench.sandbox);
  },
};

function change(bench: SandboxBench, spec: Partial<Sandbox['spec']>): void {
  bench.model.edit(bench.sandbox, draft => {
    Object.assign(draft.spec, spec);
  });
}

describe.each(Object.keys(SCENARIOS))('a crash while the controller should %s', name => {
  const undisturbed = new SandboxBench();
  SCENARIOS[name]!(undisturbed);
  const from = undisturbed.model.writes.length;
  converge(undisturbed);
  const expected = endState(undisturbed.model);
  const count = undisturbed.model.writes.length - from;

  test.each(['fresh', 'stale'])('after any single write, restarted with a %s cache, leads to the same end', kind => {
    for (let crashAfter = 0; crashAfter <= count; crashAfter++) {
      const bench = new SandboxBench();
      SCENARIOS[name]!(bench);
      const stale = bench.model.snapshot();
      for (let left = crashAfter, pass = 0; left >= 0 && pass < 10; pass++) {
        left -= bench.reconcile({ crashAfter: left }).length + (bench.result === undefined ? 1 : 0);
      }
      bench.memory = undefined;
      if (kind === 'stale') {
        stale.now = bench.model.now;
        bench.reconcile({ cache: stale });
      }
      converge(bench);
      expect(endState(bench.model)).toEqual(expected);
    }
  });
});

/** Things that happen around a Sandbox, in any order. */
type Happening = (bench: SandboxBench, caches: Model[]) => void;

const happenings: { [name: string]: Happening } = {
  pass: bench => {
    bench.reconcile();
  },
  'stale pass': (bench, caches) => {
    const cache = caches.shift();
    if (cache !== undefined) {
      cache.now = bench.model.now;
      bench.reconcile({ cache });
    }
  },
  crash: bench => {
    bench.reconcile({ crashAfter: 1 });
    bench.memory = undefined;
  },
  kubelet: bench => bench.model.runPods(),
  collect: bench => bench.model.collect(),
  suspend: bench => alive(bench) && change(bench, { operatingMode: 'Suspended' }),
  resume: bench => alive(bench) && change(bench, { operatingMode: 'Running' }),
  'want a Service': bench => alive(bench) && change(bench, { service: true }),
  'want no Service': bench => alive(bench) && change(bench, { service: false }),
  'kill the Pod': bench => bench.pod && bench.model.destroy(bench.pod),
  'a user makes a Pod': bench => {
    if (bench.pod === undefined) {
      bench.model.create(pod({ ownerReferences: [foreignOwner()], labels: TRACKED }));
    }
  },
  expire: bench => alive(bench) && change(bench, { shutdownTime: '2026-01-01T00:00:00Z' }),
  'live on': bench => alive(bench) && change(bench, { shutdownTime: '2027-01-01T00:00:00Z' }),
  recreate: bench => {
    if (bench.sandbox) {
      bench.model.destroy(bench.sandbox);
    }
    bench.model.create(sandbox(full));
  },
};

function alive(bench: SandboxBench): boolean {
  return bench.sandbox !== undefined;
}

test('whatever happens: one owner at most, nothing of others is touched, nothing leaks, and it comes to rest', () => {
  fc.assert(fc.property(fc.array(fc.constantFrom(...Object.keys(happenings)), { maxLength: 25 }), names => {
    const bench = new SandboxBench();
    const caches: Model[] = [];
    bench.model.create(sandbox(full));
    let foreign: string | undefined;
    for (const name of names) {
      caches.push(bench.model.snapshot());
      happenings[name]!(bench, caches);
      const theirs = bench.pod !== undefined && controllerOf(bench.pod)?.uid === 'foreign' ? JSON.stringify(bench.pod.metadata.ownerReferences) : undefined;
      if (foreign !== undefined && bench.pod !== undefined && name.endsWith('pass')) {
        expect(theirs).toBe(foreign);
      }
      foreign = theirs;
      for (const object of bench.model.all()) {
        expect(object.metadata.ownerReferences?.filter(({ controller }) => controller).length ?? 0).toBeLessThanOrEqual(1);
      }
      expect(bench.model.list('Pod').filter(candidate => controllerOf(candidate)?.uid === bench.sandbox?.metadata.uid && bench.sandbox !== undefined).length)
        .toBeLessThanOrEqual(1);
    }
    converge(bench);
    expect(bench.reconcile()).toEqual([]);
    const uids = new Set(bench.model.all().map(({ metadata }) => metadata.uid).concat('foreign'));
    for (const object of bench.model.all()) {
      expect(object.metadata.ownerReferences?.every(({ uid }) => uids.has(uid)) ?? true).toBe(true);
    }
    if (bench.sandbox?.spec.operatingMode === 'Suspended') {
      expect(bench.model.list('Pod').filter(candidate => controllerOf(candidate)?.uid === bench.sandbox.metadata.uid)).toEqual([]);
    }
  }), { numRuns: 300 });
});

test('whatever happens to a template: Pods with its hash are never without its policy', () => {
  const steps = ['pass', 'stale', 'collect', 'delete template', 'create template', 'unmanaged', 'managed', 'member', 'member goes'] as const;
  fc.assert(fc.property(fc.array(fc.constantFrom(...steps), { maxLength: 30 }), names => {
    const model = new Model();
    let count = 0;
    let cache = model.snapshot();
    let confined = false;
    const current = () => model.get('SandboxTemplate', NAMESPACE, 'python');
    model.create(template());
    reconcileTemplateOnce(model);
    for (const name of names) {
      const found = current();
      const policy = model.get('NetworkPolicy', NAMESPACE, 'python-network-policy');
      if (name === 'pass') {
        reconcileTemplateOnce(model);
      } else if (name === 'stale') {
        reconcileTemplateOnce(model, cache);
        cache = model.snapshot();
      } else if (name === 'collect') {
        model.collect();
      } else if (name === 'delete template' && found !== undefined) {
        model.destroy(found);
      } else if (name === 'create template' && found === undefined) {
        model.create(template());
      } else if ((name === 'managed' || name === 'unmanaged') && found !== undefined) {
        model.edit(found, draft => {
          draft.spec.networkPolicyManagement = name === 'managed' ? 'Managed' : 'Unmanaged';
        });
      } else if (name === 'member' && policy !== undefined && found !== undefined) {
        // Policy first: members come only when the policy is there. The template has been reconciled with them in view.
        model.create(sandbox({}, { name: `box-${count++}`, labels: policy.metadata.labels! }));
        reconcileTemplateOnce(model);
        cache = model.snapshot();
        confined = true;
      } else if (name === 'member goes') {
        const [last] = model.list('Sandbox');
        if (last !== undefined) {
          model.destroy(last);
          reconcileTemplateOnce(model);
        }
      }
      confined &&= model.list('Sandbox').length > 0;
      if (confined) {
        expect(model.get('NetworkPolicy', NAMESPACE, 'python-network-policy')).toBeDefined();
      }
    }
  }), { numRuns: 300 });
});
