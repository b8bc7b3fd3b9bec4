import {
  LABEL, type NetworkPolicy, type PersistentVolumeClaim, type PodEvent, type Sandbox, type SandboxClaim, type SandboxTemplate, type SandboxWarmPool,
  type Service, nameHash,
} from 'agent-sandbox-api';
import type { CachedPod } from './cached-pod.js';
import { labelOf, type KubeObject } from '../object/metadata.js';
import { controllerOf } from '../object/ownership.js';

/** The kinds that reconcilers read. */
export interface Kinds {
  readonly Sandbox: Sandbox;
  readonly SandboxTemplate: SandboxTemplate;
  readonly SandboxClaim: SandboxClaim;
  readonly SandboxWarmPool: SandboxWarmPool;
  readonly Pod: CachedPod;
  readonly Service: Service;
  readonly PersistentVolumeClaim: PersistentVolumeClaim;
  readonly NetworkPolicy: NetworkPolicy;
  /** Events about Pods whose sandbox the container runtime cannot make. */
  readonly PodSandboxFailure: PodEvent;
  /** Events about Pods whose volumes cannot be mounted. */
  readonly PodMountFailure: PodEvent;
}

export type Kind = keyof Kinds;

/** The cached objects of the cluster. Possibly stale; read-only. */
export interface Cache {
  get<K extends Kind>(kind: K, namespace: string, name: string): Kinds[K] | undefined;
  /** Objects that have `value` under an index of `INDEXES`. */
  byIndex<K extends Kind>(kind: K, index: IndexOf<K>, value: string): readonly Kinds[K][];
}

/** The ways to find objects other than by name: the values under which an object is filed. */
export const INDEXES = {
  Sandbox: {
    /** `<namespace>/<hash of the name>`. */
    nameHash: byNameHash,
    /** `<namespace>/<hash of the template>`. */
    templateHash: byLabel(LABEL.templateRefHash),
    /** `<namespace>/<hash of the pool>`. */
    pool: byLabel(LABEL.warmPool),
    /** UID of the controller. */
    controller: (object: KubeObject) => present(controllerOf(object)?.uid),
  },
  SandboxTemplate: { nameHash: byNameHash },
  SandboxClaim: {
    /** `<namespace>/<name of the pool>`, by either way to name one. */
    pool: ({ metadata, spec }: SandboxClaim) => present(spec.warmPoolRef?.name ?? namedPool(spec.warmpool))
      .map(name => indexValue(metadata.namespace ?? '', name)),
    /** `<namespace>/<name>` of the template that the claim names itself. */
    template: ({ metadata, spec: { sandboxTemplateRef: ref } }: SandboxClaim) =>
      (ref === undefined ? [] : [indexValue(ref.namespace || metadata.namespace || '', ref.name)]),
  },
  SandboxWarmPool: {
    /** `<namespace>/<hash of the name>`. */
    nameHash: byNameHash,
    /** `<namespace>/<name of the template>`. */
    template: ({ metadata, spec }: SandboxWarmPool) => [indexValue(metadata.namespace ?? '', spec.sandboxTemplateRef.name)],
  },
  Pod: {
    /** `<namespace>/<hash of the Sandbox's name>`. */
    nameHash: byLabel(LABEL.sandboxNameHash),
    /** `<namespace>/<hash of the template>`. */
    templateHash: byLabel(LABEL.templateRefHash),
  },
  Service: {},
  PersistentVolumeClaim: {},
  NetworkPolicy: {
    /** `<hash of the template>`, in all namespaces: a foreign template has the same hash in all of them. */
    anyTemplateHash: (object: KubeObject) => present(labelOf(object, LABEL.templateRefHash)),
  },
  PodSandboxFailure: { pod: byPod },
  PodMountFailure: { pod: byPod },
} satisfies { [K in Kind]: { [index: string]: (object: Kinds[K]) => string[] } };

export type IndexOf<K extends Kind> = keyof (typeof INDEXES)[K] & string;

/** The value of the indexes that are kept per namespace. */
export function indexValue(namespace: string, value: string): string {
  return `${namespace}/${value}`;
}

/** The pool that `warmpool` of a claim names: two of its values name none. */
function namedPool(warmpool: string | undefined): string | undefined {
  return warmpool === 'none' || warmpool === 'default' ? undefined : warmpool;
}

function byNameHash(object: KubeObject): string[] {
  const { namespace = '', name = '' } = object.metadata;
  return [indexValue(namespace, nameHash(name))];
}

function byLabel(key: string): (object: KubeObject) => string[] {
  return object => present(labelOf(object, key)).map(value => indexValue(object.metadata.namespace ?? '', value));
}

function present(value: string | undefined): string[] {
  return value === undefined ? [] : [value];
}

/** UID of the Pod that an Event is about. */
function byPod({ involvedObject }: PodEvent): string[] {
  return present(involvedObject.uid);
}
