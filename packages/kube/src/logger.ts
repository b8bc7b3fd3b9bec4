import { ApiError, ConnectionError, CredentialsError, KubeconfigError, RequestTimeoutError } from './errors.js';

/** Writes one line of a log: fields first, then the message. */
export type LogFunction = (fields: object, message: string) => void;

/** The part of a structured logger that this package uses. A pino logger is one. */
export interface Logger {
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
}

/**
 * The `err` serializer of a pino logger: errors that come from outside (the API server, the network, a kubeconfig, files and ports) are
 * logged without a stack, which would say nothing about them, and so are those that `isBrief` names. All others go to `full`.
 */
export function briefErrors(full: (error: Error) => object, isBrief: (error: Error) => boolean = () => false): (error: Error) => object {
  return error => {
    if (!isFromOutside(error) && !isBrief(error)) {
      return full(error);
    }
    const { code } = error as { code?: string | number };
    return { type: error.name, message: error.message, ...(code === undefined || code === '' ? {} : { code }) };
  };
}

function isFromOutside(error: unknown): boolean {
  return error instanceof ApiError || error instanceof ConnectionError || error instanceof RequestTimeoutError
    || error instanceof CredentialsError || error instanceof KubeconfigError || (error instanceof Error && 'syscall' in error);
}

/** Logs nothing. */
export const silentLogger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
