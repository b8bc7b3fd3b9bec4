import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LineCounter, parseAllDocuments } from 'yaml';

/** A manifest and where it was found: `folder/file.yaml:12`. @internal */
export interface Located {
  readonly manifest: any;
  readonly place: string;
}

/** A file that cannot be read as YAML. @internal */
export class LoadError extends Error {}

const STDIN = '-';

/**
 * The manifests of files and folders, in the order of their names, or of stdin for `-`. Folders are read with everything below them: files that
 * end in `.yaml`, `.yml` or `.json`.
 *
 * @throws LoadError if a path does not exist, or a file is not well-formed
 * @internal
 */
export function load(paths: readonly string[]): Located[] {
  return paths.flatMap(path => (path === STDIN ? [path] : filesOf(path))).flatMap(path => {
    const name = path === STDIN ? 'stdin' : path;
    const lines = new LineCounter();
    return parseAllDocuments(readFileSync(path === STDIN ? 0 : path, 'utf8'), { lineCounter: lines }).flatMap(document => {
      if (document.errors.length > 0) {
        throw new LoadError(`${name}: ${document.errors[0].message.split('\n')[0]}`);
      }
      const manifest = document.toJS();
      const offset = document.contents?.range?.[0] ?? 0;
      return manifest === null || typeof manifest !== 'object' ? [] : [{ manifest, place: `${name}:${lines.linePos(offset).line}` }];
    });
  });
}

function filesOf(path: string): string[] {
  let stat;
  try {
    stat = statSync(path);
  } catch {
    throw new LoadError(`${path}: there is no such file or folder`);
  }
  if (!stat.isDirectory()) {
    return [path];
  }
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).filter(file => /\.(ya?ml|json)$/.test(file) && !/(^|\/)node_modules\//.test(file));
  return files.sort().map(file => join(path, file));
}
