import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isOff, listen } from './listen.js';

/** Response to a GET request. */
export interface EndpointResponse {
  /** HTTP status. */
  readonly status: number;
  readonly text: string;
  /** @default text/plain */
  readonly contentType?: string;
}

/** A server for probes and metrics: answers GET and HEAD for a few fixed paths, 404 for all others. */
export class Endpoints {
  private readonly server?: Server;

  /**
   * @param address `host:port` or `:port`; `0` or empty for no server
   * @param paths an answer that throws becomes a 500 with the message
   */
  constructor(private readonly address: string, paths: { readonly [path: string]: () => EndpointResponse | Promise<EndpointResponse> }) {
    if (isOff(address)) {
      return;
    }
    this.server = createServer((request, response) => {
      const path = (request.url ?? '').split('?')[0]!.replace(/\/$/, '');
      const find = Object.hasOwn(paths, path) ? paths[path] : undefined;
      if (find === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response.writeHead(find === undefined ? 404 : 405).end();
        return;
      }
      const failed = (error: Error): EndpointResponse => ({ status: 500, text: error.message });
      void Promise.resolve().then(find).catch(failed).then(({ status, text, contentType }) => {
        response.writeHead(status, { 'content-type': contentType ?? 'text/plain; charset=utf-8' }).end(text);
      });
    });
  }

  /** Listens. Rejects if the address is taken, and with `FlagError` if it has no port. */
  public async bind(): Promise<void> {
    if (this.server !== undefined) {
      await listen(this.server, this.address);
    }
  }

  /** Port that the server listens on; undefined if there is no server. */
  public get port(): number | undefined {
    return (this.server?.address() as AddressInfo | undefined)?.port;
  }

  /** Closes the server and its connections. */
  public close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }
}
