import type { ClaimOptions, ObjectRef, SandboxClaim } from 'agent-sandbox-api';
import type { WaitForClaimOptions } from '../readiness.js';
import type { SandboxStatus, WaitOptions } from '../sandbox-status.js';
import type { TransportTarget } from '../transport.js';

/** A claim by its name, and by its UID where that is known. */
export interface ClaimRef {
  readonly namespace: string;
  readonly claimName: string;
  readonly claimUid?: string;
}

/** The Sandbox of a claim: where requests go, and what the controller says. */
export interface ControlledSandbox extends TransportTarget {
  /** What the controller says now. Throws `SandboxNotFoundError`. */
  status(signal?: AbortSignal): Promise<SandboxStatus>;
  /** Suspends or resumes it, and waits for that unless `wait` is false. */
  operate(operation: 'suspend' | 'resume', options: WaitOptions): Promise<void>;
}

/**
 * Where claims are made and read: the API server, or the REST surface of the router. What is refused there is an `ApiError` in both
 * cases.
 */
export interface Control {
  /** @param options what the claim was built from */
  create(claim: SandboxClaim, options: ClaimOptions): Promise<SandboxClaim>;
  get(ref: ObjectRef, signal?: AbortSignal): Promise<SandboxClaim>;
  list(namespace: string, labelSelector: string | undefined, signal?: AbortSignal): Promise<SandboxClaim[]>;
  delete(ref: ClaimRef, signal?: AbortSignal): Promise<void>;
  /** As `waitForClaim`. */
  wait(claim: SandboxClaim, options: WaitForClaimOptions): Promise<SandboxClaim>;
  /** The Sandbox of a claim that is bound. */
  sandbox(claim: SandboxClaim): ControlledSandbox;
  /** Throws if the Sandbox of a claim that is bound does not exist. */
  confirm(sandbox: ControlledSandbox, signal?: AbortSignal): Promise<void>;
}
