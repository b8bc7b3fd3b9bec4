import {
  CONDITION, type Condition, LABEL, type Sandbox, type SandboxSpec, type SandboxTemplate, type SandboxTemplateSpec, type SandboxWarmPool,
  type SandboxWarmPoolSpec, definedOnly,
} from 'agent-sandbox-api';
import { memberObject } from '../src/blueprint/member.js';
import { controllerReference, ownershipOf } from '../src/object/ownership.js';
import { timestamp } from '../src/object/time.js';
import type { ReconcileResult } from '../src/reconcile/run-plan.js';
import type { KubeObject } from '../src/object/metadata.js';
import { refOf, type FailureReason, type Request } from '../src/reconcile/plan.js';
import { observePool } from '../src/pool/observe.js';
import type { PoolMemory, PoolOptions } from '../src/pool/observed.js';
import { reconcilePool } from '../src/pool/reconcile.js';
import { NAMESPACE, pool, summary, template, reconcileTemplateOnce } from './fixtures.js';
import { API_VERSION, Model, reconcileInModel } from './model.js';

export const POOL_OPTIONS: PoolOptions = {
  batchSize: 300, replenishDelayMs: 0, refillRate: 0, graceMs: 300_000, recheckMs: 60_000, maxReplicas: 0, progressDeadlineMs: 600_000, statusWindowMs: 0,
  evictable: true,
};

export interface PoolPass {
  readonly options?: Partial<PoolOptions>;
  /** A cache that lags. Like the real one it shows the writes of this process at once. */
  readonly cache?: Model;
  readonly crashAfter?: number;
  readonly name?: string;
}

/** A model with a template, its policy, and the memory of a pool controller. */
export class PoolBench {
  public readonly model = new Model();
  public memory: PoolMemory | undefined;
  public result: ReconcileResult | undefined;
  public options: Partial<PoolOptions> = {};
  /** How far the clock of the controller is ahead of the server's, in milliseconds. */
  public skewMs = 0;
  /** Who takes Sandboxes. */
  public readonly claimant = this.model.create<KubeObject>({ apiVersion: API_VERSION.extensions, kind: 'SandboxClaim', metadata: { name: 'claim', namespace: NAMESPACE } });
  private draws = 0;

  constructor(spec: Partial<SandboxWarmPoolSpec> | undefined = undefined, options: Partial<PoolOptions> = {}) {
    this.options = options;
    this.model.create(template());
    reconcileTemplateOnce(this.model);
    if (spec !== undefined) {
      this.model.create(pool(spec));
    }
  }

  /** One pass over the pool; returns its requests. */
  public reconcile({ options, cache = this.model, crashAfter, name = 'pool' }: PoolPass = {}): Request[] {
    const from = this.model.writes.length;
    cache.now = this.model.now;
    const observed = observePool(cache, NAMESPACE, name, n => (Math.imul(++this.draws, 0x9e3779b1) >>> 8) % n, {
      now: this.model.now + this.skewMs,
      monotonic: this.model.now,
      options: { ...POOL_OPTIONS, ...this.options, ...options },
      ...definedOnly({ memory: this.memory }),
    });
    this.result = observed === undefined ? undefined : reconcileInModel(reconcilePool(observed), this.model, {
      ...definedOnly({ crashAfter }),
      remember: memory => {
        this.memory = memory ?? undefined;
      },
    });
    const writes = this.model.writes.slice(from);
    if (cache !== this.model) {
      writes.forEach(request => {
        if (request.op !== 'event' && request.op !== 'list' && request.op !== 'measure') {
          cache.mirror(this.model, 'target' in request ? request.target : refOf(request.object));
        }
      });
    }
    return writes;
  }

  /** What a pass sent: `create Sandbox` and so on, counted: `create Sandbox ×3`. */
  public sent(pass: PoolPass = {}): string[] {
    const counts = new Map<string, number>();
    summary(this.reconcile(pass)).forEach(line => counts.set(line, (counts.get(line) ?? 0) + 1));
    return [...counts].map(([line, count]) => (count === 1 ? line : `${line} ×${count}`));
  }

