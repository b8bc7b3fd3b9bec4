/**
 * Measures what looking at manifests costs: the rules, the network matrix and the posture for 100, 1,000 and 5,000 objects, and what the
 * rules add to synthesis. See ../README.md.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { benchmark } from '../rounds';
import { median } from '../statistics';
import { table } from '../table';

const USAGE = `usage: npm run bench:check [-- OPTIONS]

  --rounds N  processes for each measurement (default: 3)
  --help      this text`;

const COUNTS = [100, 1000, 5000];
/** Milliseconds for 5,000 objects. */
const BOUNDS: Readonly<Record<string, number>> = { checks: 2000, matrix: 5000, posture: 5000 };

function sample(step: string, count: number): number {
  return JSON.parse(execFileSync(process.execPath, ['--import', 'tsx', join(__dirname, 'worker.ts'), step, String(count)], { encoding: 'utf8' }));
}

/** Medians of samples that the steps take in turns. */
function measure(steps: readonly string[], count: number, rounds: number): number[] {
  const samples = Array.from({ length: rounds }, () => steps.map(step => sample(step, count)));
  return steps.map((_step, index) => median(samples.map(round => round[index])));
}

benchmark(USAGE, 3, rounds => {
  const steps = Object.keys(BOUNDS);
  const rows = COUNTS.map(count => measure(steps, count, rounds));
  console.log(`Processor time in ms, medians of ${rounds}\n`);
  console.log(table(['objects', ...steps.flatMap(step => [step, 'ms/object'])], COUNTS.map((count, at) => [String(count), ...rows[at].flatMap(ms => [ms, ms / count])])));
  const last = rows[rows.length - 1];
  steps.forEach((step, at) => console.log(`${last[at] <= BOUNDS[step] ? 'met    ' : 'not met'}  ${step} of 5,000 objects below ${BOUNDS[step]} ms: ${Math.round(last[at])} ms`));
  const [synth, both] = measure(['synth', 'synth and checks'], 100, rounds);
  const added = (both / synth - 1) * 100;
  console.log(`${added <= 20 ? 'met    ' : 'not met'}  the rules add at most 20 % to the synthesis of 100 objects: ${synth.toFixed(0)} and ${both.toFixed(0)} ms, ${added.toFixed(0)} %`);
  console.log(`\n${JSON.stringify({ rounds, counts: COUNTS, steps, medians: rows, synth, synthAndChecks: both })}`);
});
