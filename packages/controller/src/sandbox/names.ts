import type { Sandbox } from 'agent-sandbox-api';
import { isOlder } from '../object/metadata.js';
import { ownershipOf } from '../object/ownership.js';
import { unreadableTime } from '../object/time.js';
import { refOf, type Ref } from '../reconcile/plan.js';
import { hashOf, nameOf, volumeClaimName, type ObservedSandbox } from './observed.js';
import { findPods } from './pod.js';

/** Why a Sandbox cannot have children, in the user's words. */
export interface InvalidConfiguration {
  readonly message: string;
  readonly blockedBy: readonly Ref[];
}

/** Longest names: of a Service (it is a DNS label), of a volume, and of any other object. */
const LONGEST_LABEL = 63;
const LONGEST_NAME = 253;

const SERVICE_NAME = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const VOLUME_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/**
 * Checks what the schema cannot: names that children would get, and the 32-bit hash of the name, which the Service and
 * network policies select by. Of two Sandboxes with one hash the younger is refused, unless it has a Pod already.
 */
export function invalidConfiguration(observed: ObservedSandbox): InvalidConfiguration | undefined {
  const { sandbox } = observed;
  const problems = [...serviceProblems(observed), ...volumeProblems(sandbox)];
  const time = unreadableTime('spec.shutdownTime', sandbox.spec.shutdownTime);
  if (time !== undefined) {
    problems.push(time);
  }
  const elder = olderWithSameHash(observed);
  if (elder !== undefined) {
    problems.push(`the name "${nameOf(sandbox)}" has the same hash ${hashOf(sandbox)} as the older sandbox "${nameOf(elder)}": choose another name`);
  }
  return problems.length === 0 ? undefined : { message: problems.join('\n'), blockedBy: elder === undefined ? [] : [refOf(elder)] };
}

function serviceProblems({ sandbox, service }: ObservedSandbox): string[] {
  const name = nameOf(sandbox);
  if (sandbox.spec.service !== true || service !== undefined || (name.length <= LONGEST_LABEL && SERVICE_NAME.test(name))) {
    return [];
  }
  return [`the name "${name}" cannot be the name of a Service: use at most ${LONGEST_LABEL} lower-case letters, digits and hyphens, a letter first, or drop spec.service`];
}

function volumeProblems(sandbox: Sandbox): string[] {
  return (sandbox.spec.volumeClaimTemplates ?? []).flatMap(template => {
    const volume = template.metadata?.name ?? '';
    const claim = volumeClaimName(volume, sandbox);
    if (volume.length > LONGEST_LABEL || !VOLUME_NAME.test(volume)) {
      return [`the volume claim template "${volume}" cannot be the name of a volume: use at most ${LONGEST_LABEL} lower-case letters, digits and hyphens`];
    }
    return claim.length > LONGEST_NAME
      ? [`the PVC name "${claim}" has ${claim.length} characters, more than ${LONGEST_NAME}: shorten the name of the sandbox or of the volume`]
      : [];
  });
}

/** A Sandbox that was made in the same second and has a Pod already was first, too, whatever the UIDs say. */
function olderWithSameHash(observed: ObservedSandbox): Sandbox | undefined {
  const { sandbox, sameHash, pods, service, volumeClaims } = observed;
  const hasChildren = findPods(observed).owned.length > 0
    || [...(service === undefined ? [] : [service]), ...Object.values(volumeClaims)].some(child => ownershipOf(child, sandbox) === 'own');
  return hasChildren ? undefined : sameHash.find(other =>
    nameOf(other) !== nameOf(sandbox) && hashOf(other) === hashOf(sandbox)
    && (isOlder(other, sandbox) || pods.some(pod => ownershipOf(pod, other) === 'own')));
}
