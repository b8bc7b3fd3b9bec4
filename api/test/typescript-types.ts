import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ts from 'typescript';
import type { Json } from './crd-files';

const ROOT = join(__dirname, '..', '..');

/** A member of an interface as it is written. */
export interface Member {
  readonly type: string;
  readonly optional: boolean;
  readonly doc: string;
}

/** What generated TypeScript files declare, by name. */
export class Declarations {
  public readonly sources: readonly ts.SourceFile[];
  public readonly interfaces = new Map<string, ReadonlyMap<string, Member>>();
  public readonly enums = new Map<string, Readonly<Record<string, string>>>();
  public readonly classes = new Set<string>();

  /** Reads files, by their path below the repository root. */
  public constructor(files: readonly string[]) {
    this.sources = files.map(file => ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.ES2022, true));
    this.sources.flatMap(source => [...source.statements]).forEach(statement => this.add(statement));
  }

  private add(statement: ts.Statement): void {
    if (ts.isInterfaceDeclaration(statement)) {
      this.interfaces.set(statement.name.text, new Map(statement.members.filter(ts.isPropertySignature).map(member => [member.name.getText(), {
        type: member.type!.getText(),
        optional: member.questionToken !== undefined,
        doc: docOf(member),
      }])));
    } else if (ts.isEnumDeclaration(statement)) {
      this.enums.set(statement.name.text, Object.fromEntries(statement.members.map(member =>
        [member.name.getText(), (member.initializer as ts.StringLiteral).text])));
    } else if (ts.isClassDeclaration(statement)) {
      this.classes.add(statement.name!.text);
    }
  }
}

export function docOf(node: ts.Node): string {
  return ts.getJSDocCommentsAndTags(node).map(doc => doc.getText()).join('\n');
}

/** How generated types write a schema. */
export interface Dialect {
  readonly declarations: Declarations;
  /** The name of a field, from its name on the wire. */
  propertyName(wire: string): string;
  /** The values that a type stands for, if it is an enumeration. */
  values(type: string): readonly string[];
}

/** How a schema and the TypeScript type that should stand for it differ: one line per finding. */
export function mismatches(dialect: Dialect, schema: Json, type: string, path: string): string[] {
  if (schema.items) {
    const item = /^\(?(.+?)\)?\[\]$/.exec(type)?.[1];
    return item ? mismatches(dialect, schema.items, item, `${path}[]`) : [`${path}: ${type} is no list`];
  }
  if (schema.additionalProperties) {
    const value = /^\{ \[key: string\]: (.+) \}$/.exec(type)?.[1];
    return value ? mismatches(dialect, schema.additionalProperties, value, `${path}{}`) : [`${path}: ${type} is no map`];
  }
  if (schema.properties) {
    const members = dialect.declarations.interfaces.get(type);
    return members ? memberMismatches(dialect, schema, members, path) : [`${path}: there is no interface ${type}`];
  }
  if (schema.enum) {
    const values = dialect.values(type);
    return JSON.stringify(values) === JSON.stringify(schema.enum) ? [] : [`${path}: ${type} has the values ${values}`];
  }
  const wanted = schema['x-kubernetes-int-or-string'] ? (schema.pattern ? 'Quantity' : 'IntOrString')
    : schema.type === 'integer' ? 'number' : schema.type;
  return type === wanted ? [] : [`${path}: is ${type} instead of ${wanted}`];
}

function memberMismatches(dialect: Dialect, schema: Json, members: ReadonlyMap<string, Member>, path: string): string[] {
  const names = Object.keys(schema.properties).map(dialect.propertyName);
  const strange = [...members.keys()].filter(name => !names.includes(name)).map(name => `${path}.${name} is not in the schema`);
  return [...strange, ...Object.entries<Json>(schema.properties).flatMap(([name, property]) => {
    const here = `${path}.${name}`;
    const member = members.get(dialect.propertyName(name));
    if (!member) {
      return [`${here} is missing`];
    }
    const optional = !schema.required?.includes(name);
    return [
      ...(member.optional === optional ? [] : [`${here}: is ${member.optional ? 'optional' : 'required'}`]),
      ...mismatches(dialect, property, member.type, here),
    ];
  })];
}
