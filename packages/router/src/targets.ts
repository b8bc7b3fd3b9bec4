import {
  ANNOTATION, CONDITION, type Condition, GROUP, type KubeObject, LABEL, type ObjectMeta, PODS, type Pod, type PodTemplate, RUNTIME_PORT, SANDBOXES,
  controllerOf, definedOnly, isMeantToRun, podNameOf,
} from 'agent-sandbox-api';
import { Informer, type Cluster, type InformerMetrics, type Writer } from 'agent-sandbox-kube';
import { canonicalAddress, isReachable } from './addresses.js';
import type { PortSet } from './flags.js';

/** What the router keeps of a Sandbox. */
export interface KnownSandbox extends KubeObject {
  readonly spec: {
    readonly isSuspended: boolean;
    /** TCP ports that its pod template declares. */
    readonly ports: readonly number[];
    /** Milliseconds since 1970; absent: it does not expire. */
    readonly expiresAt?: number;
  };
  readonly status: {
    /** Whether the controller says that the Pod has ended. */
    readonly isSuspended: boolean;
  };
}

/** What it keeps of a Pod. */
interface KnownPod extends KubeObject {
  readonly spec: { readonly hostNetwork: boolean };
  /** Canonical addresses that may be reached; none while the Pod is not ready or is ending. */
  readonly status: { readonly addresses: readonly string[] };
}

/** Where requests for a Sandbox go. */
export interface Target {
  readonly podUid: string;
  readonly address: string;
}

/** Why there is no target. */
export type Obstacle = 'unknown' | 'otherUid' | 'otherAddress' | 'portNotDeclared' | 'hostNetwork' | 'suspended' | 'notReady';

export interface TargetsOptions {
  readonly cluster: Cluster;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly additionalPorts: PortSet;
  readonly allowLoopback: boolean;
  readonly metrics: InformerMetrics;
}

/** The requested target; see `Contract`. */
export interface Question {
  readonly namespace: string;
  readonly id: string;
  readonly port: number;
  readonly podIp?: string | undefined;
  readonly uid?: string | undefined;
}

/** Sandboxes and their Pods as the API server has them, and where to reach them. */
export class Targets {
  private readonly sandboxes: Informer<KubeObject>;
  private readonly pods: Informer<Pod>;
  private readonly listeners = new Set<(key: string) => void>();
  private readonly namespaces = new Set<string>();

  constructor(private readonly options: TargetsOptions) {
    const { cluster, namespaces, allowLoopback, metrics } = options;
    const shared = { ...(namespaces.length === 0 ? {} : { namespaces }), metrics };
    this.sandboxes = new Informer(cluster, SANDBOXES, { ...shared, trim: trimSandbox as unknown as (object: KubeObject) => KubeObject });
    const trim = ((pod: Pod) => trimPod(pod, allowLoopback)) as unknown as (pod: Pod) => Pod;
    this.pods = new Informer(cluster, PODS, { ...shared, labelSelector: LABEL.sandboxNameHash, trim });
    const tell = ({ metadata }: KubeObject) => this.listeners.forEach(listener => listener(`${metadata.namespace}/${metadata.name}`));
    this.sandboxes.store.addHandler({ add: ({ metadata }) => this.namespaces.add(metadata.namespace!) });
    this.sandboxes.store.addHandler({ add: tell, update: (_, after) => tell(after), delete: tell });
    const tellOwner = (pod: KubeObject) => tell({ metadata: { ...pod.metadata, name: controllerOf(pod)?.name ?? pod.metadata.name! } });
    this.pods.store.addHandler({ add: tellOwner, update: (_, after) => tellOwner(after), delete: tellOwner });
  }

