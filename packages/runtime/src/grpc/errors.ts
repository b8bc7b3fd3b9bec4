import { Code, ConnectError } from '@connectrpc/connect';
import { codeFromString } from '@connectrpc/connect/protocol-connect';
import { errnoOf, reasonOf } from '../errors.js';
import { processErrorOf, ProcessError } from '../sandboxd/errors.js';
import { fileStatusOf } from '../sandboxd/files.js';

/** Lets a call fail with the code that belongs to what it throws. */
export function withErrors<A extends unknown[], T>(call: (...args: A) => Promise<T>, errorOf = processError): (...args: A) => Promise<T> {
  return async (...args) => {
    try {
      return await call(...args);
    } catch (error) {
      throw error instanceof ConnectError ? error : errorOf(error);
    }
  };
}

function processError(error: unknown): ConnectError {
  const { code, message } = processErrorOf(error);
  return new ConnectError(message, codeFromString(code));
}

const CODES: { readonly [code: string]: Code } = {
  INVALID_ARGUMENT: Code.InvalidArgument,
  PERMISSION_DENIED: Code.PermissionDenied,
  NOT_FOUND: Code.NotFound,
  CONFLICT: Code.FailedPrecondition,
  RESOURCE_EXHAUSTED: Code.ResourceExhausted,
};

/** An error about files. */
export function fileError(error: unknown): ConnectError {
  if (error instanceof ProcessError) {
    return processError(error);
  }
  const code = errnoOf(error) === 'EEXIST' ? Code.AlreadyExists : CODES[fileStatusOf(error)[1]] ?? Code.Internal;
  return new ConnectError(reasonOf(error), code);
}
