/** Runs the tests on other versions of Node.js, of the peer dependencies and of Kubernetes, one row after the other, and prints a table. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { JEST } from './jest';
import { ROWS, type Row } from './matrix/rows';
import { surroundingsOf } from './matrix/surroundings';

const USAGE = `usage: npm run test:matrix [-- ROW... [--suites PATH...]]

Rows: ${ROWS.map(({ name }) => name).join(', ')} (default: all)

  --suites PATH  only these suites or folders, from the root of the repository; may be repeated (default: all suites that
                 say something about the row)`;

interface Result {
  readonly row: string;
  readonly versions: string;
  readonly outcome: string;
  readonly good: boolean;
}

function main(args: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...args], allowPositionals: true, options: { suites: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } },
  });
  const unknown = positionals.filter(name => !ROWS.some(row => row.name === name));
  if (values.help || unknown.length > 0) {
    console.log(unknown.length > 0 ? `there is no row ${unknown.join(', ')}\n\n${USAGE}` : USAGE);
    return values.help ? 0 : 2;
  }
  const results = ROWS.filter(({ name }) => positionals.length === 0 || positionals.includes(name)).map(row => test(row, values.suites));
  console.log(['', '| row | versions | result |', '|---|---|---|', ...results.map(({ row, versions, outcome }) => `| ${row} | ${versions} | ${outcome} |`)].join('\n'));
  return results.every(({ good }) => good) ? 0 : 1;
}

/** Runs the suites of a row. A row that cannot be made ready has failed. */
function test(row: Row, suites: readonly string[] | undefined): Result {
  console.log(`\n${row.name}`);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'test-matrix-'));
  const summary = path.join(folder, 'summary.json');
  const start = performance.now();
  try {
    const { tree, node, env, versions, suites: own } = surroundingsOf(row);
    // From the root of the tree: `test/` alone stands in the path of every package as well.
    const paths = (suites ?? own).map(suite => path.join(tree, suite));
    const { status } = spawnSync(node, [...JEST, '--runInBand', '--ignoreProjects', 'node', '--testPathPatterns', ...(paths.length > 0 ? paths : ['.'])], {
      cwd: tree, stdio: 'inherit', env: { ...process.env, ...env, AGENT_SANDBOX_TEST_SUMMARY: summary },
    });
    const { passed, failed, skipped } = JSON.parse(fs.readFileSync(summary, 'utf8')).counts;
    const minutes = ((performance.now() - start) / 60_000).toFixed(1);
    return { row: row.name, versions, outcome: `${passed} passed, ${failed} failed, ${skipped} skipped in ${minutes} min`, good: status === 0 && passed > 0 };
  } catch (error) {
    return { row: row.name, versions: '', outcome: `not run: ${(error as Error).message.split('\n')[0]}`, good: false };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv.slice(2));