  /** Lists and watches until the signal is aborted. */
  public async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.sandboxes.run(signal), this.pods.run(signal)]);
  }

  /** Whether everything has been listed once. */
  public get hasSynced(): boolean {
    return this.sandboxes.hasSynced && this.pods.hasSynced;
  }

  public async waitForSync(signal: AbortSignal, timeoutMs?: number): Promise<void> {
    const options = { signal, ...definedOnly({ timeoutMs }) };
    await Promise.all([this.sandboxes.waitForSync(options), this.pods.waitForSync(options)]);
  }

  /** Applies own writes at once, before the watch delivers them. */
  public connect(writer: Writer): Writer {
    return writer.connect(this.sandboxes);
  }

  /** Calls back with `namespace/name` of each Sandbox that changes, or whose Pod does. Returns a function that ends this. */
  public onChange(listener: (key: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Calls back with the UID of each Pod that is gone or has no address any more. */
  public onGone(listener: (podUid: string) => void): void {
    const gone = (pod: KubeObject) => listener(pod.metadata.uid!);
    this.pods.store.addHandler({
      update: (_, after) => (after as unknown as KnownPod).status.addresses.length === 0 && gone(after),
      delete: gone,
    });
  }

  /** The Sandbox of a name, undefined if there is none, or if it is still waiting in a pool and is not named by its UID. */
  public sandbox({ namespace, id, uid }: Pick<Question, 'namespace' | 'id' | 'uid'>): KnownSandbox | undefined {
    const found = this.sandboxes.store.get(`${namespace}/${id}`) as KnownSandbox | undefined;
    const isIdle = found?.metadata.labels?.[LABEL.warmPool] !== undefined;
    return isIdle && uid === undefined ? undefined : found;
  }

  /** Where to send a request, or why it cannot be sent anywhere. */
  public find(question: Question): Target | Obstacle {
    const sandbox = this.sandbox(question);
    if (sandbox === undefined) {
      return 'unknown';
    }
    const { namespace, uid } = sandbox.metadata;
    if (question.uid !== undefined && question.uid !== uid) {
      return 'otherUid';
    }
    if (question.port !== RUNTIME_PORT && !sandbox.spec.ports.includes(question.port) && !this.options.additionalPorts.has(question.port)) {
      return 'portNotDeclared';
    }
    if (sandbox.spec.isSuspended) {
      return 'suspended';
    }
    const pod = this.pods.store.get(`${namespace}/${podNameOf(sandbox)}`) as unknown as KnownPod | undefined;
    const owner = pod && controllerOf(pod);
    // A Pod that merely claims to be the Sandbox's must not get its requests.
    if (pod === undefined || owner?.uid !== uid || owner?.kind !== 'Sandbox' || !owner.apiVersion.startsWith(`${GROUP}/`)) {
      return 'notReady';
    }
    if (pod.spec.hostNetwork) {
      return 'hostNetwork';
    }
    const { addresses } = pod.status;
    if (addresses.length === 0) {
      return 'notReady';
    }
    const address = question.podIp === undefined ? addresses[0]! : addresses.find(known => known === question.podIp);
    return address === undefined ? 'otherAddress' : { podUid: pod.metadata.uid!, address };
  }

  /** Whether there has been a Sandbox in this namespace: names that callers make up must not become label values. */
  public hasNamespace(namespace: string): boolean {
    return this.namespaces.has(namespace);
  }
}

/** The part of a Sandbox that counts here; fields may be missing in objects that are stored as the deprecated version. */
interface WireSandbox extends KubeObject {
  spec: { podTemplate?: PodTemplate; operatingMode?: string; replicas?: number; shutdownTime?: string };
  status?: { conditions?: readonly Condition[] };
}

function trimSandbox({ metadata, spec, status }: WireSandbox): KnownSandbox {
  const containers = [...spec.podTemplate?.spec?.containers ?? [], ...spec.podTemplate?.spec?.initContainers ?? []];
  const declared = containers.flatMap(container => container.ports ?? []);
  const ports = declared.filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP').map(({ containerPort }) => containerPort);
  const expiresAt = spec.shutdownTime === undefined ? NaN : Date.parse(spec.shutdownTime);
  return {
    metadata: {
      ...trimMetadata(metadata),
      labels: pick(metadata.labels, LABEL.warmPool),
      annotations: pick(metadata.annotations, ANNOTATION.podName),
    },
    spec: {
      isSuspended: !isMeantToRun({ spec }),
      ports: [...new Set(ports)],
      ...(Number.isNaN(expiresAt) ? {} : { expiresAt }),
    },
    status: { isSuspended: status?.conditions?.some(({ type, status: is }) => type === CONDITION.suspended && is === 'True') ?? false },
  };
}

function trimPod(pod: Pod, allowLoopback: boolean): KnownPod {
  const { metadata, spec, status } = pod;
  const isReady = metadata.deletionTimestamp === undefined && (status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false);
  const ips = status?.podIPs?.map(({ ip }) => ip) ?? (status?.podIP ? [status.podIP] : []);
  const addresses = ips.map(ip => canonicalAddress(ip)).filter(address => address !== undefined);
  const controller = controllerOf(pod);
  return {
    metadata: {
      ...trimMetadata(metadata),
      // kept, because the cache checks its selector on it
      labels: pick(metadata.labels, LABEL.sandboxNameHash),
      ...definedOnly({ ownerReferences: controller === undefined ? undefined : [controller] }),
    },
    spec: { hostNetwork: spec?.hostNetwork === true },
    status: { addresses: isReady ? addresses.filter(ip => isReachable(ip, allowLoopback)) : [] },
  };
}

function trimMetadata({ name, namespace, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return { name: name!, namespace: namespace!, uid: uid!, resourceVersion: resourceVersion! };
}

function pick(map: { readonly [key: string]: string } | undefined, key: string): { [key: string]: string } {
  const value = map?.[key];
  return value === undefined ? {} : { [key]: value };
}
