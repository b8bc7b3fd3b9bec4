import type { Ref } from '../plan.js';

/** Which keys wait for which objects to change or go. */
export class Blockers {
  private readonly keys = new Map<string, Set<string>>();
  private readonly blockers = new Map<string, readonly string[]>();

  /** Notes what a key waits for now. */
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

  /** The keys that wait for an object. */
  public waitingFor(kind: string, namespace: string, name: string): readonly string[] {
    return [...(this.keys.get(idOf(kind, namespace, name)) ?? [])];
  }
}

function idOf(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}
