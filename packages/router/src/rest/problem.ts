import { STATUS_CODES } from 'node:http';
import { type RestProblem, type RestProblemError, definedOnly } from 'agent-sandbox-api';
import { ApiError, ConnectionError, RequestTimeoutError, retryAfterOf } from 'agent-sandbox-kube';
import { Refusal } from '../refusal.js';

/** A refusal of the REST surface, as a problem document (RFC 9457). */
export class Problem extends Refusal {
  constructor(
    status: number, private readonly reason: string, detail: string, headers: Readonly<Record<string, string>> = {},
    private readonly errors?: readonly RestProblemError[],
  ) {
    super(status, detail, { ...headers, 'content-type': 'application/problem+json' });
  }

  public override get body(): string {
    const { status, message: detail, reason, errors } = this;
    const problem: RestProblem = {
      type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail, reason, ...definedOnly({ errors: errors && [...errors] }),
    };
    return `${JSON.stringify(problem)}\n`;
  }
}

/** The answer to any error. `isOurs` says that it is the router's fault, which the log should name. */
export function problemOf(error: unknown): { readonly problem: Problem; readonly isOurs: boolean } {
  if (error instanceof Problem) {
    return { problem: error, isOurs: false };
  }
  if (error instanceof Refusal) {
    const { status, message, headers } = error;
    const challenge: Record<string, string> = status === 401 ? { 'www-authenticate': 'Bearer' } : {};
    return { problem: new Problem(status, REASONS[status] ?? 'Refused', message, { ...challenge, ...headers as Record<string, string> }), isOurs: false };
  }
  if (error instanceof ApiError) {
    return ofServer(error);
  }
  if (error instanceof ConnectionError || error instanceof RequestTimeoutError || (error instanceof Error && error.name === 'TimeoutError')) {
    return { problem: new Problem(503, 'Unavailable', 'The API server did not answer; a write may have been done all the same.', { 'retry-after': '1' }), isOurs: true };
  }
  return { problem: new Problem(500, 'InternalError', 'An internal error occurred in the router.'), isOurs: true };
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 408: 'Timeout', 413: 'RequestEntityTooLarge', 429: 'TooManyRequests', 431: 'BadRequest', 500: 'InternalError', 504: 'Timeout',
};

/** Texts of the API server about the object are for the caller, who could have sent it there; those about the router's own rights are not. */
function ofServer(error: ApiError): { readonly problem: Problem; readonly isOurs: boolean } {
  const detail = error.message.replace(/^.*?: \d{3}(?: \w+)?: /s, '');
  const retryAfter = { 'retry-after': String(Math.max(1, Math.ceil((retryAfterOf(error) ?? 1000) / 1000))) };
  const pass = (status: number, reason: string, headers = {}) => ({ problem: new Problem(status, reason, detail, headers), isOurs: false });
  switch (error.situation) {
    case 'forbidden':
      // What admission refuses: quotas, policies, a namespace that ends. A missing right names the user instead.
      return /User "/.test(detail) ? { problem: new Problem(500, 'InternalError', 'The router lacks a right in this namespace.'), isOurs: true } : pass(403, 'Forbidden');
    case 'notFound': return pass(404, 'NotFound');
    case 'alreadyExists': return pass(409, 'AlreadyExists');
    case 'conflict': return pass(409, 'Conflict', retryAfter);
    case 'gone': return pass(410, 'Expired');
    case 'badRequest': return pass(400, 'BadRequest');
    case 'invalid': return pass(422, 'Invalid');
    case 'tooManyRequests': return { problem: new Problem(429, 'TooManyRequests', 'The API server has too many requests.', retryAfter), isOurs: false };
    case 'unavailable': case 'timeout':
      return { problem: new Problem(503, 'Unavailable', 'The API server did not answer; a write may have been done all the same.', retryAfter), isOurs: true };
    default: return { problem: new Problem(500, 'InternalError', 'The API server refused the request.'), isOurs: true };
  }
}
