import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';

/** A folder, or a file of a given content. */
export interface Entry {
  readonly path: string;
  readonly content?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** A file of this machine, or an entry. */
export type RootFile = Entry | { readonly path: string; readonly source: string };

export function directory(path: string, options: Partial<Entry> = {}): Entry {
  return { path, mode: 0o755, ...options };
}

export function file(path: string, content: string): Entry {
  return { path, content, mode: 0o644 };
}

/** Node, where the images of Node have it, and what it is linked to. */
export function nodeFiles(): RootFile[] {
  return [{ path: '/usr/local/bin/node', source: fs.realpathSync(process.execPath) }, ...libraries(process.execPath)];
}

/** Programs of this machine at their own paths, with what they are linked to. Those that are missing are left out. */
export function closure(programs: readonly string[]): RootFile[] {
  return programs.filter(program => fs.existsSync(program))
    .flatMap(program => [{ path: program, source: fs.realpathSync(program) }, ...libraries(program)]);
}

/** A file of this machine that is loaded by a program, with the libraries that it is linked to: a native module of Node. */
export function nativeModule(at: string, source: string): RootFile[] {
  return [{ path: at, source }, ...libraries(source)];
}

/** Shared libraries at the paths where the loader looks for them, the loader among them. Throws when one of them is missing. */
function libraries(program: string): RootFile[] {
  const listed = execFileSync('ldd', [program], { encoding: 'utf8' });
  const missing = [...listed.matchAll(/^\s*(\S+) => not found$/gm)].map(([, name]) => name);
  if (missing.length > 0) {
    throw new Error(`${program} needs ${missing.join(', ')}, which this machine does not have: install the packages that hold them`);
  }
  return [...listed.matchAll(/(?:=> )?(\/[^\s()]+) \(0x/g)].map(([, library]) => ({ path: library, source: fs.realpathSync(library) }));
}
