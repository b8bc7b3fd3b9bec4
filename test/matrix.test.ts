import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROWS } from '../scripts/matrix/rows';

const ROOT = join(__dirname, '..');
const { engines, peerDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const run = (...args: string[]) => spawnSync(process.execPath, ['--import', 'tsx', join(ROOT, 'scripts', 'test-matrix.ts'), ...args], { cwd: ROOT, encoding: 'utf8', env: { PATH: process.env.PATH } });

test('the workflow has a job for each row', () => {
  const { jobs } = parse(readFileSync(join(ROOT, '.github', 'workflows', 'matrix.yml'), 'utf8'));
  expect(jobs.test.strategy.matrix.row).toEqual(ROWS.map(({ name }) => name));
  expect(jobs.test.steps.at(-1).run).toBe('npm run test:matrix -- ${{ matrix.row }}');
});

test('the rows begin with the oldest Node.js and Kubernetes that the documents promise', () => {
  const of = (key: 'node' | 'kubernetes') => ROWS.flatMap(row => row[key] ?? []);
  expect(engines.node).toBe(`>= ${of('node')[0]}.19.0`);
  expect(readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8')).toContain(`Minimum Kubernetes: ${of('kubernetes')[0]}.`);
  expect(of('kubernetes').at(-1)).toBe('newest');
});

/** Development happens on the oldest peers, so that the row `peers-oldest` needs no packages of its own. */
test('the peers of this tree are the oldest that are allowed', () => {
  const versionOf = (name: string) => JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')).version;
  expect(Object.fromEntries(Object.keys(peerDependencies).map(name => [name, `^${versionOf(name)}`]))).toEqual(peerDependencies);
});

test('an unknown row is refused with those that there are', () => {
  const { status, stdout } = run('node-8', 'node-22');
  expect(status).toBe(2);
  expect(stdout).toContain('there is no row node-8');
  expect(stdout).toContain(`Rows: ${ROWS.map(({ name }) => name).join(', ')}`);
});
