import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFINITIONS, KINDS, header, reachable } from '../model';
import type { Schema } from '../schema';
import { docComment, isRequired, isScalar, renderType, typeDoc } from './typescript';

function renderInterface(name: string): string {
  const schema = DEFINITIONS[name];
  if (isScalar(name)) {
    return docComment(typeDoc(name)) + `export type ${name} = number | string;\n`;
  }
  const names = {
    ref: (ref: string) => ref,
    enumeration: (values: readonly string[]) => values.map(value => `'${value}'`).join(' | '),
  };
  const fields = Object.entries(schema.properties ?? {}).map(([property, s]) =>
    docComment(s.description ? [s.description] : [], '  ') + `  ${property}${isRequired(schema, property) ? '' : '?'}: ${renderType(s, names)};\n`);
  return docComment(typeDoc(name)) + `export interface ${name} {\n${fields.join('')}}\n`;
}

/** The resources of the four kinds, in the stored version. */
function renderResources(): string {
  const resources = KINDS.map(({ group, kind, plural }) =>
    `export const ${constantName(plural, kind)}: Resource<${kind}> = { group: '${group}', version: 'v1beta1', kind: '${kind}', plural: '${plural}', namespaced: true };\n`);
  return `import type { Resource } from './resource.js';\nimport type { ${KINDS.map(({ kind }) => kind).join(', ')} } from './types.gen.js';\n\n${resources.join('')}`;
}

/** `SANDBOX_WARM_POOLS` of `sandboxwarmpools` and `SandboxWarmPool`. */
function constantName(plural: string, kind: string): string {
  return (kind.replace(/\B(?=[A-Z])/g, '_') + plural.slice(kind.length)).toUpperCase();
}

/** The defaults inside a type, by path: `containers[].ports[].protocol`. Values of maps have none. */
function defaultsOf(schema: Schema, path: string): [path: string, value: unknown][] {
  const node = schema.$ref ? { ...DEFINITIONS[schema.$ref], ...schema, $ref: undefined } : schema;
  return [
    ...('default' in node ? [[path, node.default] as [string, unknown]] : []),
    ...Object.entries(node.properties ?? {}).flatMap(([name, property]) => defaultsOf(property, path === '' ? name : `${path}.${name}`)),
    ...(node.items ? defaultsOf(node.items, `${path}[]`) : []),
  ];
}

function renderDefaults(): string {
  const rows = defaultsOf({ $ref: 'PodSpec' }, '').map(([path, value]) => `  '${path}': ${JSON.stringify(value).replace(/"/g, "'")},`);
  return `/** The values that the API server puts where a Pod spec inside an object of the API has none, by path. */
export const POD_SPEC_DEFAULTS: { readonly [path: string]: unknown } = {\n${rows.join('\n')}\n};\n`;
}

/** Wire types and resources for programs; vocabulary, semantics, rights and `definedOnly` for programs and constructs. */
export function generateWireTypes(): Record<string, string> {
  const types = reachable(KINDS.flatMap(kind => [kind.spec, ...(kind.status ? [kind.status] : [])]));
  const kinds = KINDS.map(kind => `${docComment([kind.description])}export interface ${kind.kind} {
  apiVersion: '${kind.group}/v1beta1' | '${kind.group}/v1alpha1';
  kind: '${kind.kind}';
  metadata: ObjectMeta;
  spec: ${kind.spec};
${kind.status ? `  status?: ${kind.status};\n` : ''}}
`);
  const copy = (name: string, extension: string) => header('//', `api/${name}.ts`) + '\n'
    + readFileSync(join(__dirname, '..', `${name}.ts`), 'utf8').replace(/ from '\.\/(\w+)';/g, ` from './$1.gen${extension}';`);
  return {
    'packages/api/src/types.gen.ts': header('//', 'api/kinds') + '\n'
      + ["import type { ObjectMeta } from './object.js';\n", ...kinds, ...types.map(renderInterface)].join('\n'),
    'packages/api/src/defaults.gen.ts': header('//', 'api/kinds') + '\n' + renderDefaults(),
    'packages/api/src/resources.gen.ts': header('//', 'api/kinds') + '\n' + renderResources(),
    ...Object.fromEntries(['defined-only', 'rights', 'semantics', 'vocabulary'].flatMap(name => [
      [`packages/api/src/${name}.gen.ts`, copy(name, '.js')], [`src/generated/${name}.gen.ts`, copy(name, '')],
    ])),
  };
}
