import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFINITIONS, KINDS, header, reachable } from '../model';
import { docComment, isRequired, isScalar, renderType, typeDoc } from './typescript';

const PREAMBLE = `/** The part of Kubernetes' ObjectMeta that programs here read or write. */
export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

/** A reference to the object that this one belongs to. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}
`;

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

/** Wire types and vocabulary for programs, and the vocabulary for the constructs. */
export function generateWireTypes(): Record<string, string> {
  const types = reachable(KINDS.flatMap(kind => [kind.spec, ...(kind.status ? [kind.status] : [])]));
  const kinds = KINDS.map(kind => `${docComment([kind.description])}export interface ${kind.kind} {
  apiVersion: '${kind.group}/v1beta1' | '${kind.group}/v1alpha1';
  kind: '${kind.kind}';
  metadata: ObjectMeta;
  spec: ${kind.spec};
${kind.status ? `  status?: ${kind.status};\n` : ''}}
`);
  const vocabulary = header('//', 'api/vocabulary.ts') + '\n' + readFileSync(join(__dirname, '..', 'vocabulary.ts'), 'utf8');
  return {
    'packages/api/src/types.gen.ts': header('//', 'api/kinds') + '\n' + [PREAMBLE, ...kinds, ...types.map(renderInterface)].join('\n'),
    'packages/api/src/vocabulary.gen.ts': vocabulary,
    'src/generated/vocabulary.gen.ts': vocabulary,
  };
}
