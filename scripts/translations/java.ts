import type { LibraryType } from './types';

const COLLECTIONS = ['List', 'Map'];

/** A program in Java: jsii-rosetta's statements, in a class and with all imports. */
export function completeJava(source: string, types: ReadonlyMap<string, LibraryType>): string {
  const lines = source.split('\n');
  const body = lines.filter(line => !/^import /.test(line)).join('\n').trim();
  const code = body.replace(/"(?:[^"\\]|\\.)*"/g, '""').replace(/\/\/.*$/gm, '');
  const used = new Set([...code.matchAll(/(?<![.\w])[A-Z]\w*/g)].map(([name]) => name));
  const imports = [
    ...[...used].filter(name => types.has(name)).map(name => types.get(name)!.java),
    ...COLLECTIONS.filter(name => used.has(name)).map(name => `java.util.${name}`),
  ].sort();
  return [
    ...imports.map(name => `import ${name};`), '',
    'public class Main {', '    public static void main(String[] args) {',
    ...body.split('\n').map(line => (line === '' ? '' : `        ${line}`)),
    '    }', '}',
  ].join('\n');
}
