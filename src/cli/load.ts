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
 * @throws LoadError if a path does not exist, a folder has no such file, or a file is not well-formed
 * @internal
 */
export function load(paths: readonly string[]): Located[] {
  return paths.flatMap(path => (path === STDIN ? [path] : filesOf(path))).flatMap(path => {
    const name = path === STDIN ? 'stdin' : path;
    const lines = new LineCounter();
    const text = readFileSync(path === STDIN ? 0 : path, 'utf8');
    return parseAllDocuments(text, { lineCounter: lines }).flatMap(document => {
      if (document.errors.length > 0) {
        const words = document.errors[0].message.split('\n')[0].replace(/:$/, '');
        throw new LoadError(`${name}: ${words}${text.includes('{{') ? '; it looks like a template of Helm: render it first: helm template CHART | agent-sandbox-check check -' : ''}`);
      }
      const manifest = document.toJS();
      const offset = document.contents?.range?.[0] ?? 0;
      if (manifest !== null && typeof manifest !== 'object') {
        throw new LoadError(`${name}:${lines.linePos(offset).line}: it is a text, and no manifest`);
      }
      return manifest === null ? [] : [{ manifest, place: `${name}:${lines.linePos(offset).line}` }];
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
  if (files.length === 0) {
    // A wrong folder must not pass for one without mistakes.
    throw new LoadError(`${path}: there is no file in it that ends in .yaml, .yml or .json`);
  }
  return files.sort().map(file => join(path, file));
}
