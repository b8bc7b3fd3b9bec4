import type { RequestRecord } from './record.js';

/** Longest texts from callers in a line of the log. */
const LONGEST = 1024;

/** Writes a line; pino's `info` does. */
export type WriteLine = (fields: object, message: string) => void;

/** The fields of the access log: those of the Go router, the caller and the bytes of the request body. No token, no header but the user agent, no query. */
export function accessLogFields(record: RequestRecord, durationMs: number, trace: object = {}): object {
  const { method, path, status, outside, id, namespace, bytesIn, bytesOut, userAgent, caller, error } = record;
  // Fields that are undefined are left out when the line is written.
  return {
    method,
    path: path.slice(0, LONGEST),
    status,
    duration_ms: Math.round(durationMs * 1000) / 1000,
    client_ip: outside.client,
    sandbox_id: id,
    sandbox_namespace: id === undefined ? undefined : namespace,
    user: caller?.slice(0, LONGEST),
    bytes_in: bytesIn,
    bytes_out: bytesOut,
    user_agent: userAgent?.slice(0, LONGEST),
    error,
    ...trace,
  };
}
