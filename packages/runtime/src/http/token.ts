import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { messageOf } from '../errors.js';

/** The file of the token cannot be used. */
export class TokenFileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'TokenFileError';
  }
}

/** Requests that probes send: they need no token. */
const OPEN = new Set(['/', '/healthz', '/v1/health']);

/** Takes the place of `Authorization` behind a router, which keeps that header for itself. */
const TOKEN_HEADER = 'x-runtime-token';

/**
 * The token that callers have to show, from a file. It is read again when the file has changed, so that a mounted Secret can be rotated.
 * Commands run as the runtime's own user and can read it as well: it keeps other Pods out, not what runs in the sandbox.
 */
export class TokenFile {
  private read = '';
  private digest?: Buffer;

  /** Throws when the file cannot be read, or is empty. */
  constructor(private readonly path: string) {
    this.load();
    if (this.digest === undefined) {
      throw new TokenFileError(`--auth-token-file is '${path}', which is empty`);
    }
  }

  /** Why a request is refused, or undefined. While the file cannot be read, all are. */
  public refusalOf(url: string | undefined, headers: IncomingHttpHeaders): string | undefined {
    if (OPEN.has((url ?? '').split('?')[0]!)) {
      return undefined;
    }
    const header = headers[TOKEN_HEADER];
    const given = typeof header === 'string' ? header : /^bearer[ \t]+(\S+)$/i.exec(headers.authorization?.trim() ?? '')?.[1];
    if (given === undefined) {
      return 'this runtime wants a token (Authorization: Bearer, or X-Runtime-Token)';
    }
    this.load();
    return this.digest !== undefined && timingSafeEqual(digestOf(given), this.digest) ? undefined : 'the token is not the one of this runtime';
  }

  private load(): void {
    try {
      const { mtimeMs, ino, size } = statSync(this.path);
      const version = `${ino}:${mtimeMs}:${size}`;
      if (version !== this.read) {
        const text = readFileSync(this.path, 'utf8').trim();
        this.digest = text === '' ? undefined : digestOf(text);
        this.read = version;
      }
    } catch (error) {
      if (this.read === '') {
        throw new TokenFileError(`--auth-token-file cannot be read: ${messageOf(error)}`);
      }
      this.digest = undefined;
      this.read = 'missing';
    }
  }
}

/** Of equal length, whatever the token's is. */
const digestOf = (text: string) => createHash('sha256').update(text).digest();
