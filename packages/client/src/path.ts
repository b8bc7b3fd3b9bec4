import { SandboxInputError } from './errors.js';

/** Longest path that is sent; the limit of Linux, in bytes. */
const LONGEST_PATH = 4096;

/** ASCII control characters; NUL would end the path inside the runtime. */

const CONTROL = /[\u0000-\u001f\u007f]/;

/**
 * A path below the directory of the sandbox, as the runtime takes it: relative, without `.`, `..` and empty components. Leading
 * slashes are dropped, since the runtime takes `/a` for `a` too. The directory itself is the empty string.
 *
 * Throws `SandboxInputError` for control characters, for a path that leads out (`../a`), for one longer than 4,096 bytes and,
 * unless `root` is allowed, for one that names the directory itself.
 */
export function normalizePath(path: string, { root = false }: { root?: boolean } = {}): string {
  const shown = JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
  if (CONTROL.test(path)) {
    throw new SandboxInputError(`path ${shown} has control characters`, { remedy: 'name the file without them' });
  }
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw new SandboxInputError(`path ${shown} is longer than ${LONGEST_PATH} bytes`);
  }
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') {
      if (parts.pop() === undefined) {
        throw new SandboxInputError(`path ${shown} leads out of the sandbox's directory`, { remedy: 'give a path below it' });
      }
    } else if (part !== '' && part !== '.') {
      parts.push(part);
    }
  }
  if (parts.length === 0 && !root) {
    throw new SandboxInputError(`path ${shown} does not name a file`, { remedy: 'give a path below the sandbox\'s directory' });
  }
  return parts.join('/');
}

/** Percent-encodes everything but `A–Z a–z 0–9 - _ . ~`, slashes too: a path becomes one segment, which no proxy rewrites. */
export function encodePath(path: string): string {
  return encodeURIComponent(path).replace(/[!'()*]/g, character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
