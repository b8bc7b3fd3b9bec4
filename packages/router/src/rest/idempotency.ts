import { hash } from 'node:crypto';
import type { RestSandboxRequest } from 'agent-sandbox-api';
import type { User } from '../auth/caller.js';

/** A request that may be repeated. */
export interface Repeatable {
  /** Name of the claim, unless the request has one. */
  readonly name: string;
  /** Value of the annotation of the claim: says which key and which request it was made by. */
  readonly mark: string;
}

/** Digits of each hash: 128 bits. */
const DIGITS = 32;

/**
 * Makes a name of an Idempotency-Key, so that all replicas of the router create the same claim and the API server keeps it from
 * being made twice. Without the user in it, the keys of one user would be those of all.
 */
export function repeatable({ username, uid }: User, namespace: string, key: string, request: RestSandboxRequest): Repeatable {
  const of = (value: unknown) => hash('sha256', JSON.stringify(value), 'hex').slice(0, DIGITS);
  const keyHash = of([username, uid ?? '', namespace, key]);
  return { name: `sandbox-claim-${keyHash}`, mark: `${keyHash}.${of(sorted(request))}` };
}

/** With the fields of each object in one order: it does not matter in which one they were sent. */
function sorted(value: unknown): unknown {
  return typeof value !== 'object' || value === null ? value
    : Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, sorted(each)]);
}
