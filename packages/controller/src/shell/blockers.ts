import type { Ref } from '../reconcile/plan.js';

/** Which keys are blocked by which objects. */
export class Blockers {
  private readonly keys = new Map<string, Set<string>>();
  private readonly blockers = new Map<string, readonly string[]>();

  /** Sets the objects that block a key. */
  public set(key: string, refs: readonly Ref[]): void {
    for (const id of this.blockers.get(key) ?? []) {
      const waiting = this.keys.get(id);
      waiting?.delete(key);
      if (waiting?.size === 0) {
        this.keys.delete(id);
      }
    }
    this.blockers.delete(key);
    if (refs.length > 0) {
      const ids = refs.map(({ kind, namespace, name }) => idOf(kind, namespace, name));
      this.blockers.set(key, ids);
      for (const id of ids) {
        this.keys.set(id, (this.keys.get(id) ?? new Set()).add(key));
      }
    }
  }

  /** The keys that an object blocks. */
  public blockedBy(kind: string, namespace: string, name: string): readonly string[] {
    return [...(this.keys.get(idOf(kind, namespace, name)) ?? [])];
  }
}

function idOf(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}
