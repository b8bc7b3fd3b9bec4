/**
 * Runs every test: jest's, then those on a real node. Suites that failed run once more, alone on the machine, so that one
 * that lost a race against other work does not hide what the rest says. The end names each of them: a suite that needs a
 * second run has a fault that is to be mended.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { JEST, node, ROOT } from './jest';

interface Counts { readonly passed: number; readonly failed: number; readonly skipped: number }

/** What one run of jest ended with: `scripts/jest-summary.cjs` writes it. */
interface Summary {
  readonly counts: Counts;
  readonly skipped: readonly string[];
  readonly failed: ReadonlyArray<{ readonly path: string; readonly counts: Counts }>;
}

/** Runs jest for all of its suites or for some, and returns its exit code. */
type Tests = (env: NodeJS.ProcessEnv, suites?: readonly string[]) => number;

/** More failed suites than this are no bad luck and are not run again. */
const MOST_SECOND_RUNS = 5;

const everywhere: Tests = (env, suites) => node([...JEST, ...(suites ? ['--runInBand', '--runTestsByPath', ...suites] : []), '--ignoreProjects', 'node'], env);
const onNode: Tests = (env, suites) => node(['--import', 'tsx', path.join(__dirname, 'node-tests.ts'), ...(suites ? ['--runTestsByPath', ...suites] : [])], env);

function main(): number {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'test-summary-'));
  try {
    const runs = [everywhere, onNode].map(tests => twice(tests, folder));
    const { passed, failed, skipped } = runs.reduce((sum, { counts }) => plus(sum, counts), { passed: 0, failed: 0, skipped: 0 });
    console.log(['', ...runs.flatMap(({ lines }) => lines), `${passed} passed, ${failed} failed, ${skipped} skipped`].join('\n'));
    return runs.every(({ good }) => good) ? 0 : 1;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** A run and, for the few suites of it that failed, a second one. */
function twice(tests: Tests, folder: string): { good: boolean; counts: Counts; lines: readonly string[] } {
  const first = summaryOf(tests, folder);
  const suites = first.failed.map(suite => suite.path);
  if (suites.length === 0 || suites.length > MOST_SECOND_RUNS) {
    return { good: first.code === 0, counts: first.counts, lines: first.skipped };
  }
  console.log(`\nonce more, alone: ${suites.map(suite => path.relative(ROOT, suite)).join(', ')}`);
  const second = summaryOf(tests, folder, suites);
  const others = first.failed.reduce((rest, suite) => plus(rest, suite.counts, -1), first.counts);
  const verdict = (suite: string) => second.failed.some(failed => failed.path === suite) ? 'failed twice' : 'passed only when run again';
  return {
    good: second.code === 0,
    counts: plus(others, second.counts),
    lines: [...first.skipped, ...suites.map(suite => `${verdict(suite)}: ${path.relative(ROOT, suite)}`)],
  };
}

function summaryOf(tests: Tests, folder: string, suites?: readonly string[]): Summary & { readonly code: number } {
  const file = path.join(folder, 'summary.json');
  fs.rmSync(file, { force: true });
  const code = tests({ AGENT_SANDBOX_TEST_SUMMARY: file }, suites);
  if (!fs.existsSync(file)) {
    return { code: code || 1, counts: { passed: 0, failed: 1, skipped: 0 }, skipped: ['failed: a run of jest ended without its figures'], failed: [] };
  }
  return { code, ...JSON.parse(fs.readFileSync(file, 'utf8')) as Summary };
}

function plus(one: Counts, other: Counts, factor = 1): Counts {
  return { passed: one.passed + factor * other.passed, failed: one.failed + factor * other.failed, skipped: one.skipped + factor * other.skipped };
}

process.exitCode = main();
