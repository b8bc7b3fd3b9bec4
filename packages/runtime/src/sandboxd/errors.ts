import { errnoOf, NoPtyError, PathEscapesError, reasonOf, SpawnError, StoppingError, TooManyCommandsError } from '../errors.js';

/** Codes of the Connect protocol, and the HTTP statuses that go with them. */
export const STATUS_OF_CODE = {
  invalid_argument: 400,
  failed_precondition: 400,
  permission_denied: 403,
  not_found: 404,
  resource_exhausted: 429,
  internal: 500,
  unavailable: 503,
  deadline_exceeded: 504,
} as const;

export type Code = keyof typeof STATUS_OF_CODE;

/** A call of `ProcessService` failed. */
export class ProcessError extends Error {
  constructor(public readonly code: Code, message: string) {
    super(message);
    this.name = 'ProcessError';
  }
}

/** Turns any error of a call into one that is safe to return to the caller. */
export function processErrorOf(error: unknown): ProcessError {
  if (error instanceof ProcessError) {
    return error;
  }
  return new ProcessError(codeOf(error), reasonOf(error));
}

function codeOf(error: unknown): Code {
  if (error instanceof SpawnError) {
    return error.errno === 'ENOENT' || error.errno === 'ENOTDIR' ? 'not_found' : error.errno === 'EACCES' || error.errno === 'EPERM' ? 'permission_denied' : 'internal';
  }
  if (error instanceof TooManyCommandsError) {
    return 'resource_exhausted';
  }
  if (error instanceof StoppingError) {
    return 'unavailable';
  }
  if (error instanceof NoPtyError) {
    return 'failed_precondition';
  }
  if (error instanceof PathEscapesError || errnoOf(error) === 'EACCES') {
    return 'permission_denied';
  }
  return errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR' ? 'not_found' : 'internal';
}
