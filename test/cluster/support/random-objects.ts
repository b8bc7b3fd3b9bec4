import * as fc from 'fast-check';
import { propertyName } from '../../../api/generators/names';
import type { Json } from '../../../api/test/crd-files';
import { l1 } from '../../../src';

const QUANTITIES = ['1', '0', '500m', '1.5', '10Gi', '1e3', '-1', '.5', '', 'plenty', '1 Gi', '1GB'];
const TIMES = ['2027-01-31T17:00:00Z', '2027-01-31T17:00:00.123456789+01:00', '1999-12-31T23:59:59-12:00', '2027-01-31', 'tomorrow', ''];

/** Few fields at a time: with all of them, every object would have a fault, and failures would be unreadable. */
const CHANCE_OF_OPTIONAL = 8;

/** What the type of a field allows, in the words of the wire: right and wrong values alike, as far as the type cannot tell. */
export function arbitraryOf(schema: Json): fc.Arbitrary<any> {
  if (schema['x-kubernetes-int-or-string']) {
    return fc.oneof(fc.integer({ min: -1, max: 70_000 }), schema.pattern ? fc.constantFrom(...QUANTITIES) : text());
  }
  switch (schema.type) {
    case 'object': return schema.additionalProperties ? fc.dictionary(mapKey(), arbitraryOf(schema.additionalProperties), { maxKeys: 3 }) : objectOf(schema);
    case 'array': return fc.array(arbitraryOf(schema.items), { maxLength: 3, size: 'max' });
    case 'boolean': return fc.boolean();
    case 'integer': return fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 2 }) }, { weight: 1, arbitrary: fc.constantFrom(-1, 65_536, 2 ** 31, 0.5) });
    case 'string': return schema.enum ? fc.constantFrom(...schema.enum) : schema.format === 'date-time' ? fc.constantFrom(...TIMES) : text();
    default: throw new Error(`no values for ${JSON.stringify(schema)}`);
  }
}

/** Few different texts, so that lists have duplicates. */
function text(): fc.Arbitrary<string> {
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'name', '/data') }, { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) });
}

function mapKey(): fc.Arbitrary<string> {
  return text().filter(key => key !== '__proto__');
}

function objectOf(schema: Json): fc.Arbitrary<any> {
  const fields = Object.entries<Json>(schema.properties ?? {}).map(([name, property]) => [name, schema.required?.includes(name)
    ? arbitraryOf(property)
    : fc.oneof({ weight: CHANCE_OF_OPTIONAL - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: arbitraryOf(property) })] as const);
  return fc.record(Object.fromEntries(fields)).map(fieldsSet => Object.fromEntries(Object.entries(fieldsSet).filter(([, value]) => value !== undefined)));
}

/** The same value as props of the L1. */
export function toProps(schema: Json, value: any): any {
  if (schema['x-kubernetes-int-or-string']) {
    const type = schema.pattern ? l1.Quantity : l1.IntOrString;
    return typeof value === 'number' ? type.fromNumber(value) : type.fromString(value);
  }
  if (Array.isArray(value)) {
    return value.map(item => toProps(schema.items, item));
  }
  if (schema.type !== 'object') {
    return value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => (schema.additionalProperties
    ? [name, toProps(schema.additionalProperties, member)]
    : [propertyName(name), toProps(schema.properties[name], member)])));
}

/**
 * The rules of the server that a value breaks, one line each. These are the rules that the types of the L1 cannot say:
 * bounds, patterns, formats, whole numbers, and what may be in a list once.
 */
export function brokenRules(schema: Json, value: any, path: string): string[] {
  if (schema['x-kubernetes-int-or-string']) {
    return typeof value === 'string' && schema.pattern && !new RegExp(schema.pattern).test(value) ? [`${path} is not a quantity`] : [];
  }
  if (Array.isArray(value)) {
    return [...duplicates(schema, value, path), ...value.flatMap((item, index) => brokenRules(schema.items, item, `${path}[${index}]`))];
  }
  switch (schema.type) {
    case 'object': return Object.entries(value).flatMap(([name, member]) =>
      brokenRules(schema.additionalProperties ?? schema.properties[name], member, `${path}.${name}`));
    case 'integer': return [
      ...(Number.isInteger(value) ? [] : [`${path} is not whole`]),
      ...(value < schema.minimum ? [`${path} is too small`] : []),
      ...(value > schema.maximum ? [`${path} is too large`] : []),
    ];
    case 'string': return [
      ...(value.length < schema.minLength ? [`${path} is too short`] : []),
      ...(schema.format === 'date-time' && !/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/.test(value) ? [`${path} is not a time`] : []),
    ];
    default: return [];
  }
}

function duplicates(schema: Json, items: readonly any[], path: string): string[] {
  const keys: string[] = schema['x-kubernetes-list-map-keys'] ?? [];
  const identity = schema['x-kubernetes-list-type'] === 'map'
    ? (item: any) => JSON.stringify(keys.map(key => item[key] ?? schema.items.properties[key].default))
    : schema['x-kubernetes-list-type'] === 'set' ? (item: any) => JSON.stringify(item) : undefined;
  const seen = identity ? items.map(identity) : [];
  return seen.flatMap((item, index) => (seen.indexOf(item) < index ? [`${path}[${index}] is a duplicate`] : []));
}

/** A change of a value that its schema forbids. */
export interface Mutation {
  readonly what: string;
  apply(): any;
}

/** Every single change of a value that breaks the schema: wrong types, missing and unknown fields, other words than those of an enumeration. */
export function mutations(schema: Json, value: any, path = 'spec'): Mutation[] {
  const wrongTypes = (...wrong: unknown[]) => wrong.map(other => ({ what: `${path} = ${JSON.stringify(other)}`, apply: () => other }));
  if (schema['x-kubernetes-int-or-string']) {
    return wrongTypes(true, {}, [], 0.5);
  }
  switch (schema.type) {
    case 'object': return [...wrongTypes('text', 1, []), ...ofFields(schema, value, path)];
    case 'array': return [...wrongTypes('text', {}, true), ...value.flatMap((item: any, index: number) => mutations(schema.items, item, `${path}[${index}]`)
      .map(({ what, apply }) => ({ what, apply: () => value.map((other: any, position: number) => (position === index ? apply() : other)) })))];
    case 'integer': return [...wrongTypes('1', true, 0.5, {}), ...('minimum' in schema ? wrongTypes(schema.minimum - 1) : []), ...('maximum' in schema ? wrongTypes(schema.maximum + 1) : [])];
    case 'boolean': return wrongTypes('true', 1, []);
    // Where a string has a format, the server takes an empty list for one.
    default: return [...wrongTypes(1, true, {}, ...(schema.format ? [] : [[]])), ...(schema.enum ? wrongTypes('', `${schema.enum[0]}s`) : [])];
  }
}

function ofFields(schema: Json, value: any, path: string): Mutation[] {
  const inside = Object.entries<any>(value).flatMap(([name, member]) => mutations(schema.additionalProperties ?? schema.properties[name], member, `${path}.${name}`)
    .map(({ what, apply }) => ({ what, apply: () => ({ ...value, [name]: apply() }) })));
  if (schema.additionalProperties) {
    return inside;
  }
  const missing = (schema.required ?? []).map((name: string) => ({
    what: `${path} without ${name}`, apply: () => Object.fromEntries(Object.entries(value).filter(([key]) => key !== name)),
  }));
  return [...inside, ...missing, { what: `${path}.unknownField`, apply: () => ({ ...value, unknownField: 1 }) }];
}
