import { isRecord, mergeDiff } from '../object/diff.js';
import type { KubeObject } from '../object/metadata.js';
import type { Change } from '../reconcile/definition.js';
import type { Outcome, Request } from '../reconcile/plan.js';

interface Held {
  readonly version: string;
  readonly change: Change<KubeObject>;
}

/**
 * The changes that come while an object is reconciled: those that its own writes made are no news. The watch is often faster than
 * the answer to a write, and a change may hold more than the write: what others wrote meanwhile is news.
 */
export class Echoes {
  private readonly held: Held[] = [];
  private readonly writes = new Map<string, Request>();

  /** Takes a change that may be one of the own writes; returns false for one that is certainly none. */
  public hold(change: Change<KubeObject>): boolean {
    const { after, origin } = change;
    const version = after?.metadata.resourceVersion;
    if (version === undefined || (origin !== 'watch' && origin !== 'write')) {
      return false;
    }
    this.held.push({ version, change });
    return true;
  }

  /** Takes the outcome of an own request. */
  public note(request: Request, outcome: Outcome): void {
    const version = outcome.ok ? outcome.object?.metadata.resourceVersion : undefined;
    if (version !== undefined && (request.op === 'create' || request.op === 'patch')) {
      this.writes.set(version, request);
    }
  }

  /** Whether any of the changes is by others, at least in part. */
  public get hasNews(): boolean {
    return this.held.some(({ version, change }) => {
      const request = this.writes.get(version);
      return request === undefined || !isAccountedFor(request, change);
    });
  }
}

/** An event of the watch is one write. The answer to a write may skip writes of others, whose events then come too late to be seen. */
function isAccountedFor(request: Request, { before, after, origin }: Change<KubeObject>): boolean {
  if (origin === 'watch' || request.op === 'create') {
    return true;
  }
  const difference = before && after && mergeDiff(withoutVersion(before), withoutVersion(after));
  return difference === undefined || (request.op === 'patch' && request.type === 'merge' && covers(request.body, difference));
}

function withoutVersion(object: KubeObject): object {
  return { ...object, metadata: { ...object.metadata, resourceVersion: undefined, generation: undefined } };
}

/** Whether a merge patch sets everything that another one sets. */
function covers(patch: unknown, other: { readonly [key: string]: unknown }): boolean {
  return isRecord(patch) && Object.entries(other).every(([key, value]) =>
    Object.hasOwn(patch, key) && (!isRecord(value) || !isRecord(patch[key]) || covers(patch[key], value)));
}
