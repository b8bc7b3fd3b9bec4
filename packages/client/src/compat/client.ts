import { Reader } from 'agent-sandbox-kube';
import { SANDBOXES, definedOnly } from 'agent-sandbox-api';
import { SandboxClient as OurClient } from '../client.js';
import { SandboxConnection } from '../connection/index.js';
import { ExitHook } from '../exit-hook.js';
import type { Sandbox as OurSandbox } from '../sandbox.js';
import { SandboxError, SandboxNoServiceError } from './errors.js';
import { type Limits, Sandbox } from './sandbox.js';
import type { CreateSandboxOptions, SandboxClientOptions } from './types.js';

const MIB = 1024 * 1024;

/** Makes, finds and deletes sandboxes, with the names and units of the original's client of v1.0.12. */
export class SandboxClient implements AsyncDisposable {
  /** Our client, for what the original has no name for. */
  public readonly native: OurClient;
  private readonly registry = new Map<string, Sandbox>();
  private readonly limits: Limits;
  private readonly readyTimeout: number;
  private exitHook?: ExitHook;

  /** Throws `SandboxError`. Makes no request. */
  constructor(private readonly options: SandboxClientOptions = {}) {
    const { sandboxd = {}, sandboxReadyTimeout = 180, namespace = 'default', native = {} } = options;
    const { connectivity = 'port-forward', restPort, portForwardReadyTimeoutMs } = sandboxd;
    for (const [name, value] of Object.entries({ sandboxReadyTimeout, ...sandboxd })) {
      if (name !== 'connectivity' && value !== undefined && !(Number.isFinite(value) && Number(value) > 0)) {
        throw new SandboxError(`${name} is ${value}`, { remedy: 'give a number above 0' });
      }
    }
    if (connectivity === 'in-cluster-service') {
      throw new SandboxNoServiceError('connectivity is "in-cluster-service", which is not supported', { remedy: 'use "in-cluster-pod-ip", which confirms whose address it is' });
    }
    this.readyTimeout = sandboxReadyTimeout;
    this.limits = {
      download: sandboxd.maxDownloadSize ?? 256 * MIB, upload: sandboxd.maxUploadSize ?? 256 * MIB, output: sandboxd.maxCommandOutputSize ?? 4 * MIB,
    };
    this.native = new OurClient({
      connection: connectivity === 'in-cluster-pod-ip' ? SandboxConnection.inCluster({ port: restPort }) : SandboxConnection.tunnel({ readyTimeoutMs: portForwardReadyTimeoutMs }),
      port: restPort,
      // As in the original: only enableAutoCleanup listens for the end of the process.
      deleteOnExit: false,
      namespace,
      ...native,
    });
  }

  /** Claims a sandbox of a pool and waits until it is ready. */
  public async createSandbox(warmpool: string, namespace?: string, options: CreateSandboxOptions = {}): Promise<Sandbox> {
    const { sandboxReadyTimeout = this.readyTimeout, labels, podLabels, podAnnotations, shutdownAfterSeconds } = options;
    return this.track(await this.native.create({
      pool: warmpool,
      namespace: namespace || undefined,
      labels,
      podLabels,
      podAnnotations,
      timeoutMs: sandboxReadyTimeout * 1000,
      ...definedOnly({ lifetime: shutdownAfterSeconds === undefined ? undefined : { seconds: shutdownAfterSeconds } }),
    }));
  }

  /** A handle of a claim that exists; the same one while it is active. Deletes nothing. */
  public async getSandbox(claimName: string, namespace?: string): Promise<Sandbox> {
    const found = await this.native.get(claimName, { namespace: namespace || undefined });
    const known = this.registry.get(keyOf(found));
    if (known?.isActive && known.sandboxName === found.name) {
      found.close();
      return known;
    }
    return this.track(found);
  }

  public async listActiveSandboxes(): Promise<{ namespace: string; claimName: string }[]> {
    return [...this.registry.values()].filter(({ isActive }) => isActive).map(({ namespace, claimName }) => ({ namespace, claimName }));
  }

  /** Names of the claims of a namespace. */
  public async listAllSandboxes(namespace?: string, labelSelector?: string): Promise<string[]> {
    const claims = await this.native.list({ namespace: namespace || undefined, labelSelector: labelSelector || undefined });
    return claims.map(({ claimName }) => claimName);
  }

  public async deleteSandbox(claimName: string, namespace?: string): Promise<void> {
    await this.native.delete(claimName, { namespace: namespace || undefined });
  }

  /** Deletes all sandboxes that this client has handles of. */
  public async deleteAll(): Promise<void> {
    const results = await Promise.allSettled([...this.registry.values()].filter(({ isActive }) => isActive).map(sandbox => sandbox.close()));
    const errors = results.filter(result => result.status === 'rejected').map(({ reason }) => reason);
    if (errors.length > 0) {
      throw new AggregateError(errors, `${errors.length} sandboxes could not be deleted`);
    }
    this.registry.clear();
  }

  /** Deletes all sandboxes when the process ends by a signal, an uncaught error or an empty event loop. Returns what takes that back. */
  public enableAutoCleanup(): () => void {
    this.exitHook ??= new ExitHook(() => this.deleteAll());
    this.exitHook.arm();
    return () => this.exitHook?.disarm();
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.deleteAll();
    } finally {
      this.exitHook?.disarm();
      await this.native.close();
    }
  }

  private async track(native: OurSandbox): Promise<Sandbox> {
    const { podName = native.name, address = '' } = await native.status();
    const object = await new Reader(this.native.cluster).get(SANDBOXES, { namespace: native.namespace, name: native.name });
    const sandbox = new Sandbox(native, this.limits, podName, address, object.status?.serviceFQDN ?? '');
    this.registry.set(keyOf(native), sandbox);
    if (!this.options.quiet) {
      this.options.logger?.info(`sandbox ${keyOf(native)} is ready`);
    }
    return sandbox;
  }
}

function keyOf({ namespace, claimName }: OurSandbox): string {
  return `${namespace}/${claimName}`;
}
