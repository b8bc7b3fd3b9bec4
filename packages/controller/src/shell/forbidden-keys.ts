/**
 * Keys whose requests the API server forbade, most often because of a quota. When an object of their namespace goes, the quota may
 * have room again: then one of them is tried, so that a thousand of them do not try for one place.
 */
export class ForbiddenKeys {
  private readonly byNamespace = new Map<string, Set<string>>();

  /** Sets whether the last reconciliation of a key was forbidden something. */
  public set(key: string, forbidden: boolean): void {
    const namespace = namespaceOf(key);
    const keys = this.byNamespace.get(namespace);
    if (forbidden) {
      this.byNamespace.set(namespace, (keys ?? new Set()).add(key));
    } else if (keys?.delete(key) && keys.size === 0) {
      this.byNamespace.delete(namespace);
    }
  }

  /** The key of a namespace that has waited longest; it waits last from now on. */
  public next(namespace: string): string | undefined {
    const keys = this.byNamespace.get(namespace);
    const [first] = keys ?? [];
    if (first !== undefined) {
      keys!.delete(first);
      keys!.add(first);
    }
    return first;
  }
}

function namespaceOf(key: string): string {
  return key.slice(0, Math.max(0, key.indexOf('/')));
}
