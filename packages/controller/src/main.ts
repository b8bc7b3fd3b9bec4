#!/usr/bin/env node
import { runProgram } from 'agent-sandbox-program';
import { parseFlags } from './flags.js';
import { optimizeRarely } from './tiering.js';

optimizeRarely();

// Imported dynamically: --version and --help are answered without the controllers.
await runProgram({
  name: 'agent-sandbox-controller',
  parse: parseFlags,
  run: async flags => (await import('./run.js')).run(flags),
  refuse: async message => (await import('./run.js')).refuse(message),
  usageExitCode: 1,
});
