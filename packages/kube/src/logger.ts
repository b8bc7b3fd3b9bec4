/** Writes one line of a log: fields first, then the message. */
export type LogFunction = (fields: object, message: string) => void;

/** The part of a structured logger that this package uses. A pino logger is one. */
export interface Logger {
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
}

/** Logs nothing. */
export const silentLogger: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
