#!/usr/bin/env node
import cluster from 'node:cluster';
import { FlagError, parseFlags, type Flags } from './flags.js';
import { mint } from './mint.js';
import { run } from './run.js';
import { runPrimary, runWorker, workerCount } from './workers.js';

/** Set when the program is bundled. */
const VERSION = process.env.AGENT_SANDBOX_VERSION ?? 'unknown';

/** Exit code of a wrong command line or configuration; 1 is for what fails later. */
const USAGE = 2;

const args = process.argv.slice(2);
if (args[0] === 'mint') {
  await orUsage(() => mint(args.slice(1)));
} else {
  const flags = await orUsage(() => parseFlags(args));
  if (flags?.version) {
    process.stdout.write(`agent-sandbox-router ${VERSION}\n`);
  } else if (flags !== undefined) {
    await start(flags);
  }
}

async function orUsage<T>(act: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    const isUsage = error instanceof FlagError;
    if (!isUsage || error.message !== '') {
      process.stderr.write(`${isUsage ? error.message : String(error)}\n`);
      process.exitCode = isUsage ? USAGE : 1;
    }
    return undefined;
  }
}

async function start(flags: Flags): Promise<void> {
  const options = { flags, version: VERSION };
  if (cluster.isWorker) {
    await runWorker(options);
  } else if (workerCount(flags) > 1) {
    await runPrimary(options, signals());
  } else {
    await run(options, signals());
  }
}

/** Aborted by the first signal to end; the second one ends the process the hard way. */
function signals(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => stop.abort(new Error(`got ${signal}`)));
  }
  return stop.signal;
}
