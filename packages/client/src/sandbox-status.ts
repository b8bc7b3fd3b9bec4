export type SandboxState = 'Ready' | 'NotReady' | 'Suspended' | 'NotFound';

/** The state of a sandbox as reported by the controller. */
export interface SandboxStatus {
  readonly state: SandboxState;
  /** Machine-readable, for example `DependenciesNotReady`; empty if nothing was said yet. */
  readonly reason: string;
  readonly message: string;
  /** Name of the Pod. @default - the Sandbox does not exist */
  readonly podName?: string;
  /** @default - there is no Pod, or it has no address */
  readonly address?: string;
}

export interface WaitOptions {
  /** Whether to wait until it is done. @default true */
  readonly wait?: boolean;
  /** Milliseconds to wait. @default 180000 */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}
