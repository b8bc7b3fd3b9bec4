import { RUNTIME_PORT, type RestSelf, type SandboxClaim, keyOf, readyOf, sandboxNameOf } from 'agent-sandbox-api';
import {
  ApiError, Cluster, type Credentials, type Logger, isAlreadyExists, isNotFound, loadCredentials, silentLogger, sleep, systemClock,
} from 'agent-sandbox-kube';
import { type ClaimOptions, type TraceContext, buildClaim, checkName, checkNamespace } from './claim.js';
import { type ConnectionPlan, SandboxConnection } from './connection/index.js';
import type { Connection } from './connection/connection.js';
import {
  SandboxClaimExistsError, SandboxCleanupError, SandboxClosedError, SandboxInputError, SandboxNotFoundError, SandboxUnsupportedError,
} from './errors.js';
import { checkTimeout } from './deadline.js';
import { ExitHook } from './exit-hook.js';
import type { Control, ControlledSandbox } from './control/control.js';
import { KubernetesControl } from './control/kubernetes.js';
import { RestControl, restTarget } from './control/rest.js';
import type { Progress } from './readiness.js';
import { Sandbox, type SandboxIdentity } from './sandbox.js';
import type { TokenProvider } from './tokens.js';
import { Transport, type TransportTarget } from './transport.js';

export interface SandboxClientOptions {
  /** How sandboxes are reached. @default SandboxConnection.tunnel() */
  readonly connection?: ConnectionPlan;
  /** Tokens for the router; see `RouterToken`. @default - none is sent, which only a router without authentication takes */
  readonly token?: TokenProvider;
  /**
   * Whether claims are made through the REST surface of the router instead of at the API server, so that no credentials of Kubernetes are
   * needed. Needs a `connection` to a router that has it (`--rest-api`), such as `SandboxConnection.direct`, and tokens of the cluster.
   * @default false
   */
  readonly restApi?: boolean;
  /** Connection to the API server, which stays open when the client is closed. @default - one of its own, with `credentials` */
  readonly cluster?: Cluster;
  /** Credentials for the API server. @default - the kubeconfig or ServiceAccount of this process, when first needed */
  readonly credentials?: Credentials;
  /** Namespace where calls name none. @default - that of the kubeconfig's context or of the own pod, else `default` */
  readonly namespace?: string;
  /** Port of the runtime in the sandboxes. @default 8888 */
  readonly port?: number;
  /** Milliseconds for calls that name no limit. @default 60000 */
  readonly timeoutMs?: number;
  /** Headers of every request to a sandbox, for what stands in front of the router. `x-sandbox-…` is not possible. @default - none */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether tokens may go to other hosts over plain HTTP. @default false */
  readonly allowInsecureTokens?: boolean;
  /** Whether requests carry the Pod's address, which some routers need for sandboxes of warm pools. @default - true, unless the token is scoped */
  readonly sendPodAddress?: boolean;
  /** The trace that a call belongs to. @default - none */
  readonly trace?: () => TraceContext | undefined;
  /**
   * Whether sandboxes that are not kept are deleted when the process ends by SIGINT, SIGTERM, SIGHUP, SIGQUIT, an uncaught error, or an
   * event loop that runs empty. `process.exit()` and SIGKILL leave no time for that: give such sandboxes a `lifetime`. @default true
   */
  readonly deleteOnExit?: boolean;
  /** @default - nothing is logged */
  readonly logger?: Logger;
}

export interface CreateOptions extends ClaimOptions {
  /** @default - that of the client */
  readonly namespace?: string;
  /** Milliseconds until the sandbox must be Ready. @default 180000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Takes a claim of that `name` if there is one and it names the same pool or template; other options are not applied to it. @default false */
  readonly adopt?: boolean;
  /** Whether the claim outlives the handle's scope and `deleteAll`. @default - true if `name` is given */
  readonly keep?: boolean;
  /** Called on each step. @default - no callback */
  readonly onProgress?: (progress: Progress) => void;
}

export interface InNamespace {
  /** @default - that of the client */
  readonly namespace?: string;
  readonly signal?: AbortSignal;
}

/** A claim in a list. */
export interface SandboxSummary {
  readonly namespace: string;
  readonly claimName: string;
  /** Name of the Sandbox object. @default - the claim is not bound yet */
  readonly sandboxName?: string;
  readonly pool?: string;
  readonly template?: string;
  readonly isReady: boolean;
  readonly reason: string;
  readonly message: string;
  readonly createdAt: Date;
  /** @default - it has no end */
  readonly expiresAt?: Date;
}

const DEFAULT_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 180_000;
const RESOLVE_TIMEOUT_MS = 30_000;
/** Milliseconds for deleting a claim after something failed. */
const CLEANUP_TIMEOUT_MS = 30_000;
/** A create whose answer was lost may still be under way when the claim is deleted: the deletion is repeated after these pauses. */
const LOST_CREATE_PAUSES_MS = [0, 250, 1_000];

