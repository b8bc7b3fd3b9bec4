import { parseFlagTable } from 'agent-sandbox-program';
import { PROGRAM, type FlagValues } from './flags.gen.js';

/** What the command line says. Durations are milliseconds. */
export type Flags = FlagValues;

/** Reads a command line. Throws `FlagError`; `--help` prints the flags and throws as well, with an empty message. */
export function parseFlags(args: readonly string[], write: (text: string) => void = text => process.stdout.write(text)): Flags {
  return parseFlagTable<Flags>(PROGRAM, args, { env: {}, write });
}
