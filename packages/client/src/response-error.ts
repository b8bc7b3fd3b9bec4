import { type ErrorContext, SandboxAccessError, type SandboxError, SandboxPathError, SandboxPathNotFoundError, SandboxRequestError, SandboxUnsupportedError } from './errors.js';

/** Bytes of an error's body that are kept. */
export const LARGEST_ERROR_BODY = 4096;

/** The three shapes of bodies of error responses: of the router and frameworks, of the plain endpoints, of sandboxd. */
interface ErrorBody {
  readonly detail?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
}

/**
 * The error for a response that is not a success.
 *
 * The body shows which side refused: the router writes `detail`, the runtime `message`. This distinguishes a 403 of the router (no
 * access to the sandbox) from one of the runtime (no access to the path).
 *
 * @param operation the request in words: `read "a/b"`
 */
export function responseError(operation: string, claim: string, statusCode: number, body: string): SandboxError {
  const { detail, message, code } = parse(body);
  const said = [message, detail].find(text => typeof text === 'string') as string | undefined;
  const context: ErrorContext = { claim, reason: typeof code === 'string' ? code : undefined };
  const text = `${operation} in ${claim}: ${statusCode}${said ? ` ${said}` : ''}`;
  const request = (kind: typeof SandboxRequestError, remedy?: string) => new kind(text, statusCode, body, true, { ...context, remedy });
  if (statusCode >= 300 && statusCode < 400) {
    return request(SandboxRequestError, 'redirects are not followed: correct the address');
  }
  if (statusCode === 401) {
    return new SandboxAccessError(text, statusCode, { ...context, remedy: 'give a token that the router accepts' });
  }
  if (statusCode === 403) {
    return message === undefined
      ? new SandboxAccessError(text, statusCode, { ...context, remedy: 'get the right to create sandboxes/proxy for this Sandbox, or a token for it' })
      : request(SandboxPathError, 'name a path below the sandbox\'s directory that its user may touch');
  }
  if ((statusCode === 404 && detail === 'Not Found') || statusCode === 405) {
    return new SandboxUnsupportedError(text, { ...context, remedy: 'the runtime in the sandbox has no such operation: use a newer one' });
  }
  if (statusCode === 404 && message !== undefined) {
    return request(SandboxPathNotFoundError);
  }
  return request(SandboxRequestError);
}

function parse(body: string): ErrorBody {
  try {
    const parsed = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null ? parsed : {};
  } catch {
    return {};
  }
}