/**
 * Makes, finds and deletes sandboxes. One client serves many sandboxes and shares its connections among them; close it when done,
 * or let `await using` do it, which also deletes the sandboxes that it made under names of its own choice.
 */
export class SandboxClient implements AsyncDisposable {
  private readonly tracked = new Set<Sandbox>();
  /** Claims that `create` has not handed over yet. */
  private readonly making = new Set<SandboxClaim>();
  private readonly control: Control;
  private readonly exitHook = new ExitHook(() => this.abandon());
  private connection?: Connection;
  private ownCluster?: Cluster;
  private isClosed = false;

  /** Throws `SandboxInputError`. Makes no request. */
  constructor(private readonly options: SandboxClientOptions = {}) {
    const { headers = {}, port = RUNTIME_PORT } = options;
    const reserved = Object.keys(headers).find(name => /^(x-sandbox-|authorization$|host$)/i.test(name));
    if (reserved !== undefined && (reserved.toLowerCase() !== 'authorization' || options.token)) {
      throw new SandboxInputError(`headers has "${reserved}", which the client sets itself`, { remedy: 'leave it out' });
    }
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw new SandboxInputError(`port is ${port}`, { remedy: 'give a number from 1 to 65535' });
    }
    if (options.namespace !== undefined) {
      checkNamespace(options.namespace);
    }
    if (options.timeoutMs !== undefined) {
      checkTimeout(options.timeoutMs);
    }
    if (options.restApi && (options.connection === undefined || options.connection.mode === 'in-cluster')) {
      throw new SandboxInputError('restApi needs a connection to a router', { remedy: 'set connection to SandboxConnection.direct({ url })' });
    }
    this.control = options.restApi
      ? new RestControl(namespace => this.transportTo(restTarget(namespace)))
      : new KubernetesControl(() => this.cluster);
  }

  /**
   * Claims a sandbox and waits until it is Ready. If that fails or is aborted, the claim is deleted again.
   *
   * Throws `SandboxInputError`, `SandboxTemplateNotFoundError`, `SandboxWarmPoolNotFoundError`, `SandboxClaimFailedError`,
   * `SandboxClaimExistsError`, `SandboxNotFoundError` (deleted meanwhile), `SandboxTimeoutError`, `SandboxCleanupError`, the
   * reason of the signal, or `ApiError` for what the API server refuses.
   */
  public async create(options: CreateOptions): Promise<Sandbox> {
    const { signal, onProgress } = options;
    const timeoutMs = checkTimeout(options.timeoutMs ?? READY_TIMEOUT_MS);
    signal?.throwIfAborted();
    if (options.adopt && options.name === undefined) {
      throw new SandboxInputError('adopt needs a name', { remedy: 'name the claim, or leave adopt out' });
    }
    const claim = buildClaim(this.namespaceOf(options), options, Date.now(), this.options.trace?.());
    const isKept = options.keep ?? options.name !== undefined;
    if (!isKept) {
      this.prepare(claim.metadata.namespace!);
    }
    if (options.name === undefined) {
      // A claim under a name of the caller's choice may have been there before.
      this.making.add(claim);
      this.watchExit();
    }
    try {
      const made = await this.make(claim, options);
      try {
        onProgress?.({ step: 'created', claim: keyOf(made.claim) });
        const bound = await this.control.wait(made.claim, { until: 'ready', timeoutMs, signal, onProgress });
        return this.track(bound, this.control.sandbox(bound), isKept);
      } catch (error) {
        if (made.isOurs) {
          await this.rollBack(made.claim, error);
        }
        throw error;
      }
    } finally {
      this.making.delete(claim);
      this.watchExit();
    }
  }

  /**
   * A handle of a sandbox that exists. Waits until its claim is bound (30 seconds by default), not until it is Ready. Deletes nothing,
   * whatever happens. Throws `SandboxNotFoundError` and the errors of `create` about claims.
   */
  public async get(claimName: string, options: InNamespace & { readonly timeoutMs?: number } = {}): Promise<Sandbox> {
    const namespace = this.namespaceOf(options);
    checkName('claimName', claimName);
    const { signal } = options;
    const timeoutMs = checkTimeout(options.timeoutMs ?? RESOLVE_TIMEOUT_MS);
    const claim = await this.find(namespace, claimName, signal);
    const bound = await this.control.wait(claim, { until: 'bound', timeoutMs, signal });
    const target = this.control.sandbox(bound);
    await this.control.confirm(target, signal);
    return this.track(bound, target, true);
  }

  /** The claims of a namespace, those of other clients too. */
  public async list(options: InNamespace & { readonly labelSelector?: string } = {}): Promise<SandboxSummary[]> {
    const { labelSelector, signal } = options;
    const claims = await this.control.list(this.namespaceOf(options), labelSelector, signal);
    return claims.map(summaryOf);
  }

  /** Deletes a claim and with it the sandbox. False if there was none. */
  public async delete(claimName: string, options: InNamespace = {}): Promise<boolean> {
    const namespace = this.namespaceOf(options);
    checkName('claimName', claimName);
    for (const sandbox of this.tracked) {
      if (sandbox.claimName === claimName && sandbox.namespace === namespace) {
        sandbox.close();
      }
    }
    return this.deleteClaim({ namespace, claimName, isKept: false }, options.signal);
  }

  /**
   * Deletes the sandboxes that this client made and that are not kept. All are tried; throws `AggregateError` with what failed, and a
   * second call tries these again.
   */
  public async deleteAll({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const results = await Promise.allSettled([...this.tracked].filter(({ isKept }) => !isKept).map(sandbox => sandbox.delete({ signal })));
    const errors = results.filter(result => result.status === 'rejected').map(({ reason }) => reason);
    if (errors.length > 0) {
      throw new AggregateError(errors, `${errors.length} sandboxes could not be deleted: ${errors.map(error => (error as Error).message).join('; ')}`);
    }
  }

  /**
   * Who the token belongs to, as the router knows the user: with `restApi` only. Throws `SandboxAccessError` for a token that the router
   * does not accept.
   */
  public async self({ signal }: { readonly signal?: AbortSignal } = {}): Promise<RestSelf> {
    if (!(this.control instanceof RestControl)) {
      throw new SandboxUnsupportedError('the client has no REST surface to ask', { remedy: 'set restApi' });
    }
    return this.control.self(signal);
  }

  /** Closes all connections and handles; sandboxes live on. */
  public async close(): Promise<void> {
    this.isClosed = true;
    this.exitHook.disarm();
    this.tracked.forEach(sandbox => sandbox.close());
    await this.connection?.close();
    await this.ownCluster?.close();
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.deleteAll();
    } finally {
      await this.close();
    }
  }

  /** Connection to the API server. */
  public get cluster(): Cluster {
    if (this.isClosed) {
      throw closed();
    }
    const { cluster, credentials, logger } = this.options;
    return cluster ?? (this.ownCluster ??= new Cluster({ credentials: credentials ?? loadCredentials(), userAgent: 'agent-sandbox-client', logger }));
  }

  /** Creates the claim, or takes the one that exists. Not ended by the caller's signal: whether it was made must be known. */
  private async make(claim: SandboxClaim, options: CreateOptions): Promise<{ claim: SandboxClaim; isOurs: boolean }> {
    const { adopt, name, signal } = options;
    const key = keyOf(claim);
    try {
      return { claim: await this.control.create(claim, options), isOurs: true };
    } catch (error) {
      if (isAlreadyExists(error)) {
        if (!adopt) {
          throw new SandboxClaimExistsError(`claim ${key} exists`, { claim: key, remedy: 'choose another name, or set adopt', cause: error });
        }
        return { claim: await this.adopt(claim, signal), isOurs: false };
      }
      // A refusal made nothing. After anything else the claim may exist; its name is ours alone if we chose it.
      if (name === undefined && !(error instanceof ApiError && error.code < 500)) {
        await this.rollBack(claim, error);
      }
      throw error;
    }
  }

  private async adopt({ metadata, spec }: SandboxClaim, signal?: AbortSignal): Promise<SandboxClaim> {
    const found = await this.find(metadata.namespace!, metadata.name!, signal);
    const key = keyOf(found);
    if (found.metadata.deletionTimestamp) {
      throw new SandboxClaimExistsError(`claim ${key} exists and is being deleted`, { claim: key, remedy: 'try again when it is gone' });
    }
    if (found.spec.warmPoolRef?.name !== spec.warmPoolRef?.name || found.spec.sandboxTemplateRef?.name !== spec.sandboxTemplateRef?.name) {
      throw new SandboxClaimExistsError(`claim ${key} exists and names another pool or template`, { claim: key, remedy: 'choose another name' });
    }
    return found;
  }

  private async find(namespace: string, name: string, signal?: AbortSignal): Promise<SandboxClaim> {
    try {
      return await this.control.get({ namespace, name }, signal);
    } catch (error) {
      throw isNotFound(error)
        ? new SandboxNotFoundError(`claim ${namespace}/${name} does not exist`, { claim: `${namespace}/${name}`, remedy: 'correct the name or the namespace', cause: error })
        : error;
    }
  }

  /** Deletes a claim after a failure. Throws `SandboxCleanupError` if that fails too. */
  private async rollBack(claim: SandboxClaim, failure: unknown): Promise<void> {
    const { namespace, name, uid } = claim.metadata;
    const identity: SandboxIdentity = { namespace: namespace!, claimName: name!, claimUid: uid, isKept: false };
    const signal = AbortSignal.timeout(CLEANUP_TIMEOUT_MS);
    try {
      for (const pauseMs of uid ? [0] : LOST_CREATE_PAUSES_MS) {
        await sleep(systemClock, pauseMs, signal);
        if (await this.deleteClaim(identity, signal)) {
          return;
        }
      }
    } catch (error) {
      const message = failure instanceof Error ? failure.message : String(failure);
      throw new SandboxCleanupError(`${message}; and claim ${keyOf(claim)} could not be deleted (${(error as Error).message})`, {
        claim: keyOf(claim), remedy: 'delete it', cause: failure,
      });
    }
  }

  /** True if there was one. A claim of that name that is not the one meant is left alone. */
  private async deleteClaim(identity: SandboxIdentity, signal?: AbortSignal): Promise<boolean> {
    try {
      await this.control.delete(identity, signal);
      return true;
    } catch (error) {
      // With a UID, a conflict says that another claim has the name: ours is gone.
      if (isNotFound(error) || (identity.claimUid && error instanceof ApiError && error.situation === 'conflict')) {
        return false;
      }
      throw error;
    }
  }

  /** Listens for the end of the process for as long as there is something to delete then. */
  private watchExit(): void {
    const isNeeded = this.making.size > 0 || [...this.tracked].some(({ isKept }) => !isKept);
    if (isNeeded && !this.isClosed && (this.options.deleteOnExit ?? true)) {
      this.exitHook.arm();
    } else {
      this.exitHook.disarm();
    }
  }

  /** Deletes what would be left behind by a process that ends now. */
  private async abandon(): Promise<void> {
    const unfinished = [...this.making].map(({ metadata: { namespace, name } }) => (
      this.deleteClaim({ namespace: namespace!, claimName: name!, isKept: false })
    ));
    await Promise.allSettled([...unfinished, this.deleteAll()]);
  }

  /** Gets token and connection while the controller works: who makes a sandbox that is deleted again wants to use it here. */
  private prepare(namespace: string): void {
    this.way.prepare?.(namespace);
    this.options.token?.prepare?.(namespace, () => this.cluster);
  }

  private get way(): Connection {
    return this.connection ??= (this.options.connection ?? SandboxConnection.tunnel()).open(() => this.cluster);
  }

  private transportTo(target: TransportTarget): Transport {
    if (this.isClosed) {
      throw closed();
    }
    const { options } = this;
    const cluster = () => this.cluster;
    return new Transport({
      connection: this.way,
      cluster,
      tokens: options.token,
      allowInsecureTokens: options.allowInsecureTokens ?? false,
      sendAddress: !options.restApi && (options.sendPodAddress ?? true),
      port: options.port ?? RUNTIME_PORT,
      headers: { 'user-agent': 'agent-sandbox-client', ...options.headers },
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      trace: options.trace,
      logger: options.logger ?? silentLogger,
      random: Math.random,
    }, target);
  }

  private track(claim: SandboxClaim, target: ControlledSandbox, isKept: boolean): Sandbox {
    const { namespace, name, uid } = claim.metadata;
    const sandbox: Sandbox = new Sandbox({
      timeoutMs: this.options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      deleteClaim: (identity, signal) => this.deleteClaim(identity, signal),
      released: released => {
        this.tracked.delete(released);
        this.watchExit();
      },
    }, { namespace: namespace!, claimName: name!, claimUid: uid, isKept }, this.transportTo(target), target);
    this.tracked.add(sandbox);
    this.watchExit();
    return sandbox;
  }

  private namespaceOf({ namespace }: { readonly namespace?: string }): string {
    const { restApi, namespace: own } = this.options;
    const chosen = namespace ?? own ?? (restApi ? undefined : this.cluster.namespace) ?? 'default';
    checkNamespace(chosen);
    return chosen;
  }
}

function closed(): SandboxClosedError {
  return new SandboxClosedError('the client was closed', { remedy: 'make another one' });
}

function summaryOf(claim: SandboxClaim): SandboxSummary {
  const { metadata, spec } = claim;
  const ready = readyOf(claim);
  return {
    namespace: metadata.namespace!,
    claimName: metadata.name!,
    sandboxName: sandboxNameOf(claim),
    pool: spec.warmPoolRef?.name,
    template: spec.sandboxTemplateRef?.name,
    isReady: ready?.status === 'True',
    reason: ready?.reason ?? '',
    message: ready?.message ?? '',
    createdAt: new Date(metadata.creationTimestamp ?? 0),
    expiresAt: spec.lifecycle?.shutdownTime === undefined ? undefined : new Date(spec.lifecycle.shutdownTime),
  };
}
