import { parseFlagTable } from 'agent-sandbox-program';
import { PROGRAM, type FlagValues } from './flags.gen.js';

/** What the command line says. Durations are milliseconds. */
export interface Flags extends FlagValues {
  /** Flags that this program does not know: those of a newer original. They have no effect. */
  readonly unknown: readonly string[];
}

/**
 * Reads a command line. Throws `FlagError`; `--help` prints the flags and throws as well, with an empty message.
 * A flag that is unknown does not end the program, so that a newer original can be replaced as it is configured.
 */
export function parseFlags(args: readonly string[], write: (text: string) => void = text => process.stdout.write(text)): Flags {
  let unknown: readonly string[] = [];
  const values = parseFlagTable<FlagValues>(PROGRAM, args, { env: {}, write, unknown: flags => (unknown = flags) });
  return { ...values, unknown };
}
