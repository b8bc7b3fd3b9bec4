import type { IncomingMessage } from 'node:http';
import { percentDecode } from '../files/percent.js';

/** Prefixes of routes whose remainder is a path of a file. */
const FILE_ROUTES = ['/download/', '/list/', '/exists/', '/v1/files/'] as const;

const paths = new WeakMap<IncomingMessage, string>();

/**
 * What a request is routed by. The path of a file is taken out before anything normalises or refuses it: it is decoded
 * once, leniently, and kept for `filePathOf`.
 */
export function routingTarget(request: IncomingMessage): string {
  const target = request.url ?? '/';
  const query = target.indexOf('?');
  const path = percentDecode(query < 0 ? target : target.slice(0, query));
  const prefix = FILE_ROUTES.find(each => path.startsWith(each));
  if (prefix === undefined) {
    return target;
  }
  paths.set(request, path.slice(prefix.length));
  return prefix + (query < 0 ? '' : target.slice(query));
}

/** The path of a file that a request names, decoded once. */
export function filePathOf(request: IncomingMessage): string {
  return paths.get(request) ?? '';
}
