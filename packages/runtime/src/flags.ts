import { parseFlagTable } from 'agent-sandbox-program';
import type { Logger } from 'pino';
import { PROGRAM, type FlagValues } from './flags.gen.js';
import { DEFAULTS } from './options.js';

/** What the command line and the environment say. */
export type Flags = FlagValues;

/** Reads a command line; where a flag is not given, its variable counts. Throws `FlagError`. */
export function parseFlags(
  args: readonly string[], write: (text: string) => void = text => process.stdout.write(text), env: NodeJS.ProcessEnv = process.env,
): Flags {
  const flags = parseFlagTable<Flags>(PROGRAM, args, { env, write });
  return { ...flags, metadataEnvPrefix: flags.metadataEnvPrefix || DEFAULTS.metadataEnvPrefix };
}

/** The base directory: flag, `SANDBOX_BASE_DIR`, `/app`; blank counts as not given. */
export function baseDirOf(flags: Pick<Flags, 'baseDir'>, env: NodeJS.ProcessEnv): string {
  return [flags.baseDir, env.SANDBOX_BASE_DIR].find(each => each !== undefined && each.trim() !== '') ?? DEFAULTS.baseDir;
}

/** The time limit: flag, `SANDBOX_EXEC_TIMEOUT_SECONDS`, 300. A variable that is no number above 0 is named in the log and ignored. */
export function execTimeoutOf(flags: Pick<Flags, 'execTimeoutSeconds'>, env: NodeJS.ProcessEnv, logger: Pick<Logger, 'warn'>): number {
  if (flags.execTimeoutSeconds !== undefined) {
    return flags.execTimeoutSeconds;
  }
  const text = env.SANDBOX_EXEC_TIMEOUT_SECONDS;
  if (text === undefined) {
    return DEFAULTS.execTimeoutSeconds;
  }
  const number = text.trim() === '' ? NaN : Number(text);
  if (Number.isFinite(number) && number > 0) {
    return number;
  }
  logger.warn({ value: text, used: DEFAULTS.execTimeoutSeconds }, 'SANDBOX_EXEC_TIMEOUT_SECONDS has to be a finite number above 0');
  return DEFAULTS.execTimeoutSeconds;
}
