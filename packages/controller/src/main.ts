#!/usr/bin/env node
import { briefErrors } from 'agent-sandbox-kube';
import { FlagError, VERSION, exitSoon, runProgram, stopSignal } from 'agent-sandbox-program';
import { pino, stdSerializers } from 'pino';
import { controllersOf } from './controllers.js';
import { parseFlags, type Flags } from './flags.js';
import { runManager } from './shell/manager.js';

await runProgram({ name: 'agent-sandbox-controller', parse: parseFlags, run, refuse: message => pino().error(message), usageExitCode: 1 });

async function run(flags: Flags): Promise<void> {
  const logger = pino({ level: flags.logLevel, serializers: { err: briefErrors(stdSerializers.err, error => error instanceof FlagError) } });
  if (flags.ignored.length > 0) {
    logger.info({ flags: flags.ignored }, 'flags are accepted, but have no effect');
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
