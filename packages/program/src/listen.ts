import type { Server } from 'node:net';
import { FlagError } from './flag-error.js';

/** Whether an address turns its server off. */
export function isOff(address: string): boolean {
  return address === '' || address === '0';
}

/** Host and port of `host:port`, `[::1]:port` or `:port`. Throws `FlagError` for anything else. */
function parseAddress(address: string): { host?: string; port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, '');
  const port = address.slice(colon + 1);
  if (colon < 0 || !/^\d{1,5}$/.test(port) || Number(port) > 65535) {
    throw new FlagError(`the address "${address}" has no port: give host:port or :port`);
  }
  return { ...(host === '' ? {} : { host }), port: Number(port) };
}

/** Lets a server listen on an address that `parseAddress` reads. Rejects if the address is taken. */
export function listen(server: Server, address: string): Promise<void> {
  const options = parseAddress(address);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
