import { briefErrors } from 'agent-sandbox-kube';
import { FlagError, VERSION, exitSoon, stopSignal } from 'agent-sandbox-program';
import { pino, stdSerializers } from 'pino';
import { controllersOf } from './controllers.js';
import type { Flags } from './flags.js';
import { runManager } from './shell/manager.js';

/** Logs what is wrong with the command line. */
export function refuse(message: string): void {
  pino().error(message);
}

/** Runs the controllers until SIGTERM or SIGINT. Sets the exit code. */
export async function run(flags: Flags): Promise<void> {
  const logger = pino({ level: flags.logLevel, serializers: { err: briefErrors(stdSerializers.err, error => error instanceof FlagError) } });
  if (flags.ignored.length > 0) {
    logger.info({ flags: flags.ignored }, 'flags are accepted, but have no effect');
  }
  if (flags.unknown.length > 0) {
    logger.warn({ flags: flags.unknown }, 'flags are unknown, and have no effect');
  }
  try {
    await runManager({ flags, definitions: controllersOf(flags), logger, version: VERSION }, stopSignal());
    logger.info('ended');
  } catch (error) {
    logger.fatal({ err: error }, 'cannot go on');
    process.exitCode = 1;
  }
  exitSoon();
}
