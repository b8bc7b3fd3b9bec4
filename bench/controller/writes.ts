import type { AuditedRequest } from '../../testbed/src/index.js';
import type { ClaimSample } from './load';

/**
 * `path`: about a claim, between its POST and its Ready: the claim itself, its Sandbox and that Sandbox's Pod, Service and
 * volumes, and Events about these. `after`: about the same objects, later. `refill`: everything else.
 */
export type Part = 'path' | 'after' | 'refill';

/** Number of writes, by `verb resource/subresource`. */
export type Counts = { readonly [what: string]: number };

export type WritesByPart = { readonly [part in Part]: Counts };

const OF_SANDBOX = ['sandboxes', 'pods', 'services', 'persistentvolumeclaims'];

/** Attributes the writes of a controller to the claims that they were made for. */
export function attribute(writes: readonly AuditedRequest[], samples: readonly ClaimSample[]): WritesByPart {
  const byClaim = new Map(samples.map(sample => [sample.name, sample]));
  const bySandbox = new Map(samples.map(sample => [sample.sandbox, sample]));
  const sampleOf = ({ resource, name }: AuditedRequest) => {
    if (resource === 'sandboxclaims') {
      return byClaim.get(name);
    }
    if (resource === 'events') {
      // The name of an Event is that of its object and a suffix.
      const regarding = name.slice(0, name.lastIndexOf('.'));
      return byClaim.get(regarding) ?? bySandbox.get(regarding);
    }
    return OF_SANDBOX.includes(resource) ? bySandbox.get(name) : undefined;
  };
  const counts: { [part in Part]: { [what: string]: number } } = { path: {}, after: {}, refill: {} };
  for (const write of writes) {
    const part = partOf(write, sampleOf(write));
    const what = `${write.verb} ${write.resource}${write.subresource ? `/${write.subresource}` : ''}`;
    counts[part][what] = (counts[part][what] ?? 0) + 1;
  }
  return counts;
}

/** A member of a pool is refill until it is claimed. */
function partOf(write: AuditedRequest, sample: ClaimSample | undefined): Part {
  if (!sample || write.at < sample.requested.date) {
    return 'refill';
  }
  return write.at <= sample.ready.date ? 'path' : 'after';
}

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
