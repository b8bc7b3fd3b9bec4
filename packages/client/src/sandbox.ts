import { Commands, type ExecutionResult, resultOf } from './commands.js';
import type { ControlledSandbox } from './control/control.js';
import { SandboxInputError, SandboxNotFoundError } from './errors.js';
import { Files } from './files.js';
import { Forward, type ForwardOptions } from './forward/forward.js';
import type { SandboxStatus, WaitOptions } from './sandbox-status.js';
import type { CallOptions, Transport } from './transport.js';

export interface SandboxIdentity {
  readonly namespace: string;
  /** Name of the claim. */
  readonly claimName: string;
  /** UID of the claim. */
  readonly claimUid?: string;
  /** Whether the end of the handle's scope leaves the claim alone. */
  readonly isKept: boolean;
}

/** What a handle needs of the client that made it. */
export interface SandboxOwner {
  readonly timeoutMs: number;
  deleteClaim(identity: SandboxIdentity, signal?: AbortSignal): Promise<boolean>;
  released(sandbox: Sandbox): void;
}

const LARGEST_ANSWER = 16 * 1024 * 1024;
/** Milliseconds; agents take long, and 180 seconds is the default timeout of routers. */
const AGENT_TIMEOUT_MS = 180_000;

/**
 * A sandbox that a claim is bound to. Holds nothing open: connections belong to the client.
 *
 * With `await using`, a sandbox that was created under a name of the client's choice is deleted at the end of the scope.
 */
export class Sandbox implements AsyncDisposable {
  public readonly commands: Commands;
  public readonly files: Files;

  constructor(
    private readonly owner: SandboxOwner,
    private readonly identity: SandboxIdentity,
    private readonly transport: Transport,
    private readonly target: ControlledSandbox,
  ) {
    this.commands = new Commands(transport, owner.timeoutMs);
    this.files = new Files(transport);
  }

  public get namespace(): string {
    return this.identity.namespace;
  }

  public get claimName(): string {
    return this.identity.claimName;
  }

  /** Name of the Sandbox object; with a warm pool it is not that of the claim. */
  public get name(): string {
    return this.target.name;
  }

  /** Whether the claim outlives the scope of the handle and `deleteAll`. */
  public get isKept(): boolean {
    return this.identity.isKept;
  }

  /** Whether the handle was closed, or the sandbox deleted through it. */
  public get isClosed(): boolean {
    return this.transport.isClosed;
  }

  /** Asks the agent in a computer-use sandbox. Never sent twice, unless `maxAttempts` asks for it. Default time limit: 180 seconds. */
  public async agent(query: string, options: CallOptions = {}): Promise<ExecutionResult> {
    if (query.trim() === '') {
      throw new SandboxInputError('the query is empty', { remedy: 'say what to do' });
    }
    return resultOf('agent', this.transport, await this.transport.json({
      timeoutMs: AGENT_TIMEOUT_MS,
      ...options,
      operation: 'agent',
      method: 'POST',
      path: 'agent',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
      reads: false,
    }, LARGEST_ANSWER));
  }

  /** Whether the runtime answers: `ok` and the seconds since its start. Throws like a call that only reads. */
  public async health(options: CallOptions = {}): Promise<{ readonly status: string; readonly uptimeSeconds: number }> {
    const answer = await this.transport.json({ ...options, operation: 'health', method: 'GET', path: 'v1/health', reads: true }, LARGEST_ANSWER);
    return { status: String(answer?.status ?? ''), uptimeSeconds: Number(answer?.uptime_seconds) || 0 };
  }

  /** Variables of the sandbox that its runtime reveals: those with its prefix (`SANDBOX_`), without names that look like secrets. */
  public async metadata(options: CallOptions = {}): Promise<{ readonly env: Readonly<Record<string, string>> }> {
    const answer = await this.transport.json({ ...options, operation: 'metadata', method: 'GET', path: 'v1/metadata', reads: true }, LARGEST_ANSWER);
    return { env: answer?.env ?? {} };
  }

  /**
   * Opens a port of the sandbox on this machine, for browsers and other programs: a listener on 127.0.0.1 that adds headers and token. Its
   * address has a key of its own, so other users and pages of the machine cannot use it. It lives until it is closed.
   */
  public forward(options: ForwardOptions): Promise<Forward> {
    return Forward.start(this.transport, options);
  }

  /** The current state as reported by the controller. Does not throw for a Sandbox that does not exist. */
  public async status({ signal }: { readonly signal?: AbortSignal } = {}): Promise<SandboxStatus> {
    try {
      return await this.target.status(signal);
    } catch (error) {
      if (error instanceof SandboxNotFoundError) {
        return { state: 'NotFound', reason: '', message: error.message };
      }
      throw error;
    }
  }

  /**
   * Ends the Pod and keeps the volumes. No effect on a suspended sandbox. Needs `patch` on Sandboxes.
   *
   * Throws `SandboxNotFoundError` and, when it takes longer, `SandboxTimeoutError`: it is then still being suspended.
   */
  public async suspend(options: WaitOptions = {}): Promise<void> {
    this.transport.throwIfClosed();
    await this.target.operate('suspend', options);
  }

  /** Starts a Pod again and waits until it is Ready. No effect on a running sandbox. Errors as for `suspend`. */
  public async resume(options: WaitOptions = {}): Promise<void> {
    this.transport.throwIfClosed();
    await this.target.operate('resume', options);
  }

  /** Ends the use of this handle; the sandbox lives on. */
  public close(): void {
    this.transport.close();
    this.owner.released(this);
  }

  /** Deletes the claim and with it the sandbox; no effect if it is gone. May be repeated after a failure. */
  public async delete({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.owner.deleteClaim(this.identity, signal);
    this.close();
  }

  public async [Symbol.asyncDispose](): Promise<void> {
    if (this.identity.isKept || this.isClosed) {
      this.close();
    } else {
      await this.delete();
    }
  }
}
