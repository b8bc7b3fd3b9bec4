import { Agent } from 'undici';
import { SandboxInputError } from '../errors.js';
import { CONNECT_TIMEOUT_MS, type Connection, type ConnectionPlan, type Route, type TlsOptions, isPrivateOrigin } from './connection.js';

export interface DirectOptions {
  /** Address of the router, with scheme; may have a path: `https://sandboxes.example/router`. */
  readonly url: string;
  /** For `https` only. @default - the authorities that Node trusts */
  readonly tls?: TlsOptions;
}

/** A router at a known address: no discovery, no check before the first request. */
export function direct({ url, tls }: DirectOptions): ConnectionPlan {
  const { origin, prefix } = parseUrl(url, tls);
  return { mode: 'direct', open: () => new DirectConnection({ origin, prefix, dispatcher: agentOf(tls), viaRouter: true, isPrivate: isPrivateOrigin(origin), needsOwnHost: true }) };
}

/** Connections without timeouts of their own: callers set deadlines per request. */
export function agentOf(tls?: TlsOptions): Agent {
  return new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: CONNECT_TIMEOUT_MS, ...tls } });
}

/** A connection whose route never changes. */
class DirectConnection implements Connection {
  constructor(private readonly only: Route) {}

  public async route(): Promise<Route> {
    return this.only;
  }

  public forget(): void {
    // There is nothing to find out anew.
  }

  public async close(): Promise<void> {
    await this.only.dispatcher.destroy();
  }
}

function parseUrl(text: string, tls: TlsOptions | undefined): { origin: string; prefix: string } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new SandboxInputError('url is not the address of a router', { remedy: 'give http(s)://host[:port][/path] without user, query and fragment' });
  }
  if (tls && url.protocol !== 'https:') {
    throw new SandboxInputError('tls has no effect on an http: address', { remedy: 'use https:, or leave tls out' });
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') };
}
