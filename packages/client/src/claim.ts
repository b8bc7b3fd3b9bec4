import { randomBytes } from 'node:crypto';
import {
  CREATED_BY, ClaimInputError, type ClaimOptions, type SandboxClaim, type TraceContext, buildClaim as claimOf, checkName as nameCheck,
  checkNamespace as namespaceCheck, definedOnly,
} from 'agent-sandbox-api';
import { SandboxInputError } from './errors.js';

export type { ClaimOptions, Lifetime, TraceContext } from 'agent-sandbox-api';

/**
 * The claim as it is created. Throws `SandboxInputError` for what the server or the controller would refuse later.
 *
 * @param now milliseconds since 1970
 */
export function buildClaim(namespace: string, options: ClaimOptions, now: number, trace?: TraceContext): SandboxClaim {
  return checked(() => claimOf(namespace, options, {
    now, name: `sandbox-claim-${randomBytes(4).toString('hex')}`, createdBy: CREATED_BY.typescriptClient, ...definedOnly({ trace }),
  }));
}

/** Throws unless it is a DNS label of at most 63 characters. */
export function checkNamespace(namespace: string): void {
  checked(() => namespaceCheck(namespace));
}

/** Throws unless it is a DNS subdomain of at most 253 characters. */
export function checkName(field: string, name: string): void {
  checked(() => nameCheck(field, name));
}

/** Pool or template that a claim names, as a text for people. */
export function originOf(claim: SandboxClaim): string {
  const { warmPoolRef, sandboxTemplateRef } = claim.spec;
  return warmPoolRef ? `pool "${warmPoolRef.name}"` : `template "${sandboxTemplateRef?.name ?? ''}"`;
}

function checked<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof ClaimInputError ? new SandboxInputError(error.problem, { remedy: error.remedy, cause: error }) : error;
  }
}
