import { ANNOTATION, type Sandbox, type SandboxClaim } from 'agent-sandbox-api';
import { wasUpToDate } from '../object/conditions.js';
import { contentHash } from '../object/content-hash.js';
import { annotationOf } from '../object/metadata.js';

/** The parts of a claim's spec that decide which Sandbox it gets and how that is made. They have no effect on a Sandbox that it has. */
const PARTS: { readonly [name: string]: (spec: SandboxClaim['spec']) => unknown } = {
  'spec.env': ({ env = [] }) => env,
  'spec.volumeClaimTemplates': ({ volumeClaimTemplates = [] }) => volumeClaimTemplates,
  'spec.warmPoolRef, spec.sandboxTemplateRef or spec.warmpool': ({ warmPoolRef, sandboxTemplateRef, warmpool }) => ({ warmPoolRef, sandboxTemplateRef, warmpool }),
};

/** What a claim asks for, as its Sandbox remembers it: the hashes of the parts, in order. */
export function requestOf({ spec }: SandboxClaim): string {
  return Object.values(PARTS).map(part => contentHash(part(spec))).join('.');
}

/** The parts of a claim that have changed since it got its Sandbox. Sandboxes that others made do not say what was asked for. */
export function changedParts(claim: SandboxClaim, sandbox: Sandbox): string[] {
  if (wasUpToDate(claim)) {
    return [];
  }
  const before = annotationOf(sandbox, ANNOTATION.claimRequest)?.split('.');
  const now = requestOf(claim).split('.');
  return before?.length === now.length ? Object.keys(PARTS).filter((_, i) => before[i] !== now[i]) : [];
}
