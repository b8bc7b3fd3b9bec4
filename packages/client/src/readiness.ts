import {
  CONDITION, type Condition, FINAL_REASONS, type ObjectRef, REASON, SANDBOXES, SANDBOX_CLAIMS, type Sandbox as SandboxObject, type SandboxClaim,
  keyOf, readyOf, sandboxNameOf,
} from 'agent-sandbox-api';
import type { Cluster } from 'agent-sandbox-kube';
import { originOf } from './claim.js';
import {
  SandboxClaimFailedError, SandboxNotFoundError, SandboxTemplateNotFoundError, SandboxTimeoutError, SandboxWarmPoolNotFoundError,
} from './errors.js';
import { waitForObject } from './object-wait.js';

/** Steps of making a sandbox, for progress output. */
export type Progress =
  /** The claim is stored. */
  | { readonly step: 'created'; readonly claim: string }
  /** The controller says why there is no Ready sandbox yet. */
  | { readonly step: 'waiting'; readonly reason: string; readonly message: string }
  /** The claim has a Sandbox. */
  | { readonly step: 'bound'; readonly sandbox: string }
  | { readonly step: 'ready'; readonly sandbox: string };

export interface WaitForClaimOptions {
  /** `bound`: it has a Sandbox; `ready`: which is Ready, too. */
  readonly until: 'bound' | 'ready';
  /** Milliseconds. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/**
 * Waits for a claim and returns its newest version. Throws the error of a final condition at once, `SandboxNotFoundError` when the
 * claim is deleted, `SandboxTimeoutError`, the reason of the signal, or `ApiError` for what the server refuses.
 */
export async function waitForClaim(cluster: Cluster, claim: SandboxClaim, options: WaitForClaimOptions): Promise<SandboxClaim> {
  return waitForObject(cluster, SANDBOX_CLAIMS, claim, {
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    check: claimCheck(options),
    onTimeout: last => claimTimeout(last, options),
    onDeleted: () => deleted(claim.metadata as ObjectRef),
  });
}

/** Tells whether a version of a claim is the one that is waited for. Throws the error of a final condition. */
export function claimCheck({ until, onProgress }: WaitForClaimOptions): (claim: SandboxClaim) => boolean {
  return current => {
    throwIfFinal(current);
    const sandbox = sandboxNameOf(current);
    const ready = readyOf(current);
    if (sandbox && ready?.status === 'True') {
      onProgress?.({ step: 'ready', sandbox });
      return true;
    }
    if (ready && ready.status !== 'True') {
      onProgress?.({ step: 'waiting', reason: ready.reason, message: ready.message });
    }
    if (sandbox) {
      onProgress?.({ step: 'bound', sandbox });
    }
    return sandbox !== undefined && until === 'bound';
  };
}

/** The error for a claim that is not in time what is waited for. */
export function claimTimeout(last: SandboxClaim, { until, timeoutMs }: WaitForClaimOptions): SandboxTimeoutError {
  const key = keyOf(last);
  const { reason, message } = readyOf(last) ?? {};
  const said = reason ? `the controller says ${reason}${message ? ` (${message})` : ''}` : 'no controller has looked at it: is one running?';
  return new SandboxTimeoutError(`claim ${key} was not ${until} within ${timeoutMs} ms; ${said}`, timeoutMs, { claim: key, reason });
}

/** Waits until a Sandbox is Ready, or suspended. Errors as for `waitForClaim`. */
export async function waitForSandbox(
  cluster: Cluster, claim: string, sandbox: SandboxObject, condition: typeof CONDITION.ready | typeof CONDITION.suspended,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<SandboxObject> {
  const key = keyOf(sandbox);
  return waitForObject(cluster, SANDBOXES, sandbox, {
    timeoutMs,
    signal,
    check: current => {
      const ready = readyOf(current);
      if (condition === CONDITION.ready && ready?.status === 'False' && ready.reason in FINAL_REASONS) {
        throw new SandboxClaimFailedError(`Sandbox ${key} failed (${textOf(ready)})`, { claim, reason: ready.reason, remedy: FINAL_REASONS[ready.reason] });
      }
      return current.status?.conditions?.some(({ type, status }) => type === condition && status === 'True') ?? false;
    },
    onTimeout: last => {
      const ready = readyOf(last);
      return new SandboxTimeoutError(`Sandbox ${key} was not ${condition} within ${timeoutMs} ms${ready ? `; the controller says ${textOf(ready)}` : ''}`, timeoutMs, {
        claim, reason: ready?.reason,
      });
    },
    onDeleted: () => new SandboxNotFoundError(`Sandbox ${key} was deleted while it was waited for`, { claim, remedy: 'make a new claim' }),
  });
}

/** Throws the error for a final condition; returns if the state can still become ready. */
function throwIfFinal(claim: SandboxClaim): void {
  const key = keyOf(claim);
  for (const condition of claim.status?.conditions ?? []) {
    const { type, status, reason } = condition;
    const failed = type === CONDITION.ready && status === 'False';
    if (reason === REASON.warmPoolNotFound) {
      throw new SandboxWarmPoolNotFoundError(`claim ${key} names ${originOf(claim)}, which does not exist (${textOf(condition)})`, {
        claim: key, reason, remedy: 'create the pool, or name another one',
      });
    }
    if (failed && reason === REASON.templateNotFound) {
      throw new SandboxTemplateNotFoundError(`the template of claim ${key} (${originOf(claim)}) does not exist (${textOf(condition)})`, {
        claim: key, reason, remedy: 'create the template, or name another one',
      });
    }
    if (failed && reason in FINAL_REASONS) {
      throw new SandboxClaimFailedError(`claim ${key} failed (${textOf(condition)})`, { claim: key, reason, remedy: FINAL_REASONS[reason] });
    }
  }
}

function textOf({ reason, message }: Condition): string {
  return message ? `${reason}: ${message}` : reason;
}

function deleted(ref: ObjectRef): SandboxNotFoundError {
  return new SandboxNotFoundError(`claim ${keyOf(ref)} was deleted while it was waited for`, { claim: keyOf(ref), remedy: 'make a new claim' });
}
