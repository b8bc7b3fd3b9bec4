import * as ours from '../errors.js';

export {
  SandboxClaimFailedError, SandboxClosedError, SandboxError, SandboxNotFoundError, SandboxTemplateNotFoundError, SandboxTimeoutError,
  SandboxWarmPoolNotFoundError,
} from '../errors.js';

/** The Sandbox has no Service, or is not reached over one here. */
export class SandboxNoServiceError extends ours.SandboxError {}

/** The Sandbox object lacks what is needed. */
export class SandboxMetadataError extends ours.SandboxError {}

export type SandboxConnectionErrorKind = 'connect' | 'transport';

/** There is no connection to the runtime, or it was lost. */
export class SandboxConnectionError extends ours.SandboxError {
  constructor(message: string, public readonly kind: SandboxConnectionErrorKind, context: ours.ErrorContext = {}) {
    super(message, context);
  }
}

export type SandboxdApiCode = string;

/** The files, health or metadata of the runtime refused with a status. */
export class SandboxdApiError extends ours.SandboxError {
  constructor(message: string, public readonly status: number, public readonly code: SandboxdApiCode, context: ours.ErrorContext = {}) {
    super(message, context);
  }
}

/** The processes of the runtime refused: `not_found`, `permission_denied`, … */
export class SandboxdRpcError extends ours.SandboxError {
  constructor(message: string, public readonly code: string, context: ours.ErrorContext = {}) {
    super(message, context);
  }
}

/** The original's error for one of ours; errors without a counterpart stay as they are. */
export function translate(error: unknown, service: 'files' | 'processes'): unknown {
  if (!(error instanceof ours.SandboxError)) {
    return error;
  }
  const context = { claim: error.claim, reason: error.reason, cause: error };
  if (error instanceof ours.SandboxRequestError) {
    if (error.statusCode === undefined) {
      return new SandboxConnectionError(error.message, error.sent ? 'transport' : 'connect', context);
    }
    return service === 'files'
      ? new SandboxdApiError(error.message, error.statusCode, error.reason ?? API_CODES[error.statusCode] ?? 'INTERNAL', context)
      : new SandboxdRpcError(error.message, error.reason ?? RPC_CODES[error.statusCode] ?? 'unknown', context);
  }
  if (error instanceof ours.SandboxAccessError && error.statusCode !== undefined) {
    return service === 'files'
      ? new SandboxdApiError(error.message, error.statusCode, 'PERMISSION_DENIED', context)
      : new SandboxdRpcError(error.message, error.statusCode === 401 ? 'unauthenticated' : 'permission_denied', context);
  }
  if (error instanceof ours.SandboxTunnelError || error instanceof ours.SandboxGatewayError || error instanceof ours.SandboxNotReadyError) {
    return new SandboxConnectionError(error.message, 'connect', context);
  }
  return error;
}

/** Runs a call and translates its error. */
export async function translated<T>(service: 'files' | 'processes', call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw translate(error, service);
  }
}

const API_CODES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 409: 'CONFLICT', 413: 'RESOURCE_EXHAUSTED', 503: 'UNAVAILABLE',
};
const RPC_CODES: Readonly<Record<number, string>> = {
  400: 'invalid_argument', 403: 'permission_denied', 404: 'not_found', 429: 'resource_exhausted', 503: 'unavailable', 504: 'deadline_exceeded',
};
