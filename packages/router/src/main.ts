#!/usr/bin/env node
import cluster from 'node:cluster';
import { VERSION, orRefuse, runProgram, stopSignal } from 'agent-sandbox-program';
import { parseFlags, type Flags } from './flags.js';
import { mint } from './mint.js';
import { run } from './run.js';
import { runPrimary, runWorker, workerCount } from './workers.js';

/** A wrong command line or configuration ends with exit code 2; what fails later ends with 1. */
const USAGE = { refuse: (message: string) => process.stderr.write(`${message}\n`), usageExitCode: 2 };

if (process.argv[2] === 'mint') {
  await printToken(process.argv.slice(3));
} else {
  await runProgram({ name: 'agent-sandbox-router', parse: parseFlags, run: start, ...USAGE });
}

async function printToken(args: readonly string[]): Promise<void> {
  try {
    await orRefuse(USAGE, () => mint(args));
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  }
}

async function start(flags: Flags): Promise<void> {
  const options = { flags, version: VERSION };
  if (cluster.isWorker) {
    await runWorker(options);
  } else if (workerCount(flags) > 1) {
    await runPrimary(options, stopSignal());
  } else {
    await run(options, stopSignal());
  }
}
