/**
 * What a refusal means to a caller.
 *
 * | situation | answer of the server | what to do |
 * |---|---|---|
 * | `badRequest` | 400 | correct the program |
 * | `unauthorized` | 401 | renew the credentials |
 * | `forbidden` | 403 | grant the right, or leave a namespace that is being deleted |
 * | `notFound` | 404 | the object, or its kind, does not exist |
 * | `alreadyExists` | 409 AlreadyExists | the name is taken |
 * | `conflict` | 409 otherwise | read again: the object is newer or another one than the request says |
 * | `gone` | 410 | list again: the resource version or the page is too old |
 * | `invalid` | 422 | correct the object, or a JSON patch whose `test` failed |
 * | `tooManyRequests` | 429 | wait for `retryAfterMs` |
 * | `timeout` | 504, or 500 with reason Timeout/ServerTimeout | ask again |
 * | `unavailable` | 502, 503 | ask again |
 * | `internal` | 500 otherwise | ask again later |
 * | `other` | any other status of 400 or more | |
 */
export type Situation =
  | 'badRequest' | 'unauthorized' | 'forbidden' | 'notFound' | 'alreadyExists' | 'conflict' | 'gone' | 'invalid' | 'tooManyRequests'
  | 'timeout' | 'unavailable' | 'internal' | 'other';

/** The part of Kubernetes' Status object that errors carry. */
export interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly name?: string;
    readonly kind?: string;
    readonly uid?: string;
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[];
  };
}

/** The API server refused a request. */
export class ApiError extends Error {
  public readonly situation: Situation;
  /** Machine-readable reason of the server, for example `AlreadyExists`; empty if it gave none. */
  public readonly reason: string;
  public readonly details: Status['details'];

  /**
   * @param request verb and location, for the message
   * @param code HTTP status
   * @param status what the server said
   * @param retryAfterMs milliseconds from the `Retry-After` of the server; undefined without one
   */
  constructor(request: string, public readonly code: number, status: Status, public readonly retryAfterMs?: number) {
    super(`${request}: ${code}${status.reason ? ` ${status.reason}` : ''}: ${status.message ?? 'no message'}`);
    this.name = 'ApiError';
    this.reason = status.reason ?? '';
    this.details = status.details;
    this.situation = situationOf(code, this.reason);
  }
}

/** No answer: the connection failed before or during the exchange. A write may have been done all the same, unless `sent` is false. */
export class ConnectionError extends Error {
  /** `ECONNREFUSED`, `ECONNRESET`, `UND_ERR_SOCKET`, … */
  public readonly code: string;
  /** False if no connection came about, so that the server cannot have seen the request. */
  public readonly sent: boolean;

  constructor(request: string, cause: Error & { code?: string }) {
    super(`${request}: ${cause.message || cause.code || cause.name}`, { cause });
    this.name = 'ConnectionError';
    this.code = cause.code ?? '';
    this.sent = !NOT_SENT.has(this.code);
  }
}

const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/** No complete answer in time. A write may have been done all the same. */
export class RequestTimeoutError extends Error {
  constructor(request: string, public readonly timeoutMs: number) {
    super(`${request}: no answer within ${timeoutMs} ms`);
    this.name = 'RequestTimeoutError';
  }
}

/** No credentials: a plugin of the kubeconfig failed, or a file with a token or certificate cannot be read. */
export class CredentialsError extends Error {
  constructor(server: string, cause: unknown) {
    super(`credentials for ${server}: ${cause instanceof Error ? cause.message.trim() || cause.name : String(cause)}: log in again, or correct the kubeconfig`, { cause });
    this.name = 'CredentialsError';
  }
}

/** No cluster to talk to: there is no kubeconfig, or it cannot be read, or its context is incomplete. */
export class KubeconfigError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KubeconfigError';
  }
}

function situationOf(code: number, reason: string): Situation {
  switch (code) {
    case 400: return 'badRequest';
    case 401: return 'unauthorized';
    case 403: return 'forbidden';
    case 404: return 'notFound';
    case 409: return reason === 'AlreadyExists' ? 'alreadyExists' : 'conflict';
    case 410: return 'gone';
    case 422: return 'invalid';
    case 429: return 'tooManyRequests';
    case 500: return reason === 'Timeout' || reason === 'ServerTimeout' ? 'timeout' : 'internal';
    case 502: case 503: return 'unavailable';
    case 504: return 'timeout';
    default: return 'other';
  }
}

/** Whether an error is a refusal of one of these kinds. */
export function isSituation(error: unknown, ...situations: readonly Situation[]): error is ApiError {
  return error instanceof ApiError && situations.includes(error.situation);
}

/** Whether the object, or its kind, does not exist. */
export function isNotFound(error: unknown): error is ApiError {
  return isSituation(error, 'notFound');
}

/** Whether the name is taken. */
export function isAlreadyExists(error: unknown): error is ApiError {
  return isSituation(error, 'alreadyExists');
}

/** Milliseconds from the `Retry-After` of the server, undefined without one. */
export function retryAfterOf(error: unknown): number | undefined {
  return error instanceof ApiError ? error.retryAfterMs : undefined;
}
