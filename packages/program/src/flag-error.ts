/** The command line is wrong. The message says what to give instead; it is empty after `--help`, which printed the help. */
export class FlagError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FlagError';
  }
}
