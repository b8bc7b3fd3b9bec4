import type { Condition, SandboxClaim } from './types.gen.js';
import { CONDITION, REASON } from './vocabulary.gen.js';

/** Reasons of `Ready=False` after which the controller does nothing more by itself, and what helps. */
export const FINAL_REASONS: Readonly<Record<string, string>> = {
  [REASON.invalidMetadata]: 'correct the labels and annotations for the Pod',
  [REASON.envVarsInjectionRejected]: 'leave out env, or let the template allow it',
  [REASON.volumeClaimTemplatesError]: 'leave out the volume claims, or let the template allow them',
  [REASON.invalidConfiguration]: 'correct the template',
  [REASON.claimExpired]: 'make a new claim with a longer lifetime',
  [REASON.sandboxExpired]: 'make a new claim with a longer lifetime',
  [REASON.podFailed]: 'see the logs of the Pod, then make a new claim',
  [REASON.podSucceeded]: 'the program of the sandbox has ended: make a new claim',
};

/** The `Ready` condition of a claim or Sandbox. */
export function readyOf({ status }: { status?: { conditions?: Condition[] } }): Condition | undefined {
  return status?.conditions?.find(({ type }) => type === CONDITION.ready);
}

/** Name of the Sandbox that a claim is bound to; early servers wrote it as `Name`. */
export function sandboxNameOf({ status }: SandboxClaim): string | undefined {
  return status?.sandbox?.name || (status?.sandbox as { Name?: string } | undefined)?.Name || undefined;
}
