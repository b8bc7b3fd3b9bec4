import { CONDITION, type SandboxClaim } from 'agent-sandbox-api';
import { isConditionTrue } from '../object/conditions.js';
import type { Change } from '../reconcile/definition.js';

/** When this process first saw each claim that has not been ready yet, for latencies. */
export class FirstSeen {
  private readonly times = new Map<string, { readonly uid: string | undefined; readonly at: number }>();

  public get size(): number {
    return this.times.size;
  }

  /** Handles a change of a claim. Claims that are older than this process are ignored, since their latency is unknown. */
  public observe({ before, after, origin }: Change<SandboxClaim>, now: number): void {
    const claim = (after ?? before)!;
    const key = `${claim.metadata.namespace}/${claim.metadata.name}`;
    const known = this.times.get(key);
    if (after === undefined || isConditionTrue(after.status?.conditions, CONDITION.ready)) {
      if (known?.uid === claim.metadata.uid) {
        this.times.delete(key);
      }
    } else if (before === undefined && origin === 'watch' && known?.uid !== after.metadata.uid) {
      this.times.set(key, { uid: after.metadata.uid, at: now });
    }
  }

  /** Milliseconds since the epoch; `undefined` for claims that are ready, or older than this process. */
  public of({ metadata: { namespace, name, uid } }: SandboxClaim): number | undefined {
    const known = this.times.get(`${namespace}/${name}`);
    return known?.uid === uid ? known?.at : undefined;
  }
}
