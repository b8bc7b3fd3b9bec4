import type { LibraryType } from './types';

/**
 * A program in Go. jsii-rosetta writes types without their packages, slices and maps without the pointers that jsii takes, and values of several
 * types by a name of TypeScript. It leaves out optional arguments, which Go does not know, and spells a shorthand property like a variable. This
 * mends that, and adds the imports.
 */
export function completeGo(source: string, types: ReadonlyMap<string, LibraryType>): string {
  const body = source.split('\n').filter(line => !/^import /.test(line)).join('\n').trim();
  const variables = new Set([...body.matchAll(/^\s*(\w+) := /gm)].map(([, name]) => name));
  const lower = (name: string) => name[0].toLowerCase() + name.slice(1);
  const mended = body
    .replace(/^(\s*)(\w+): \2,$/gm, (whole, indent: string, name: string) => (variables.has(lower(name)) ? `${indent}${name}: ${lower(name)},` : whole))
    .replace(/(?<![.\w])&(\w+)\{/g, (whole, name: string) => (types.has(name) ? `&${qualified(types.get(name)!)}{` : whole))
    .replace(/(?<![.\w&])\[\](\w+)\{/g, (whole, name: string) => {
      const type = types.get(name);
      return type ? `&[]${type.struct ? '*' : ''}${qualified(type)}{` : whole;
    })
    .replace(/(?<![.\w&\]])(\[\]\*\w+|map\[string\]\*\w+)\{/g, '&$1{')
    // Values of one of several types, which Go has no type for.
    .replace(/(?<![.\w&\]])map\[string\](?!interface\b)[a-z]\w*\{/g, '&map[string]interface{}{')
    .replace(/_\*(\w+)\(/g, '_$1(')
    .replace(/\b(\w+\.[A-Z]\w*_)([a-z])(?=\w*\()/g, (_, before: string, letter: string) => before + letter.toUpperCase())
    // As jsii's runtime calls it.
    .replace(/\bjsii\.Boolean\(/g, 'jsii.Bool(');
  const complete = withAllArguments(mended, types);
  const imports = [...new Set([...types.values()].map(({ go }) => go))].filter(({ alias }) => new RegExp(`\\b${alias}\\.`).test(complete))
    .map(({ module }) => `"${module}"`);
  if (/\bjsii\./.test(complete)) {
    imports.unshift('"github.com/aws/jsii-runtime-go"');
  }
  return ['package main', '', 'import (', ...imports.map(line => `\t${line}`), ')', '', 'func main() {', complete, '}'].join('\n');
}

function qualified({ name, go }: LibraryType): string {
  return `${go.alias}.${name}`;
}

/** With `nil` for each optional argument that a call leaves out. */
function withAllArguments(code: string, types: ReadonlyMap<string, LibraryType>): string {
  const packages = new Set([...types.values()].map(({ go }) => go.alias));
  const counts = methodCounts(types);
  let text = code;
  // From the last call to the first, so that places stay what they are.
  for (const { index, 0: call, 1: receiver, 2: name } of [...code.matchAll(/(\w+)?\.(\w+)\(/g)].reverse()) {
    const { close, given } = argumentsAt(text, index + call.length);
    const wanted = packages.has(receiver) ? parametersOf(name, types) : counts.get(lowered(name));
    if (wanted !== undefined && given < wanted) {
      const missing = Array.from({ length: wanted - given }, () => 'nil').join(', ');
      const before = text.slice(0, close).trimEnd();
      text = `${before}${given === 0 ? '' : before.endsWith(',') ? ' ' : ', '}${missing}${text.slice(close)}`;
    }
  }
  return text;
}

/** How many parameters a function of a package has: `NewType` or `Type_Method`. */
function parametersOf(name: string, types: ReadonlyMap<string, LibraryType>): number | undefined {
  const [type, method] = name.split('_');
  return method === undefined ? types.get(name.slice('New'.length))?.parameters.get('new') : types.get(type)?.parameters.get(lowered(method));
}

function lowered(name: string): string {
  return name[0].toLowerCase() + name.slice(1);
}

/** Counts of parameters of methods, for those whose name tells. */
function methodCounts(types: ReadonlyMap<string, LibraryType>): Map<string, number> {
  const found = new Map<string, Set<number>>();
  for (const { parameters } of types.values()) {
    parameters.forEach((count, name) => found.set(name, new Set([...found.get(name) ?? [], count])));
  }
  return new Map([...found].filter(([, counts]) => counts.size === 1).map(([name, counts]) => [name, [...counts][0]]));
}

/** Where the arguments of a call end, and how many there are. `open` is the place after the parenthesis. */
function argumentsAt(code: string, open: number): { readonly close: number; readonly given: number } {
  let depth = 0;
  let commas = 0;
  let quoted = false;
  for (let at = open; at < code.length; at++) {
    const char = code[at];
    if (quoted) {
      at += char === '\\' ? 1 : 0;
      quoted = char !== '"';
    } else if (char === '"') {
      quoted = true;
    } else if ('([{'.includes(char)) {
      depth++;
    } else if (char === ')' && depth === 0) {
      const text = code.slice(open, at).trim();
      return { close: at, given: text === '' ? 0 : commas + (text.endsWith(',') ? 0 : 1) };
    } else if (')]}'.includes(char)) {
      depth--;
    } else if (char === ',' && depth === 0) {
      commas++;
    }
  }
  throw new Error(`a call does not end: ${code.slice(open, open + 80)}`);
}
