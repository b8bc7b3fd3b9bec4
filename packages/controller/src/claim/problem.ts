import { REASON } from 'agent-sandbox-api';
import type { Failure } from '../reconcile/plan.js';

/** Why a claim has no usable Sandbox, as its Ready condition states it. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
  /**
   * When to try again: with back-off, after an event or at the latest the given time, or not before the claim changes, because
   * only its author can correct it.
   */
  readonly retry: 'none' | 'backoff' | { readonly afterMs: number };
}

/** Creation of a missing object requeues the claim; this interval covers an event that was missed. */
const MISSING_WAIT_MS = 60_000;
/** The template's controller may learn meanwhile that the API server refuses the policy. */
const POLICY_WAIT_MS = 2000;
/** A Sandbox of the claim's name existed and is gone. */
const CREATE_WAIT_MS = 200;

export const problem = {
  /** The same for a template that does not exist and for one of another namespace that may not be used. */
  templateNotFound: (name: string): Problem =>
    ({ reason: REASON.templateNotFound, message: `SandboxTemplate "${name}" not found`, retry: { afterMs: MISSING_WAIT_MS } }),
  warmPoolNotFound: (name: string): Problem =>
    ({ reason: REASON.warmPoolNotFound, message: `SandboxWarmPool "${name}" not found`, retry: { afterMs: MISSING_WAIT_MS } }),
  invalidConfiguration: (message: string): Problem => ({ reason: REASON.invalidConfiguration, message, retry: { afterMs: MISSING_WAIT_MS } }),
  networkPolicyNotReady: (message: string): Problem => ({ reason: REASON.networkPolicyNotReady, message, retry: { afterMs: POLICY_WAIT_MS } }),
  invalidMetadata: (message: string): Problem => ({ reason: REASON.invalidMetadata, message, retry: 'none' }),
  envRejected: (message: string): Problem => ({ reason: REASON.envVarsInjectionRejected, message, retry: 'none' }),
  volumesRejected: (message: string): Problem => ({ reason: REASON.volumeClaimTemplatesError, message, retry: 'none' }),
  createPending: (): Problem =>
    ({ reason: REASON.sandboxCreatePending, message: 'Sandbox already created; waiting for cache to converge', retry: { afterMs: CREATE_WAIT_MS } }),
  adoptionConflict: (detail: string): Problem => ({
    reason: REASON.adoptionConflict,
    message: `adoption write conflict: ${detail}; the next reconciliation retries from a converged view`,
    retry: 'backoff',
  }),
  /** Anything else: reported in full and retried with back-off. */
  error: (message: string): Problem => ({ reason: REASON.reconcilerError, message: `Error seen: ${message}`, retry: 'backoff' }),
  failure: ({ reason, message }: Failure): Problem => (reason === 'NamespaceTerminating'
    ? { reason: REASON.sandboxMissing, message: 'Sandbox does not exist: the namespace is being terminated', retry: { afterMs: MISSING_WAIT_MS } }
    : problem.error(message)),
};
