import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { generateL1 } from './l1';

const SRC = join(__dirname, '..', '..', 'src');
/** Types of other libraries that the checks know by themselves. */
const FOREIGN = ['Duration', 'Construct', 'IConstruct', 'App', 'Chart'];

/**
 * A type in the notation of `src/checks/shapes.ts`: `s` string, `n` number, `b` boolean, `*` anything, `[T` list of T,
 * `{T` map of T by string, `T|T` one of both, and otherwise the name of a struct, an enumeration or a class.
 */
type Notation = string;

interface Struct {
  readonly parents: readonly string[];
  readonly props: Readonly<Record<string, Notation>>;
}

interface Declarations {
  readonly structs: Map<string, Struct>;
  readonly enums: Map<string, Record<string, string>>;
  readonly classes: Set<string>;
  readonly methods: Map<string, readonly string[]>;
}

/**
 * The shapes of everything that callers pass to the constructs: props, options and parameters, read from the TypeScript
 * of `src` and of the L1 constructs. Types are resolved by name alone, so no compilation has to come first.
 */
export function generateShapes(): Record<string, string> {
  const found: Declarations = { structs: new Map(), enums: new Map(), classes: new Set(), methods: new Map() };
  for (const [path, text] of Object.entries(generateL1())) {
    if (path.startsWith('imports/') && !path.endsWith('wire.ts')) {
      collect(found, ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true), 'l1.', false);
    }
  }
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts') && (!file.endsWith('.gen.ts') || file.endsWith('-flags.gen.ts'))).sort();
  for (const file of files) {
    collect(found, ts.createSourceFile(file, readFileSync(join(SRC, file), 'utf8'), ts.ScriptTarget.Latest, true), '', true);
  }
  return { 'src/generated/shapes.gen.ts': render(found) };
}

function collect(found: Declarations, source: ts.SourceFile, prefix: string, methods: boolean): void {
  const isExported = (node: ts.Statement) =>
    ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  for (const node of source.statements) {
    if (!isExported(node) || isInternal(node)) {
      continue;
    }
    if (ts.isInterfaceDeclaration(node)) {
      const members = node.members.filter(ts.isPropertySignature);
      found.structs.set(prefix + node.name.text, {
        parents: (node.heritageClauses ?? []).flatMap(clause => clause.types.map(type => qualified(type.expression.getText(), prefix))),
        props: Object.fromEntries(members.map(member => [name(member), notation(member.type!, prefix) + (member.questionToken ? '?' : '')])),
      });
    } else if (ts.isEnumDeclaration(node)) {
      const values = node.members.map(member => [name(member), (member.initializer as ts.StringLiteral).text]);
      found.enums.set(prefix + node.name.text, Object.fromEntries(values));
    } else if (ts.isClassDeclaration(node)) {
      found.classes.add(prefix + node.name!.text);
      if (methods) {
        node.members.forEach(member => collectMethod(found, node, member));
      }
    }
  }
}

function collectMethod(found: Declarations, owner: ts.ClassDeclaration, member: ts.ClassElement): void {
  if (!ts.isMethodDeclaration(member)) {
    return;
  }
  const modifiers = (member.modifiers ?? []).map(({ kind }) => kind);
  if (modifiers.includes(ts.SyntaxKind.PrivateKeyword) || isInternal(member) || member.parameters.length === 0) {
    return;
  }
  const separator = modifiers.includes(ts.SyntaxKind.StaticKeyword) ? '.' : '#';
  found.methods.set(`${owner.name!.text}${separator}${name(member)}`, member.parameters.map(parameter => {
    const optional = parameter.questionToken || parameter.initializer ? '?' : '';
    return `${parameter.name.getText()}:${parameter.dotDotDotToken ? '...' : ''}${notation(parameter.type!, '')}${optional}`;
  }));
}

function name(node: ts.NamedDeclaration): string {
  return (node.name as ts.Identifier | ts.StringLiteral).text;
}

function isInternal(node: ts.Node): boolean {
  return ts.getJSDocTags(node).some(tag => tag.tagName.text === 'internal');
}

