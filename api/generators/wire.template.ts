import { JsonPatch } from 'cdk8s';

/**
 * Fields of a type that need work, by their name in TypeScript: the name on the wire and, where fields further down
 * need work too, the type (`[]`: list of it, `{}`: map of it). All other fields go through as they are.
 */
type WireType = Readonly<Record<string, readonly [wireName: string, type?: string]>>;

const WIRE_TYPES: Readonly<Record<string, WireType>> = {} as Record<string, WireType>;

/**
 * Maps props to wire names. Fields that the type does not have are kept as they are.
 *
 * @internal
 */
export function toWire(type: string, value: any): any {
  if (value === undefined || value === null) {
    return value;
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
  const fields = WIRE_TYPES[type];
  if (!fields) {
    return value.value; // Quantity and IntOrString
  }
  const wire: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    wire[field?.[0] ?? name] = field?.[1] ? toWire(field[1], item) : item;
  }
  return wire;
}

/**
 * The manifest after RFC 6902 operations.
 *
 * @internal
 */
export function patched(manifest: any, operations: readonly JsonPatch[]): any {
  return operations.length > 0 ? JsonPatch.apply(manifest, ...operations) : manifest;
}
