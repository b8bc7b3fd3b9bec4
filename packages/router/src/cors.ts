import { definedOnly } from 'agent-sandbox-api';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** Seconds for which a browser may remember the answer to a preflight request. */
const MAX_AGE_S = 600;

/**
 * Lets pages of other origins call sandboxes with a token in a header. Never with cookies: `Access-Control-Allow-Credentials` is
 * not sent.
 */
export class Cors {
  private readonly origins: ReadonlySet<string>;

  /** @param origins as browsers send them, or `*` for all; empty for none */
  constructor(origins: readonly string[]) {
    this.origins = new Set(origins);
  }

  /** Answers a preflight request, or adds to the answer that follows what the page needs to read it. Returns whether it has answered. */
  public handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    if (origin === undefined || !(this.origins.has(origin) || this.origins.has('*'))) {
      return false;
    }
    response.setHeader('access-control-allow-origin', origin);
    response.setHeader('vary', 'Origin');
    const method = request.headers['access-control-request-method'];
    if (request.method !== 'OPTIONS' || method === undefined) {
      response.setHeader('access-control-expose-headers', '*');
      return false;
    }
    const wanted = request.headers['access-control-request-headers'];
    response.writeHead(204, {
      'access-control-allow-methods': method,
      ...definedOnly({ 'access-control-allow-headers': wanted }),
      'access-control-max-age': String(MAX_AGE_S),
    }).end();
    return true;
  }
}
