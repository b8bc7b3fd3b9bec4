import { posix } from 'node:path';

/** One side of a copy. */
export interface Place {
  /** Claim; undefined for this machine. */
  readonly claim?: string;
  /** In a sandbox, relative to its directory unless it begins with a slash. */
  readonly path: string;
}

/** `claim:path`, or a path of this machine: with a slash or dot before the first colon, or without one. */
export function placeOf(text: string): Place {
  const colon = text.indexOf(':');
  return colon > 0 && !/^[./]|\//.test(text.slice(0, colon)) ? { claim: text.slice(0, colon), path: text.slice(colon + 1) } : { path: text };
}

/**
 * The name that a source has inside a target directory; empty if it has none of its own, so that the contents are copied: of `.`, `a/.`, `..`
 * and the directory of the sandbox. The same as with cp.
 */
export function nameOf(path: string): string {
  const name = posix.basename(path);
  return path === '' || name === '.' || name === '..' || /(^|\/)\.\/*$/.test(path) ? '' : name;
}

/** A path in a sandbox as programs take it that would read a leading hyphen as an option. */
export function argumentOf(path: string): string {
  return path === '' ? '.' : path.startsWith('/') ? path : `./${path}`;
}
