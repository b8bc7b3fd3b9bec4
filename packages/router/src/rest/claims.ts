import {
  ANNOTATION, CONDITION, FINAL_REASONS, REASON, RUNTIME_PORT, type RestSandbox, SANDBOX_CLAIMS, type SandboxClaim, definedOnly, keyOf, readyOf,
  sandboxNameOf,
} from 'agent-sandbox-api';
import { Informer, type Cluster, type InformerMetrics, type Writer } from 'agent-sandbox-kube';
import type { Targets } from '../targets.js';

export interface ClaimsOptions {
  readonly cluster: Cluster;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly targets: Targets;
  readonly metrics: InformerMetrics;
}

/** The claims as the API server has them, so that any number of requests can wait for them without asking it. */
export class Claims {
  private readonly informer: Informer<SandboxClaim>;
  /** By `namespace/name` of a claim or of its Sandbox. */
  private readonly listeners = new Map<string, Set<() => void>>();

  constructor(private readonly options: ClaimsOptions) {
    const { cluster, namespaces, targets, metrics } = options;
    this.informer = new Informer(cluster, SANDBOX_CLAIMS, { ...(namespaces.length === 0 ? {} : { namespaces }), metrics, trim: trimClaim });
    const tell = (claim: SandboxClaim) => this.tell(`claim ${keyOf(claim)}`);
    this.informer.store.addHandler({ add: tell, update: (_, after) => tell(after), delete: tell });
    targets.onChange(key => this.tell(`sandbox ${key}`));
  }

  public run(signal: AbortSignal): Promise<void> {
    return this.informer.run(signal);
  }

  public waitForSync(signal: AbortSignal, timeoutMs: number): Promise<void> {
    return this.informer.waitForSync({ signal, timeoutMs });
  }

  /** Lets own writes show at once. */
  public connect(writer: Writer): Writer {
    return writer.connect(this.informer);
  }

  /** A claim as callers see it. */
  public describe(claim: SandboxClaim): RestSandbox {
    const { metadata, spec } = claim;
    const ready = readyOf(claim);
    return {
      name: metadata.name!,
      namespace: metadata.namespace!,
      uid: metadata.uid!,
      state: this.stateOf(claim),
      reason: ready?.reason ?? '',
      message: ready?.message ?? '',
      ...definedOnly({
        sandboxName: sandboxNameOf(claim), pool: spec.warmPoolRef?.name, template: spec.sandboxTemplateRef?.name,
        expiresAt: spec.lifecycle?.shutdownTime,
      }),
      labels: metadata.labels ?? {},
      createdAt: metadata.creationTimestamp!,
    };
  }

  /**
   * Waits until a claim is as wanted, or `ms` milliseconds are over. Returns its newest version, undefined if it is gone.
   *
   * @param claim as the API server has it now
   */
  public async wait(
    claim: SandboxClaim, isDone: (claim: SandboxClaim) => boolean, ms: number, signal: AbortSignal,
  ): Promise<SandboxClaim | undefined> {
    let last: SandboxClaim | undefined = claim;
    let wasSeen = false;
    let resolve!: () => void;
    const done = new Promise<void>(given => {
      resolve = given;
    });
    const forget: (() => void)[] = [];
    let sandbox: string | undefined;
    const look = () => {
      const known = this.informer.store.get(keyOf(claim));
      if (known?.metadata.uid === claim.metadata.uid) {
        wasSeen = true;
        last = known;
      } else if (wasSeen) {
        last = undefined;
      }
      const name = last && sandboxNameOf(last);
      if (name !== undefined && name !== sandbox) {
        sandbox = name;
        forget.push(this.listen(`sandbox ${claim.metadata.namespace}/${name}`, look));
      }
      // Of what the API server has said, the cache may know less.
      if (last === undefined || last.metadata.deletionTimestamp !== undefined || isDone(last)) {
        resolve();
      }
    };
    forget.push(this.listen(`claim ${keyOf(claim)}`, look));
    const timer = setTimeout(resolve, signal.aborted ? 0 : ms);
    signal.addEventListener('abort', resolve, { once: true });
    try {
      look();
      await done;
      return last;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', resolve);
      forget.forEach(each => each());
    }
  }

  /** Whether requests to the sandbox will pass, or it will never be so. */
  public isSettled(claim: SandboxClaim): boolean {
    const state = this.stateOf(claim);
    if (state !== 'Ready') {
      return state === 'Failed';
    }
    // The caches for requests may be behind that of claims.
    const found = this.options.targets.find({ namespace: claim.metadata.namespace!, id: sandboxNameOf(claim)!, port: RUNTIME_PORT });
    return found !== 'unknown' && found !== 'suspended' && found !== 'notReady';
  }

  /** Whether it is suspended, and the Pod has ended. */
  public hasEnded(claim: SandboxClaim): boolean {
    return this.stateOf(claim) === 'Suspended';
  }

  /** The Sandbox of a claim, as far as it is known. */
  public sandboxOf(claim: SandboxClaim) {
    const id = sandboxNameOf(claim);
    return id === undefined ? undefined : this.options.targets.sandbox({ namespace: claim.metadata.namespace!, id });
  }

  private stateOf(claim: SandboxClaim): RestSandbox['state'] {
    const ready = readyOf(claim);
    if (claim.metadata.deletionTimestamp !== undefined) {
      return 'Deleting';
    }
    const sandbox = this.sandboxOf(claim);
    if (sandbox?.spec.isSuspended ?? ready?.reason === REASON.sandboxSuspended) {
      return sandbox?.status.isSuspended ? 'Suspended' : 'Suspending';
    }
    if (ready?.status === 'True') {
      return 'Ready';
    }
    const isFinal = (reason: string) => reason in FINAL_REASONS || reason === REASON.templateNotFound || reason === REASON.warmPoolNotFound;
    return ready?.status === 'False' && isFinal(ready.reason) ? 'Failed' : 'NotReady';
  }

  private listen(key: string, listener: () => void): () => void {
    const listeners = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) {
        this.listeners.delete(key);
      }
    };
  }

  private tell(key: string): void {
    this.listeners.get(key)?.forEach(listener => listener());
  }
}

/** What answers are made of. */
function trimClaim({ apiVersion, kind, metadata, spec, status }: SandboxClaim): SandboxClaim {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels, annotations } = metadata;
  const idempotency = annotations?.[ANNOTATION.idempotency];
  return {
    apiVersion, kind,
    metadata: {
      ...definedOnly({ name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp, labels }),
      annotations: definedOnly({ [ANNOTATION.idempotency]: idempotency }),
    },
    spec: definedOnly({
      warmPoolRef: spec.warmPoolRef, sandboxTemplateRef: spec.sandboxTemplateRef,
      lifecycle: spec.lifecycle?.shutdownTime === undefined ? undefined : { shutdownTime: spec.lifecycle.shutdownTime },
    }),
    status: {
      conditions: (status?.conditions ?? []).filter(({ type }) => type === CONDITION.ready),
      ...(status?.sandbox?.name ? { sandbox: { name: status.sandbox.name } } : {}),
    },
  };
}