function qualified(type: string, prefix: string): string {
  return /\./.test(type) || FOREIGN.includes(type) ? type : prefix + type;
}

function notation(type: ts.TypeNode, prefix: string): Notation {
  switch (type.kind) {
    case ts.SyntaxKind.StringKeyword: return 's';
    case ts.SyntaxKind.NumberKeyword: return 'n';
    case ts.SyntaxKind.BooleanKeyword: return 'b';
    case ts.SyntaxKind.AnyKeyword: return '*';
  }
  if (ts.isArrayTypeNode(type)) {
    return `[${notation(type.elementType, prefix)}`;
  }
  if (ts.isTypeLiteralNode(type) && type.members.length === 1 && ts.isIndexSignatureDeclaration(type.members[0])) {
    return `{${notation(type.members[0].type, prefix)}`;
  }
  if (ts.isUnionTypeNode(type)) {
    return type.types.map(one => notation(one, prefix)).join('|');
  }
  if (ts.isTypeReferenceNode(type) && type.typeArguments === undefined) {
    const alias = type.getSourceFile().statements.find(node => ts.isTypeAliasDeclaration(node) && node.name.text === type.typeName.getText());
    if (alias) {
      return notation((alias as ts.TypeAliasDeclaration).type, prefix);
    }
    return qualified(type.typeName.getText(), prefix);
  }
  return '*';
}

/** Structs with what they inherit, as far as props and parameters reach them, in the order of their names. */
function render({ structs, enums, classes, methods }: Declarations): string {
  const isBehavior = (type: string) => /^I[A-Z]/.test(type);
  const propsOf = (type: string): Record<string, Notation> => {
    const { parents, props } = structs.get(type)!;
    return { ...Object.assign({}, ...parents.map(propsOf)), ...props };
  };
  const reached = new Map<string, Record<string, Notation>>();
  const usedEnums = new Map<string, Record<string, string>>();
  const visit = (text: Notation): void => text.replace(/\?$/, '').replace(/^\.\.\./, '').replace(/^[[{]+/, '').split('|').forEach(visitNamed);
  const visitNamed = (type: string): void => {
    if (enums.has(type)) {
      usedEnums.set(type, enums.get(type)!);
    } else if (structs.has(type) && !isBehavior(type) && !reached.has(type)) {
      reached.set(type, sortedByKey(propsOf(type)));
      Object.values(propsOf(type)).forEach(visit);
    } else if (!structs.has(type) && !classes.has(type) && !FOREIGN.includes(type) && !['s', 'n', 'b', '*'].includes(type)) {
      throw new Error(`no shape for the type ${type}: the generator reads exported interfaces, classes and enumerations`);
    }
  };
  [...structs.keys()].filter(type => !type.startsWith('l1.')).forEach(visit);
  [...methods.values()].flat().forEach(parameter => visit(parameter.slice(parameter.indexOf(':') + 1)));
  const line = (key: string, value: unknown) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`;
  const json = (entries: ReadonlyMap<string, unknown>) => `{\n${[...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => line(key, value)).join(',\n')}\n}`;
  return `// Generated by api/generate.ts from the props and methods in src/ and imports/; do not edit. Run "npm run generate" after a change there.

/**
 * Props of structs by name, with their types in the notation of checks/shapes.ts; \`?\` marks those that can be left out.
 * JSON, so that it is parsed when it is first needed.
 */
export const STRUCTS_JSON = ${literal(json(reached))};

/** Values of enumerations by the name of their member. */
export const ENUMS_JSON = ${literal(json(usedEnums))};

/** Parameters of methods: \`Class.method\` where they are static, \`Class#method\` where they are not. */
export const METHODS: Readonly<Record<string, readonly string[]>> = {
${[...methods].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, parameters]) => `  ${quote(key)}: [${parameters.map(quote).join(', ')}],`).join('\n')}
};
`;
}

function sortedByKey<T>(map: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function quote(text: string): string {
  return `'${text}'`;
}

function literal(text: string): string {
  return `\`${text.replace(/[\\`$]/g, '\\$&')}\``;
}
