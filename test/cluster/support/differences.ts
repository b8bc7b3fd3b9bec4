/** What the server sets in the metadata of every object. */
export const SERVER_METADATA: readonly string[] = ['creationTimestamp', 'generation', 'managedFields', 'resourceVersion', 'uid'];

/**
 * How what the server returned differs from what was sent, one line per difference: `+ path = value` for what it added,
 * `- path = value` for what it dropped, `! path = value` for what it changed. Items of lists are compared by position. Paths are written with the
 * index of items, or without (`containers[]`), see {@link withoutIndexes}.
 */
export function differences(sent: unknown, returned: unknown, path = ''): string[] {
  if (isObject(sent) && isObject(returned)) {
    return [...new Set([...Object.keys(sent), ...Object.keys(returned)])].sort().flatMap(key => {
      const below = path ? `${path}.${key}` : key;
      if (!(key in returned)) {
        return [`- ${below} = ${JSON.stringify(sent[key])}`];
      }
      return key in sent ? differences(sent[key], returned[key], below) : [`+ ${below} = ${JSON.stringify(returned[key])}`];
    });
  }
  if (Array.isArray(sent) && Array.isArray(returned) && sent.length === returned.length) {
    return sent.flatMap((item, index) => differences(item, returned[index], `${path}[${index}]`));
  }
  return sameScalar(sent, returned) ? [] : [`! ${path} = ${JSON.stringify(returned)}`];
}

/** An object without the metadata that the server sets, for comparisons. */
export function withoutServerMetadata<T extends { metadata: Record<string, unknown> }>(object: T): T {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !SERVER_METADATA.includes(key)));
  return { ...object, metadata };
}

/** The same differences for all items of a list, each once, sorted. */
export function withoutIndexes(lines: readonly string[]): string[] {
  return [...new Set(lines.map(line => line.replace(/\[\d+\]/g, '[]')))].sort();
}

/** One text for equal values, whatever the order of their keys. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member) => (isObject(member) ? Object.fromEntries(Object.entries(member).sort(byKey)) : member));
}

function byKey([a]: [string, unknown], [b]: [string, unknown]): number {
  return a < b ? -1 : 1;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sameScalar(sent: unknown, returned: unknown): boolean {
  return Array.isArray(sent) || isObject(sent) ? canonical(sent) === canonical(returned) : Object.is(sent, returned);
}