  /** Time passes. */
  public wait(ms: number): this {
    this.model.now += ms;
    return this;
  }

  public get pool(): SandboxWarmPool {
    return this.model.get('SandboxWarmPool', NAMESPACE, 'pool')!;
  }

  /** The Sandboxes that the pool controls. */
  public get members(): Sandbox[] {
    return this.model.list('Sandbox').filter(sandbox => this.pool !== undefined && ownershipOf(sandbox, this.pool) === 'own');
  }

  /** Sets the Ready condition of Sandboxes. */
  public tell(sandboxes: readonly Sandbox[], status: Condition['status'], reason = 'DependenciesReady', message = ''): void {
    for (const sandbox of sandboxes) {
      this.model.edit(sandbox, draft => {
        const before = draft.status?.conditions?.find(({ type }) => type === CONDITION.ready);
        const lastTransitionTime = before?.status === status ? before.lastTransitionTime : timestamp(this.model.now);
        draft.status = { ...draft.status, conditions: [{ type: CONDITION.ready, status, reason, message, lastTransitionTime }] };
      });
    }
  }

  /** Makes all Sandboxes of the pool ready. */
  public ready(): this {
    this.tell(this.members, 'True');
    return this;
  }

  /** A pool with all its Sandboxes ready, and its status written. */
  public filled(): this {
    this.reconcile();
    this.ready();
    this.reconcile();
    return this;
  }

  /** A claim takes a Sandbox. */
  public claim(sandbox: Sandbox | undefined = this.members[0]): void {
    this.model.edit(sandbox!, draft => {
      delete draft.metadata.labels![LABEL.warmPool];
      draft.metadata.ownerReferences = [controllerReference(this.claimant)];
    });
  }

  /** A Sandbox like one of the pool's, without controller. */
  public orphan(spec: Partial<SandboxSpec> = {}, name = 'orphan'): Sandbox {
    return this.orphanOf(this.model.get('SandboxTemplate', NAMESPACE, 'python')!, spec, name);
  }

  public orphanOf(from: SandboxTemplate, spec: Partial<SandboxSpec> = {}, name = 'orphan'): Sandbox {
    const made = memberObject(this.pool, from, { name, evictable: true });
    return this.model.create({ ...made, metadata: { ...made.metadata, ownerReferences: [] }, spec: { ...made.spec, ...spec } });
  }

  /** The template changes, and its policy with it. */
  public retemplate(change: Partial<SandboxTemplateSpec>): void {
    this.model.edit(this.model.get('SandboxTemplate', NAMESPACE, 'python')!, draft => {
      Object.assign(draft.spec, change);
    });
    reconcileTemplateOnce(this.model);
  }

  public respec(change: Partial<SandboxWarmPoolSpec>): void {
    this.model.edit(this.pool, draft => {
      Object.assign(draft.spec, change);
    });
  }

  /** Requests that match fail. */
  public refuse(matches: (request: Request) => boolean, reason: FailureReason = 'Forbidden', message = 'refused'): void {
    this.model.intercept = request => (matches(request) ? { reason, message } : undefined);
  }

  /** `Type=Status/Reason: message` of a condition of the pool. */
  public condition(type: string): string | undefined {
    const found = this.pool.status?.conditions?.find(condition => condition.type === type);
    return found && `${found.status}/${found.reason}: ${found.message}`;
  }

  public errors(): string[] {
    return (this.result?.errors ?? []).map(({ message }) => message);
  }
}

/** A change of image, which makes Sandboxes stale. */
export function image(name: string): Pick<SandboxTemplateSpec, 'podTemplate'> {
  return { podTemplate: { spec: { containers: [{ name: 'main', image: name }] } } };
}
