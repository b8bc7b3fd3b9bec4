#!/usr/bin/env node
import { briefErrors } from 'agent-sandbox-kube';
import { pino, stdSerializers } from 'pino';
import { controllersOf } from './controllers.js';
import { FlagError, parseFlags, type Flags } from './flags.js';
import { runManager } from './shell/manager.js';

/** Set when the program is bundled. */
const VERSION = process.env.AGENT_SANDBOX_VERSION ?? 'unknown';

const flags = read();
if (flags?.version) {
  process.stdout.write(`agent-sandbox-controller ${VERSION}\n`);
} else if (flags !== undefined) {
  await run(flags);
}

function read(): Flags | undefined {
  try {
    return parseFlags(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) {
      throw error;
    }
    if (error.message !== '') {
      pino().error(error.message);
      process.exitCode = 1;
    }
    return undefined;
  }
}

async function run(given: Flags): Promise<void> {
  const logger = pino({ level: given.logLevel, serializers: { err: briefErrors(stdSerializers.err, error => error instanceof FlagError) } });
  if (given.ignored.length > 0) {
    logger.info({ flags: given.ignored }, 'these flags have no effect');
  }
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // The second one ends the process the hard way.
    process.once(signal, () => stop.abort(new Error(`got ${signal}`)));
  }
  try {
    await runManager({ flags: given, definitions: controllersOf(given), logger, version: VERSION }, stop.signal);
    logger.info('ended');
  } catch (error) {
    logger.fatal({ err: error }, 'cannot go on');
    process.exitCode = 1;
  }
  // Whatever still waits for an answer must not keep a process alive that may not write any more.
  setTimeout(() => process.exit(), 1000).unref();
}
