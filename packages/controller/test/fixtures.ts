import {
  LABEL, type ObjectMeta, type Sandbox, type SandboxSpec, type SandboxTemplate, type SandboxTemplateSpec, type SandboxWarmPool,
  type SandboxWarmPoolSpec, definedOnly, nameHash, type PodStatus, type Service,
} from 'agent-sandbox-api';
import type { CachedPod } from '../src/reconcile/cached-pod.js';
import type { ReconcileResult } from '../src/reconcile/run-plan.js';
import type { Request } from '../src/reconcile/plan.js';
import { observeSandbox } from '../src/sandbox/observe.js';
import type { SandboxMemory, SandboxOptions } from '../src/sandbox/observed.js';
import { reconcileSandbox } from '../src/sandbox/reconcile.js';
import { observeTemplate } from '../src/template/observe.js';
import { reconcileTemplate } from '../src/template/reconcile.js';
import { API_VERSION, Model, reconcileInModel, settle } from './model.js';

export const NAMESPACE = 'agents';
export const HASH = nameHash('box');

export const OPTIONS: SandboxOptions = { clusterDomain: 'cluster.local', writeBehindMs: 0, statusSettleMs: 0 };

/** A Sandbox named `box` of one container. */
export function sandbox(spec: Partial<SandboxSpec> = {}, metadata: Partial<ObjectMeta> = {}): Sandbox {
  return {
    apiVersion: API_VERSION.sandbox,
    kind: 'Sandbox',
    metadata: { name: 'box', namespace: NAMESPACE, ...metadata },
    spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, ...spec },
  };
}

export function template(spec: Partial<SandboxTemplateSpec> = {}, metadata: Partial<ObjectMeta> = {}): SandboxTemplate {
  return {
    apiVersion: API_VERSION.extensions,
    kind: 'SandboxTemplate',
    metadata: { name: 'python', namespace: NAMESPACE, ...metadata },
    spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, ...spec },
  };
}

/** A pool named `pool` of the template `python`. */
export function pool(spec: Partial<SandboxWarmPoolSpec> = {}, metadata: Partial<ObjectMeta> = {}): SandboxWarmPool {
  return {
    apiVersion: API_VERSION.extensions,
    kind: 'SandboxWarmPool',
    metadata: { name: 'pool', namespace: NAMESPACE, ...metadata },
    spec: { sandboxTemplateRef: { name: 'python' }, ...spec },
  };
}

/** A Pod named `box`, unowned. */
export function pod(metadata: Partial<ObjectMeta> = {}, status: PodStatus = { phase: 'Pending' }): CachedPod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'box', namespace: NAMESPACE, ...metadata }, status };
}

/** A headless Service named `box`, unowned. */
export function service(metadata: Partial<ObjectMeta> = {}, spec: Service['spec'] = { clusterIP: 'None' }): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'box', namespace: NAMESPACE, ...metadata }, spec };
}

/** The labels that mark an object as the Sandbox `box`'s. */
export const TRACKED = { [LABEL.sandboxNameHash]: HASH };

/** A controller reference to an object that is not there. */
export function foreignOwner(kind = 'Deployment', apiVersion = 'apps/v1') {
  return { apiVersion, kind, name: 'other', uid: 'foreign', controller: true, blockOwnerDeletion: true };
}

/** What to run a pass with, where it is not the usual. */
export interface Pass {
  readonly options?: Partial<SandboxOptions>;
  /** Stale cache. */
  readonly cache?: Model;
  readonly crashAfter?: number;
  readonly name?: string;
}

/** A model with the memory of a Sandbox controller: runs passes and tells what they wrote. */
export class SandboxBench {
  public readonly model = new Model();
  public memory: SandboxMemory | undefined;
  public result: ReconcileResult | undefined;

  /** One pass over the Sandbox; returns its requests. */
  public reconcile({ options, cache = this.model, crashAfter, name = 'box' }: Pass = {}): Request[] {
    const from = this.model.writes.length;
    const observed = observeSandbox(cache, NAMESPACE, name, {
      now: this.model.now,
      monotonic: this.model.now,
      options: { ...OPTIONS, ...options },
      ...definedOnly({ memory: this.memory }),
    });
    this.result = observed === undefined ? undefined : reconcileInModel(reconcileSandbox(observed), this.model, {
      ...definedOnly({ crashAfter }),
      remember: memory => {
        this.memory = memory ?? undefined;
      },
    });
    return this.model.writes.slice(from);
  }

  /** Passes until one writes nothing. */
  public settle(pass: Pass = {}): void {
    settle(() => ({ requests: this.reconcile(pass), result: this.result }));
  }

  /** Creates a Sandbox and brings it to readiness. */
  public ready(object: Sandbox = sandbox()): this {
    this.model.create(object);
    this.settle();
    this.model.runPods();
    this.settle();
    return this;
  }

  public get sandbox(): Sandbox {
    return this.model.get('Sandbox', NAMESPACE, 'box')!;
  }

  public get pod(): CachedPod | undefined {
    return this.model.get('Pod', NAMESPACE, 'box');
  }

  public get service(): Service | undefined {
    return this.model.get('Service', NAMESPACE, 'box');
  }

  /** `Type=Status/Reason: message` of a condition. */
  public condition(type: string): string | undefined {
    const found = this.sandbox.status?.conditions?.find(condition => condition.type === type);
    return found && `${found.status}/${found.reason}: ${found.message}`;
  }

  public errors(): string[] {
    return (this.result?.errors ?? []).map(({ message }) => message);
  }
}

/** One pass over the template `python`; returns its requests and result. */
export function reconcileTemplateOnce(model: Model, cache: Model = model, name = 'python'): { writes: Request[]; result: ReconcileResult } {
  const from = model.writes.length;
  const result = reconcileInModel(reconcileTemplate(observeTemplate(cache, NAMESPACE, name, { now: model.now, monotonic: model.now })), model)!;
  return { writes: model.writes.slice(from), result };
}

/** `op kind` of requests, in order. */
export function summary(requests: readonly Request[]): string[] {
  return requests.map(request => {
    switch (request.op) {
      case 'create':
      case 'update':
        return `${request.op} ${request.object.kind}`;
      case 'event':
        return `event ${request.reason}`;
      case 'list':
        return `list ${request.target.kind}`;
      case 'measure':
        return `measure ${request.metric}`;
      default:
        return `${request.op} ${request.target.kind}${request.op === 'patch' && request.subresource ? '/status' : ''}`;
    }
  });
}
