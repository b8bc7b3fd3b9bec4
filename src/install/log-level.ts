/** Level of the log of controller or router. */
export enum ControllerLogLevel {
  /** Everything, including what is done for each object. */
  DEBUG = 'debug',

  /** What happens to the process as a whole. */
  INFO = 'info',

  /** Warnings and errors. */
  WARN = 'warn',

  /** Errors only. */
  ERROR = 'error',

  /** Only errors that end the process. */
  PANIC = 'panic',
}
