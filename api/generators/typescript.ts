import { DEFINITIONS, KUBERNETES, OWN } from '../model';
import type { Schema } from '../schema';

/** How a field is used: one value, a list of them, or a map of them by key. */
export type Shape = 'one' | 'list' | 'map';

/** The type behind a field: the referenced definition (if any), and how often it occurs. */
export function fieldType(schema: Schema): { readonly ref?: string; readonly leaf: Schema; readonly shape: Shape } {
  if (schema.items) {
    return { ref: schema.items.$ref, leaf: schema.items, shape: 'list' };
  }
  if (schema.additionalProperties) {
    return { ref: schema.additionalProperties.$ref, leaf: schema.additionalProperties, shape: 'map' };
  }
  return { ref: schema.$ref, leaf: schema, shape: 'one' };
}

/** Definitions that are values of two JSON types rather than objects. */
export function isScalar(name: string): boolean {
  return DEFINITIONS[name]['x-kubernetes-int-or-string'] === true;
}

/** TypeScript for a field; `ref` names a referenced type and `enumeration` a type made for the field's `enum`. */
export function renderType(schema: Schema, names: { ref(name: string): string; enumeration(values: readonly string[]): string }): string {
  const { ref, leaf, shape } = fieldType(schema);
  const one = ref ? names.ref(ref) : leaf.enum ? names.enumeration(leaf.enum) : primitive(leaf);
  switch (shape) {
    case 'list': return /[ |]/.test(one) ? `(${one})[]` : `${one}[]`;
    case 'map': return `{ [key: string]: ${one} }`;
    case 'one': return one;
  }
}

function primitive(schema: Schema): string {
  switch (schema.type) {
    case 'string': return 'string';
    case 'boolean': return 'boolean';
    case 'integer':
    case 'number': return 'number';
    default: throw new Error(`no TypeScript type for ${JSON.stringify(schema)}`);
  }
}

export function isRequired(owner: Schema, property: string): boolean {
  return owner.required?.includes(property) ?? false;
}

/** A doc comment of whole lines. */
export function docComment(lines: readonly string[], indent = ''): string {
  if (lines.length === 0) {
    return '';
  }
  return lines.length === 1
    ? `${indent}/** ${lines[0]} */\n`
    : `${indent}/**\n${lines.map(line => `${indent} *${line ? ' ' + line : ''}\n`).join('')}${indent} */\n`;
}

/** The page of Kubernetes' API reference for one of its types. */
function referenceUrl(name: string): string {
  const [, group, version] = /^io\.k8s\.(?:api|apimachinery\.pkg\.apis)\.(\w+)\.(\w+)\./.exec(KUBERNETES.names[name]) ?? [];
  const anchor = group ? `#${name.toLowerCase()}-${version}-${group === 'networking' ? 'networking-k8s-io' : group}` : '';
  return `https://kubernetes.io/docs/reference/generated/kubernetes-api/${KUBERNETES.source.minor}/${anchor}`;
}

/** What a type is: its own description, or the page of the Kubernetes type. */
export function typeDoc(name: string): string[] {
  if (name === 'EmbeddedObjectMetadata') {
    return ['Labels and annotations of an object inside a template.'];
  }
  return name in OWN ? [OWN[name].description!] : [`Kubernetes \`${name}\`.`, '', `@see ${referenceUrl(name)}`];
}
