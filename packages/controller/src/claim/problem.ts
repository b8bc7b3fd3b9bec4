import { REASON } from 'agent-sandbox-api';
import type { Failure } from '../plan.js';

/** Why a claim has no usable Sandbox, as the Ready condition tells it. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
  /**
   * What follows: `wait` for an event or, failing that, the given time; `back off` and try again; or nothing, because only the
   * user can mend it.
   */
  readonly then: 'nothing' | 'back off' | { readonly waitMs: number };
}

/** Something that was asked for does not exist, yet; its coming wakes the claim, this is for what was overlooked. */
const MISSING_WAIT_MS = 60_000;
/** A Sandbox of the claim's name was there and is gone: the next pass will see. */
const CREATE_WAIT_MS = 200;

export const problem = {
  /** The same for a template that does not exist and for one of another namespace that may not be used. */
  templateNotFound: (name: string): Problem =>
    ({ reason: REASON.templateNotFound, message: `SandboxTemplate "${name}" not found`, then: { waitMs: MISSING_WAIT_MS } }),
  warmPoolNotFound: (name: string): Problem =>
    ({ reason: REASON.warmPoolNotFound, message: `SandboxWarmPool "${name}" not found`, then: { waitMs: MISSING_WAIT_MS } }),
  invalidConfiguration: (message: string): Problem => ({ reason: REASON.invalidConfiguration, message, then: { waitMs: MISSING_WAIT_MS } }),
  networkPolicyNotReady: (message: string): Problem => ({ reason: REASON.networkPolicyNotReady, message, then: { waitMs: MISSING_WAIT_MS } }),
  invalidMetadata: (message: string): Problem => ({ reason: REASON.invalidMetadata, message, then: 'nothing' }),
  envRejected: (message: string): Problem => ({ reason: REASON.envVarsInjectionRejected, message, then: 'nothing' }),
  volumesRejected: (message: string): Problem => ({ reason: REASON.volumeClaimTemplatesError, message, then: 'nothing' }),
  createPending: (): Problem =>
    ({ reason: REASON.sandboxCreatePending, message: 'Sandbox already created; waiting for cache to converge', then: { waitMs: CREATE_WAIT_MS } }),
  adoptionConflict: (detail: string): Problem => ({
    reason: REASON.adoptionConflict,
    message: `adoption write conflict: ${detail}; the next pass retries from a converged view`,
    then: 'back off',
  }),
  /** Anything else: told with all words, and tried again. */
  error: (message: string): Problem => ({ reason: REASON.reconcilerError, message: `Error seen: ${message}`, then: 'back off' }),
  failure: ({ message }: Failure): Problem => problem.error(message),
};
