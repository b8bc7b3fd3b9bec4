/** What is true about the API, the constructs and the command line, from their definitions. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { CONTROLLER } from '../../api/flags/controller';
import { ROUTER } from '../../api/flags/router';
import { RUNTIME } from '../../api/flags/runtime';
import { KINDS, KUBERNETES, OWN } from '../../api/model';
import type { Schema } from '../../api/schema';
import { ENUMS_JSON, METHODS, STRUCTS_JSON } from '../../src/generated/shapes.gen';

export const ROOT = path.resolve(__dirname, '..', '..');

/** One field of a kind. */
export interface Field {
  /** From the top of the object, with `[]` after lists: `spec.env[].name`. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly schema: Schema;
}

/** A command of a command line, with everything that it takes. */
export interface CommandFacts {
  /** With the name of the program: `agent-sandbox run`. */
  readonly name: string;
  readonly description: string;
  /** `[command...]`, `<claim>`. */
  readonly parameters: string;
  readonly options: ReadonlyArray<{ readonly flags: string; readonly description: string }>;
}

/** All fields of spec and status of a kind, as far as they are not those of Kubernetes. */
export function fieldsOf(kind: string): Field[] {
  const { spec, status } = KINDS.find(each => each.kind === kind)!;
  return [...fieldsBelow('spec', OWN[spec]), ...(status === undefined ? [] : fieldsBelow('status', OWN[status]))];
}

function fieldsBelow(prefix: string, { properties = {}, required = [] }: Schema): Field[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const type = typeOf(schema);
    const here = { path: `${prefix}.${name}`, type, required: required.includes(name), schema };
    const below = schema.$ref ?? schema.items?.$ref;
    // Conditions are as everywhere in Kubernetes.
    return below === undefined || !(below in OWN) || below === 'Condition' ? [here] : [here, ...fieldsBelow(`${here.path}${schema.items ? '[]' : ''}`, OWN[below])];
  });
}

function typeOf(schema: Schema): string {
  if (schema.type === 'array') {
    return `${typeOf(schema.items!)}[]`;
  }
  if (schema.$ref !== undefined) {
    return schema.$ref in OWN && schema.$ref !== 'Condition' ? 'object' : schema.$ref;
  }
  return schema.additionalProperties !== undefined ? '{}' : schema.enum?.join(' \\| ') ?? schema.type!;
}

/** Names of all fields of Kubernetes types that the API embeds. */
export const KUBERNETES_FIELDS: ReadonlySet<string> = new Set(
  Object.values(KUBERNETES.definitions).flatMap(({ properties = {} }) => Object.keys(properties)),
);

/** Names of all flags of the programs, with their dashes. */
export const FLAGS: readonly string[] = [CONTROLLER, ROUTER, RUNTIME].flatMap(({ flags }) => flags.map(({ name }) => `--${name}`));

/** Props of structs, with types in TypeScript. */
export const STRUCTS: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(STRUCTS_JSON);
/** Members of enumerations, with their values. */
export const ENUMS: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(ENUMS_JSON);

/** A type of the shapes nearly as TypeScript has it: `map` is one of strings, `l1` any type of that namespace. A trailing `?` stays. */
function typescript(notation: string): string {
  const [, body, optional] = /^(.*?)(\??)$/.exec(notation)!;
  const one = (text: string): string => {
    if (text.startsWith('[')) {
      return `${one(text.slice(1))}[]`;
    }
    if (text === '{s' || text.startsWith('l1.')) {
      return text === '{s' ? 'map' : 'l1';
    }
    if (text.startsWith('{')) {
      return `Record<string, ${text.slice(1).split('|').map(one).join(' | ')}>`;
    }
    return { 's': 'string', 'n': 'number', 'b': 'boolean', '*': 'any' }[text] ?? text;
  };
  return (body.startsWith('{') ? one(body) : body.split('|').map(one).join(' | ')) + optional;
}

/** Functions that make values, by class: those with parameters, and from the sources those without. */
export function staticFunctions(): Map<string, string[]> {
  const functions = new Map<string, string[]>();
  for (const file of fs.readdirSync(path.join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter(each => each.endsWith('.ts')).sort()) {
    const text = fs.readFileSync(path.join(ROOT, 'src', file), 'utf8');
    for (const [, name, body] of text.matchAll(/^export (?:abstract )?class (\w+)[^{]*\{(.*?)^\}/gms)) {
      const found = [...body.matchAll(/^ {2}public static (?!readonly)([a-z]\w*)\(/gm)].map(([, method]) => `${name}.${method}(${(METHODS[`${name}.${method}`] ?? []).map(parameter).join(', ')})`);
      if (found.length > 0) {
        functions.set(name, found);
      }
    }
  }
  return functions;
}

/** A name with its type, unless it is a string. */
export function typed(name: string, notation: string): string {
  const [, type, optional] = /^(.*?)(\??)$/.exec(typescript(notation))!;
  return `${name}${optional}${type === 'string' ? '' : `: ${type}`}`;
}

function parameter(text: string): string {
  const [, name, rest, type] = /^(\w+):((?:\.\.\.)?)(.*)$/.exec(text)!;
  return `${rest}${typed(name, type)}`;
}
