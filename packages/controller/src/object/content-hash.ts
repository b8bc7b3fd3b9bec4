import { nameHash } from 'agent-sandbox-api';

/** A hash of JSON that does not depend on the order of keys, since writers order keys differently. */
export function contentHash(value: unknown): string {
  return nameHash(JSON.stringify(value, (_, node: unknown) => (typeof node !== 'object' || node === null || Array.isArray(node)
    ? node
    : Object.fromEntries(Object.entries(node).sort(([a], [b]) => (a < b ? -1 : 1))))));
}
