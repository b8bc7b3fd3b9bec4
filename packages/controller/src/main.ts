#!/usr/bin/env node
import { FlagError, VERSION, exitSoon, runProgram, stopSignal } from 'agent-sandbox-program';
import { pino, stdSerializers } from 'pino';
import { parseFlags, type Flags } from './flags.js';

await runProgram({ name: 'agent-sandbox-controller', parse: parseFlags, run, refuse: message => pino().error(message), usageExitCode: 1 });

async function run(flags: Flags): Promise<void> {
  // Imported dynamically: --version, --help and a wrong command line are answered without them.
  const [{ briefErrors }, { controllersOf }, { runManager }] = await Promise.all([
    import('agent-sandbox-kube'), import('./controllers.js'), import('./shell/manager.js'),
  ]);
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
