import { CommanderError, type Command } from 'commander';
import { FlagError } from './flag-error.js';

/** Parses arguments (without `node` and the script) by a command of commander. Throws `FlagError`; `--help` goes to `write`. */
export function parseCommand(command: Command, args: readonly string[], write: (text: string) => void): Command {
  try {
    return command.configureOutput({ writeOut: write, writeErr: () => undefined }).exitOverride().parse(args, { from: 'user' });
  } catch (error) {
    throw error instanceof CommanderError ? new FlagError(error.exitCode === 0 ? '' : error.message.replace(/^error: /, '')) : error;
  }
}

export interface ProgramOptions<Flags extends { readonly version: boolean }> {
  /** Name that `--version` prints. */
  readonly name: string;
  /** Reads the command line. Throws `FlagError`. */
  readonly parse: (args: readonly string[]) => Flags;
  readonly run: (flags: Flags) => Promise<void>;
  /** Reports a wrong command line; a promise is waited for. */
  readonly refuse: (message: string) => unknown;
  /** Exit code of a wrong command line. */
  readonly usageExitCode: number;
}

/** Reads the command line of this process and runs the program. Prints the version for `--version`; sets the exit code of a wrong command line. */
export async function runProgram<Flags extends { readonly version: boolean }>(options: ProgramOptions<Flags>): Promise<void> {
  const { name, parse, run } = options;
  const flags = await orRefuse(options, () => parse(process.argv.slice(2)));
  if (flags?.version) {
    process.stdout.write(`${name} ${VERSION}\n`);
  } else if (flags !== undefined) {
    await run(flags);
  }
}

/** The result of `act`; undefined after a `FlagError`, which was reported. */
export async function orRefuse<T>(
  { refuse, usageExitCode }: Pick<ProgramOptions<never>, 'refuse' | 'usageExitCode'>, act: () => T | Promise<T>,
): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof FlagError)) {
      throw error;
    }
    if (error.message !== '') {
      await refuse(error.message);
      process.exitCode = usageExitCode;
    }
    return undefined;
  }
}

/** Version of this program, `unknown` unless it is bundled: the bundler sets it. */
export const VERSION = process.env.AGENT_SANDBOX_VERSION ?? 'unknown';
