import { type Json, walk } from './crd-files';

/** Keywords that a structural schema may use outside of `anyOf`, and that this API needs. */
const KEYWORDS = new Set([
  'type', 'format', 'description', 'default', 'enum', 'pattern', 'minimum', 'maximum', 'minLength', 'maxLength', 'properties', 'required',
  'additionalProperties', 'items', 'anyOf', 'x-kubernetes-int-or-string', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type', 'x-kubernetes-validations',
]);
const SCALARS = ['string', 'integer', 'number', 'boolean'];
const FORMATS: Readonly<Record<string, readonly string[]>> = { integer: ['int32', 'int64'], string: ['date-time'] };

/**
 * What keeps a schema from being structural in the sense of the API server, or from meaning what it says: one line per
 * finding. A CRD that breaks these rules is refused, or accepted with the condition NonStructuralSchema.
 */
export function structuralProblems(schema: Json): string[] {
  const problems: string[] = [];
  walk(schema, (node, path) => {
    const say = (text: string) => problems.push(`${path || 'root'}: ${text}`);
    Object.keys(node).filter(keyword => !KEYWORDS.has(keyword)).forEach(keyword => say(`has the keyword ${keyword}`));
    checkType(node, say);
    checkObject(node, say);
    checkList(node, say);
    if ('default' in node) {
      valueProblems(node, node.default).forEach(problem => say(`default: ${problem}`));
      if (path === 'metadata' || path.startsWith('metadata.')) {
        say('default below metadata');
      }
    }
    for (const rule of node['x-kubernetes-validations'] ?? []) {
      if (!rule.rule || !rule.message || /[\r\n]/.test(rule.message)) {
        say('rule without text or one-line message');
      }
    }
  });
  return problems;
}

type Say = (text: string) => void;

function checkType(node: Json, say: Say): void {
  if (node['x-kubernetes-int-or-string']) {
    if ('type' in node) {
      say('int-or-string has a type');
    }
    if (JSON.stringify(node.anyOf) !== '[{"type":"integer"},{"type":"string"}]') {
      say('int-or-string without anyOf integer, string');
    }
    return;
  }
  if ('anyOf' in node) {
    say('anyOf outside of int-or-string');
  }
  if (![...SCALARS, 'object', 'array'].includes(node.type)) {
    say(`type is ${JSON.stringify(node.type)}`);
  }
  if ('format' in node && !FORMATS[node.type]?.includes(node.format)) {
    say(`format ${node.format} of a ${node.type}`);
  }
  const bounds: Readonly<Record<string, string>> = {
    minimum: 'integer', maximum: 'integer', minLength: 'string', maxLength: 'string', pattern: 'string', enum: 'string',
  };
  Object.keys(bounds).filter(keyword => keyword in node && node.type !== bounds[keyword]).forEach(keyword => say(`${keyword} of a ${node.type}`));
}

function checkObject(node: Json, say: Say): void {
  const keywords = ['properties', 'additionalProperties', 'required', 'x-kubernetes-map-type'];
  if (node.type !== 'object') {
    keywords.filter(keyword => keyword in node).forEach(keyword => say(`${keyword} of a ${node.type}`));
    return;
  }
  if (node.properties && node.additionalProperties) {
    say('both properties and additionalProperties');
  }
  if ('additionalProperties' in node && typeof node.additionalProperties !== 'object') {
    say('additionalProperties is no schema');
  }
  for (const name of node.required ?? []) {
    if (!(name in (node.properties ?? {}))) {
      say(`requires ${name}, which is no property`);
    }
  }
  if (new Set(node.required).size !== (node.required ?? []).length) {
    say('requires a property twice');
  }
}

function checkList(node: Json, say: Say): void {
  const keys: string[] | undefined = node['x-kubernetes-list-map-keys'];
  const listType = node['x-kubernetes-list-type'];
  if (node.type !== 'array') {
    ['items', 'x-kubernetes-list-type', 'x-kubernetes-list-map-keys'].filter(keyword => keyword in node).forEach(keyword => say(`${keyword} of a ${node.type}`));
    return;
  }
  if (typeof node.items !== 'object' || Array.isArray(node.items)) {
    say('list without one schema for its items');
    return;
  }
  if ((listType === 'map') !== (keys !== undefined && keys.length > 0)) {
    say('list map keys without list type map, or the other way round');
  }
  for (const key of keys ?? []) {
    const property = node.items.properties?.[key];
    if (!property) {
      say(`map key ${key} is no property of the items`);
    } else {
      if (!SCALARS.includes(property.type)) {
        say(`map key ${key} is no scalar`);
      }
      if (!node.items.required?.includes(key) && !('default' in property)) {
        say(`map key ${key} is neither required nor has a default`);
      }
    }
  }
  if (listType === 'set' && !SCALARS.includes(node.items.type)) {
    say('set of something else than scalars');
  }
}

/** Why a schema refuses a value, where the API server would. Unknown fields are refused: in a default they would be pruned. */
export function valueProblems(schema: Json, value: any, path = ''): string[] {
  const here = path || 'value';
  if (schema['x-kubernetes-int-or-string']) {
    const fits = Number.isInteger(value) || (typeof value === 'string' && new RegExp(schema.pattern ?? '').test(value));
    return fits ? [] : [`${here} is no integer or matching string`];
  }
  switch (schema.type) {
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return [`${here} is no object`];
      }
      const missing = (schema.required ?? []).filter((name: string) => !(name in value)).map((name: string) => `${here} lacks ${name}`);
      return [...missing, ...Object.entries(value).flatMap(([name, member]) => {
        const property = schema.properties?.[name] ?? schema.additionalProperties;
        return property ? valueProblems(property, member, `${path}.${name}`) : [`${path}.${name} is unknown`];
      })];
    }
    case 'array':
      return Array.isArray(value) ? value.flatMap((item, index) => valueProblems(schema.items, item, `${path}[${index}]`)) : [`${here} is no list`];
    case 'integer':
      return Number.isInteger(value) && !(value < schema.minimum) && !(value > schema.maximum) ? [] : [`${here} is no integer in its bounds`];
    case 'boolean':
      return typeof value === 'boolean' ? [] : [`${here} is no boolean`];
    case 'string': {
      const fits = typeof value === 'string' && (schema.enum?.includes(value) ?? true) && new RegExp(schema.pattern ?? '').test(value)
        && !(value.length < schema.minLength) && !(value.length > schema.maxLength);
      return fits ? [] : [`${here} is no string that fits`];
    }
    default:
      return [`${here} has no type`];
  }
}
