import type { IncomingHttpHeaders } from 'node:http';

/**
 * Why a request is refused that a web page made, or undefined. A browser inside the sandbox reaches the runtime on
 * loopback, so without this any page in it could run commands: multipart forms and WebSockets need no permission of the server.
 * Programs send none of these headers.
 */
export function refusalOf(headers: IncomingHttpHeaders, allowedOrigins: readonly string[]): string | undefined {
  const { origin } = headers;
  if (origin !== undefined) {
    return allowedOrigins.includes(origin) ? undefined : `requests of web pages are refused: '${origin}' is not in --allowed-origins`;
  }
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'none' ? undefined : 'requests of web pages are refused';
}
