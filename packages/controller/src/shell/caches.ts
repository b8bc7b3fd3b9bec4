import {
  type KubeObject as WireObject, LABEL, NETWORK_POLICIES, PERSISTENT_VOLUME_CLAIMS, PODS, POD_EVENTS, type Resource, SANDBOXES, SANDBOX_CLAIMS,
  SANDBOX_TEMPLATES, SANDBOX_WARM_POOLS, SERVICES, definedOnly,
} from 'agent-sandbox-api';
import { Informer, type Cluster, type InformerMetrics, type Writer } from 'agent-sandbox-kube';
import { isDeleting, type KubeObject } from '../object/metadata.js';
import { controllerOf } from '../object/ownership.js';
import { INDEXES, type Cache, type IndexOf, type Kind, type Kinds } from '../reconcile/cache.js';
import type { Change } from '../reconcile/definition.js';
import { trims } from '../reconcile/trim.js';

/** The API resources of the kinds. */
export const RESOURCES: { readonly [K in Kind]: Resource<any> } = {
  Sandbox: SANDBOXES,
  SandboxTemplate: SANDBOX_TEMPLATES,
  SandboxClaim: SANDBOX_CLAIMS,
  SandboxWarmPool: SANDBOX_WARM_POOLS,
  Pod: PODS,
  Service: SERVICES,
  PersistentVolumeClaim: PERSISTENT_VOLUME_CLAIMS,
  NetworkPolicy: NETWORK_POLICIES,
  PodSandboxFailure: POD_EVENTS,
  PodMountFailure: POD_EVENTS,
};

/** Which objects of a resource are of a kind: of Events, the API server sends those only that tell why a Pod does not start. */
const FIELDS: { readonly [K in Kind]?: string } = {
  PodSandboxFailure: 'involvedObject.kind=Pod,reason=FailedCreatePodSandBox',
  PodMountFailure: 'involvedObject.kind=Pod,reason=FailedMount',
};

export interface CachesOptions {
  readonly cluster: Cluster;
  readonly kinds: readonly Kind[];
  /** Absent: the whole cluster. */
  readonly namespaces?: readonly string[];
  /** Whether Pods and Services without the label of a Sandbox are left out. */
  readonly labelledOnly: boolean;
  readonly metrics: InformerMetrics;
}

/** The caches of all kinds that the reconcilers read, kept up to date by list and watch and by our own writes. */
export class Caches implements Cache {
  private readonly informers = new Map<Kind, Informer<WireObject>>();

  constructor({ cluster, kinds, namespaces, labelledOnly, metrics }: CachesOptions) {
    const trim = trims();
    for (const kind of new Set(kinds)) {
      this.informers.set(kind, new Informer<WireObject>(cluster, RESOURCES[kind], {
        ...definedOnly({ namespaces }),
        ...(labelledOnly && (kind === 'Pod' || kind === 'Service') ? { labelSelector: LABEL.sandboxNameHash } : {}),
        ...definedOnly({ fieldSelector: FIELDS[kind] }),
        metrics,
        ...definedOnly({ trim: trim[kind] }),
        indexes: INDEXES[kind] as { [index: string]: (object: any) => string[] },
      }));
    }
  }

  /** Lists and watches until the signal is aborted. */
  public async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.informers.values()].map(informer => informer.run(signal)));
  }

  /** Whether everything has been listed once. */
  public get hasSynced(): boolean {
    return [...this.informers.values()].every(informer => informer.hasSynced);
  }

  public async waitForSync(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.informers.values()].map(informer => informer.waitForSync({ signal })));
  }

  /** Makes this process's own writes visible in the caches at once. */
  public connect(writer: Writer): Writer {
    this.informers.forEach(informer => writer.connect(informer));
    return writer;
  }

  /** Calls a listener for every change of a kind, and for every object that exists already. */
  public onChange<K extends Kind>(kind: K, listener: (change: Change<Kinds[K]>) => void): void {
    this.informer(kind).store.addHandler({
      add: (after, origin) => listener({ after: after as unknown as Kinds[K], origin }),
      update: (before, after, origin) => listener({ before: before as unknown as Kinds[K], after: after as unknown as Kinds[K], origin }),
      delete: (before, origin) => listener({ before: before as unknown as Kinds[K], origin }),
    });
  }

  /** Calls a listener with the namespace when another client deletes an object whose controller lives on, and will make it anew. */
  public onLoss(listener: (namespace: string) => void): void {
    for (const kind of this.informers.keys()) {
      this.onChange(kind, ({ before, after, origin }: Change<KubeObject>) => {
        if (origin === 'watch' && before !== undefined && !isDeleting(before) && (after === undefined || isDeleting(after)) && this.hasLiveController(before)) {
          listener(before.metadata.namespace ?? '');
        }
      });
    }
  }

  private hasLiveController(object: KubeObject): boolean {
    const reference = controllerOf(object);
    const controller = reference && this.informers.get(reference.kind as Kind)?.store.get(`${object.metadata.namespace}/${reference.name}`);
    return controller !== undefined && controller.metadata.uid === reference?.uid && !isDeleting(controller);
  }

  /** Calls the listeners for every object again. */
  public resync(): void {
    this.informers.forEach(informer => informer.store.resync());
  }

  public get<K extends Kind>(kind: K, namespace: string, name: string): Kinds[K] | undefined {
    return this.informer(kind).store.get(`${namespace}/${name}`) as unknown as Kinds[K] | undefined;
  }

  public byIndex<K extends Kind>(kind: K, index: IndexOf<K>, value: string): readonly Kinds[K][] {
    return this.informer(kind).store.byIndex(index, value) as unknown as Kinds[K][];
  }

  public list<K extends Kind>(kind: K): readonly Kinds[K][] {
    return this.informer(kind).store.list() as unknown as Kinds[K][];
  }

  private informer(kind: Kind): Informer<WireObject> {
    const informer = this.informers.get(kind);
    if (informer === undefined) {
      throw new Error(`there is no cache of ${kind}: add it to the kinds that the controller reads`);
    }
    return informer;
  }
}
