import type { Outside } from './forwarded.js';

/** Facts about a finished request, for the access log, the metrics and the traces. Holds no secret. */
export interface RequestRecord {
  readonly method: string;
  /** Without the query, which may hold secrets. */
  path: string;
  /** How the client sent it; see `outsideOf`. */
  readonly outside: Outside;
  readonly userAgent: string | undefined;
  /** Milliseconds of a monotonic clock. */
  readonly startedAt: number;
  id?: string;
  namespace?: string;
  caller?: string;
  decision?: 'allow' | 'deny';
  status: number;
  bytesIn: number;
  bytesOut: number;
  /** How the sandbox failed, if it did. */
  error?: string;
}

/** The path of a request target, without its query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}
