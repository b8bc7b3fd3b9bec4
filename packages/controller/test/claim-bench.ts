import {
  type Condition, type ObjectMeta, type Sandbox, type SandboxClaim, type SandboxClaimSpec, type SandboxStatus, type SandboxTemplate, definedOnly,
  nameHash,
} from 'agent-sandbox-api';
import { memberObject } from '../src/blueprint/member.js';
import { observeClaim } from '../src/claim/observe.js';
import type { ClaimMemory, ClaimOptions } from '../src/claim/observed.js';
import { reconcileClaim } from '../src/claim/reconcile.js';
import { WarmQueue } from '../src/claim/warm-queue.js';
import type { ReconcileResult } from '../src/reconcile/run-plan.js';
import type { Plan, Request } from '../src/reconcile/plan.js';
import { NAMESPACE, pool, template, reconcileTemplateOnce } from './fixtures.js';
import { API_VERSION, Model, reconcileInModel, settle } from './model.js';

export const CLAIM_OPTIONS: ClaimOptions = { labelDomains: ['sandbox.users.io'], annotate: false, statusSettleMs: 0 };

/** A claim named `claim` on the pool `pool`. */
export function claim(spec: Partial<SandboxClaimSpec> = {}, metadata: Partial<ObjectMeta> = {}): SandboxClaim {
  const target = spec.sandboxTemplateRef === undefined ? { warmPoolRef: { name: 'pool' } } : {};
  return { apiVersion: API_VERSION.extensions as never, kind: 'SandboxClaim', metadata: { name: 'claim', namespace: NAMESPACE, ...metadata }, spec: { ...target, ...spec } };
}

/** The status of a Sandbox whose Pod runs, ready or not. */
export function running(ready = true, nodeName = 'node-1', podIPs: string[] = ['10.0.0.1']): SandboxStatus {
  return { conditions: [readyCondition(ready)], podIPs, nodeName, replicas: 1 };
}

export function readyCondition(ready: boolean): Condition {
  return {
    type: 'Ready', status: ready ? 'True' : 'False', reason: ready ? 'DependenciesReady' : 'DependenciesNotReady', message: ready ? 'Pod is Ready' : 'Pod is Running but not Ready',
    lastTransitionTime: '2025-12-31T23:00:00Z', observedGeneration: 1,
  };
}

export interface ClaimPass {
  readonly options?: Partial<ClaimOptions>;
  /** Stale cache; the queue of idle Sandboxes is rebuilt from it, as after a restart. */
  readonly cache?: Model;
  readonly crashAfter?: number;
  readonly firstSeen?: number;
}

/** A model with the memory of a claim controller: runs passes and tells what they wrote. */
export class ClaimBench {
  public memories = new Map<string, ClaimMemory>();
  public queue = new WarmQueue();
  public result: ReconcileResult | undefined;
  private seen = new Map<string, Sandbox>();

  /** A template with its policy, and a pool of it; with a model that exists, another process that works on it. */
  constructor(templateSpec: Partial<SandboxTemplate['spec']> = {}, poolSpec: Parameters<typeof pool>[0] = {}, public readonly model = new Model()) {
    if (this.model.get('SandboxTemplate', NAMESPACE, 'python') !== undefined) {
      return;
    }
    this.model.create(template(templateSpec));
    reconcileTemplateOnce(this.model);
    this.model.create(pool(poolSpec));
  }

  /** A member of the pool, ready unless another status is given. */
  public member(name: string, status: SandboxStatus = running(), change: (sandbox: Sandbox) => void = () => undefined): Sandbox {
    const object = structuredClone(memberObject(this.model.get('SandboxWarmPool', NAMESPACE, 'pool')!, this.template, { name, evictable: true }));
    change(object);
    return this.model.create({ ...object, status });
  }

  /** Starts a pass: what it will do, with its candidate reserved. */
  public begin(name = 'claim', { options, cache = this.model, firstSeen }: ClaimPass = {}): Plan<ClaimMemory> | undefined {
    this.sync(cache);
    const memory = this.memories.get(name);
    const observed = observeClaim(cache, this.queue, NAMESPACE, name, {
      now: this.model.now,
      monotonic: this.model.now,
      options: { ...CLAIM_OPTIONS, ...options },
      ...definedOnly({ memory, firstSeen }),
    });
    if (observed === undefined) {
      this.remember(name, null);
      return undefined;
    }
    const plan = reconcileClaim(observed);
    if (plan.memory !== undefined) {
      this.remember(name, plan.memory);
    }
    return plan;
  }

  /** One pass over a claim; returns its requests. */
  public reconcile(name = 'claim', pass: ClaimPass = {}): Request[] {
    const from = this.model.writes.length;
    if (pass.cache !== undefined) {
      this.restart();
    }
    const plan = this.begin(name, pass);
    this.result = plan && reconcileInModel(plan, this.model, {
      ...definedOnly({ crashAfter: pass.crashAfter }),
      remember: memory => this.remember(name, memory),
    });
    if (pass.cache !== undefined) {
      this.restart();
    }
    return this.model.writes.slice(from);
  }

  /** Passes over a claim until one writes nothing. */
  public settle(name = 'claim', pass: ClaimPass = {}): void {
    settle(() => ({ requests: this.reconcile(name, pass), result: this.result }));
  }

  /** What a restart loses. */
  public restart(): void {
    this.memories = new Map();
    this.queue = new WarmQueue();
    this.seen = new Map();
  }

  public remember(name: string, memory: ClaimMemory | null): void {
    if (memory === null) {
      this.memories.delete(name);
    } else {
      this.memories.set(name, memory);
    }
    this.queue.note(`${NAMESPACE}/${name}`, memory ?? {});
  }

  public get template(): SandboxTemplate {
    return this.model.get('SandboxTemplate', NAMESPACE, 'python')!;
  }

  public get claim(): SandboxClaim {
    return this.model.get('SandboxClaim', NAMESPACE, 'claim')!;
  }

  public sandbox(name = 'claim'): Sandbox | undefined {
    return this.model.get('Sandbox', NAMESPACE, name);
  }

  /** `Status/Reason: message` of a condition of the claim. */
  public condition(type = 'Ready'): string | undefined {
    const found = this.claim.status?.conditions?.find(condition => condition.type === type);
    return found && `${found.status}/${found.reason}: ${found.message}`;
  }

  public errors(): string[] {
    return (this.result?.errors ?? []).map(({ message }) => message);
  }

  public events(): string[] {
    return this.model.events.map(({ reason, note }) => `${reason}: ${note}`);
  }

  /** Tells the queue what the cache says. */
  private sync(cache: Model): void {
    const current = new Map(cache.list('Sandbox').map(sandbox => [sandbox.metadata.name!, sandbox]));
    for (const [name, before] of this.seen) {
      if (!current.has(name)) {
        this.queue.observe({ before });
      }
    }
    for (const [name, after] of current) {
      const before = this.seen.get(name);
      if (before !== after) {
        this.queue.observe({ ...definedOnly({ before }), after });
      }
    }
    this.seen = current;
  }
}

export const TEMPLATE_HASH = nameHash('python');
