import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isOff, listen } from './listen.js';

/** What a path answers. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly contentType?: string;
}

/** A small server for health and metrics. */
export class Endpoints {
  private readonly server?: Server;

  /** @param address `0` or empty for none */
  constructor(private readonly address: string, paths: { readonly [path: string]: () => Answer | Promise<Answer> }) {
    if (isOff(address)) {
      return;
    }
    this.server = createServer((request, response) => {
      const path = (request.url ?? '').split('?')[0]!;
      const find = Object.hasOwn(paths, path) ? paths[path] : undefined;
      if (find === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response.writeHead(find === undefined ? 404 : 405).end();
        return;
      }
      const failed = (error: Error): Answer => ({ status: 500, text: error.message });
      void Promise.resolve().then(find).catch(failed).then(({ status, text, contentType }) => {
        response.writeHead(status, { 'content-type': contentType ?? 'text/plain; charset=utf-8' }).end(text);
      });
    });
  }

  /** Rejects if the address is taken. */
  public async bind(): Promise<void> {
    if (this.server !== undefined) {
      await listen(this.server, this.address);
    }
  }

  /** Undefined if there is none. */
  public get port(): number | undefined {
    return (this.server?.address() as AddressInfo | undefined)?.port;
  }

  public close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }
}
