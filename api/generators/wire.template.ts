import { type ApiObject, JsonPatch, Lazy } from 'cdk8s';

/**
 * Fields of a type that need work, by their name in TypeScript: the name on the wire and, where fields further down
 * need work too, the type (`[]`: list of it, `{}`: map of it). All other fields go through as they are.
 */
type WireType = Readonly<Record<string, readonly [wireName: string, type?: string]>>;

/** Types that are values of two JSON types: objects in TypeScript, their `value` on the wire. */
const SCALARS: readonly string[] = ['scalars'];

/** @internal */
export const WIRE_TYPES: Readonly<Record<string, WireType>> = {} as Record<string, WireType>;

/**
 * Maps props to wire names. Fields that the type does not have are kept as they are.
 *
 * @internal
 */
export function toWire(type: string, value: any): any {
  if (value === undefined || value === null) {
    return value;
  }
  if (value instanceof Lazy) {
    return Lazy.any({ produce: () => toWire(type, value.produce()) });
  }
  if (type.endsWith('[]')) {
    return Array.isArray(value) ? value.map(item => toWire(type.slice(0, -2), item)) : value;
  }
  if (typeof value !== 'object') {
    return value;
  }
  if (type.endsWith('{}')) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toWire(type.slice(0, -2), item)]));
  }
  if (SCALARS.includes(type)) {
    return value.value;
  }
  const fields = WIRE_TYPES[type] ?? {};
  const wire: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) {
      continue;
    }
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    wire[field?.[0] ?? name] = field?.[1] ? toWire(field[1], item) : item;
  }
  return wire;
}

/**
 * A copy of an operation: what happens to its value afterwards does not reach the manifest.
 *
 * @internal
 */
export function recorded(operation: JsonPatch): JsonPatch {
  return Object.assign(Object.create(Object.getPrototypeOf(operation)), JSON.parse(JSON.stringify(operation)));
}

/**
 * The manifest of `object` after RFC 6902 operations.
 *
 * @internal
 */
export function patched(object: ApiObject, manifest: any, operations: readonly JsonPatch[]): any {
  return operations.reduce((document, operation, index) => {
    try {
      return JsonPatch.apply(document, operation);
    } catch (error) {
      // The message of the library goes on with the whole document.
      const [reason] = (error as Error).message.split('\n');
      throw new Error(`${object.node.path}: operation ${index + 1} of addJsonPatch fails: ${reason}: paths use the names of the manifest, and the parent of a path must exist`);
    }
  }, manifest);
}
