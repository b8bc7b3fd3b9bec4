/** A path leaves the base directory, by `..` or through a symlink. */
export class PathEscapesError extends Error {
  constructor(path: string) {
    super(`the path '${path}' leaves the base directory`);
    this.name = 'PathEscapesError';
  }
}

/** A parameter of a request is not what the request takes, or what it asks for makes no sense. */
export class ArgumentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ArgumentError';
  }
}

/** As many watches are open as the runtime allows. */
export class TooManyWatchesError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TooManyWatchesError';
  }
}

/** A program could not be started. `errno` is the name of the system's error; the message has the words of Python. */
export class SpawnError extends Error {
  constructor(public readonly errno: string, word: string) {
    super(`${SPAWN_TEXTS[errno] ?? `[${errno}] Cannot start`}: ${pythonRepr(word)}`);
    this.name = 'SpawnError';
  }
}

/** As many commands run as the runtime allows, see `--max-commands`. */
export class TooManyCommandsError extends Error {
  constructor(limit: number) {
    super(`${limit} commands run already, which is the limit (--max-commands): try again when one has ended`);
    this.name = 'TooManyCommandsError';
  }
}

/** The runtime is stopping and starts nothing any more. */
export class StoppingError extends Error {
  constructor() {
    super('the runtime is stopping');
    this.name = 'StoppingError';
  }
}

/** A body is larger than the limit that a flag sets. */
export class BodyTooLargeError extends Error {
  constructor(limit: number) {
    super(`the body is larger than ${limit} bytes`);
    this.name = 'BodyTooLargeError';
  }
}

/** A multipart body is malformed, or lacks a required part. */
export class MultipartError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MultipartError';
  }
}

/** A terminal was asked for, and the optional package that makes one is not installed. */
export class NoPtyError extends Error {
  constructor(reason: string) {
    super(`terminals need the optional package @lydell/node-pty, which cannot be loaded here: ${reason}`);
    this.name = 'NoPtyError';
  }
}

/** This system lacks what confinement rests on. */
export class UnsupportedPlatformError extends Error {
  constructor(reason: string) {
    super(`the runtime needs Linux with /proc mounted: ${reason}`);
    this.name = 'UnsupportedPlatformError';
  }
}

const SPAWN_TEXTS: { readonly [errno: string]: string } = {
  ENOENT: '[Errno 2] No such file or directory',
  EACCES: '[Errno 13] Permission denied',
  EPERM: '[Errno 1] Operation not permitted',
  ENOEXEC: '[Errno 8] Exec format error',
  E2BIG: '[Errno 7] Argument list too long',
  EAGAIN: '[Errno 11] Resource temporarily unavailable',
  ENOMEM: '[Errno 12] Cannot allocate memory',
  EMFILE: '[Errno 24] Too many open files',
  ENOTDIR: '[Errno 20] Not a directory',
  EISDIR: '[Errno 21] Is a directory',
};

/** A string as Python prints it in messages, which clients have been written against. */
export function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\n\r\t\0]/g, char => ESCAPES[char]!).replaceAll(quote, `\\${quote}`);
  return `${quote}${escaped}${quote}`;
}

const ESCAPES: { readonly [char: string]: string } = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\0': '\\x00' };

/** The name of a system error (`ENOENT`), if it is one. */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** The message of a thrown value. Not by `instanceof`: errors of Node itself can come from another realm. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

/** What a system error says, without the paths that the runtime uses inside. */
export function reasonOf(error: unknown): string {
  const text = messageOf(error);
  return errnoOf(error) !== undefined ? text.replace(/, \w+( '.*')?$/s, '') : text;
}

/** An error as the system would report it. */
export function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}
