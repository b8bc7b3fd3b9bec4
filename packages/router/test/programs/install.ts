import { PROGRAM_NAMES, install } from './programs.js';

/** Installs the programs that `browser-programs.test.ts` opens in a browser. Says which cannot be had; their tests are skipped. */
for (const name of PROGRAM_NAMES) {
  process.stdout.write(`${name}: ${install(name) ? 'installed' : 'cannot be had, so its tests are skipped'}\n`);
}
