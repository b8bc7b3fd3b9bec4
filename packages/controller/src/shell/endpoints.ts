import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FlagError } from '../flags.js';

/** What a path answers: a text, and whether all is well. */
export interface Answer {
  readonly ok: boolean;
  readonly text: string;
  readonly contentType?: string;
}

/** Answers GET requests for the given paths. Resolves with the port when it listens; `undefined` where the address is `0`. */
export async function serve(
  address: string,
  paths: { readonly [path: string]: () => Answer | Promise<Answer> },
  signal: AbortSignal,
): Promise<number | undefined> {
  if (address === '0' || address === '') {
    return undefined;
  }
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0]!.replace(/\/$/, '');
    const answer = Object.hasOwn(paths, path) ? paths[path] : undefined;
    if (answer === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(answer === undefined ? 404 : 405).end();
      return;
    }
    void Promise.resolve().then(answer).catch((error: Error): Answer => ({ ok: false, text: error.message })).then(({ ok, text, contentType }) => {
      response.writeHead(ok ? 200 : 500, { 'content-type': contentType ?? 'text/plain; charset=utf-8' }).end(text);
    });
  });
  await listen(server, address);
  signal.addEventListener('abort', () => {
    server.close();
    server.closeAllConnections();
  }, { once: true });
  return (server.address() as AddressInfo).port;
}

function listen(server: Server, address: string): Promise<void> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, '');
  const port = Number(address.slice(colon + 1));
  if (colon < 0 || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw new FlagError(`the address "${address}" has no port: give host:port or :port`);
  }
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host === '' ? undefined : host, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
