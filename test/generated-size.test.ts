import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');
/** What a clone and a review carry: what users read or apply. The rest is made when it is needed. */
const MOST_BYTES = 2_500_000;

/** What cannot say in its first lines that it is generated. */
const WITHOUT_HEADER = [/^API\.md$/, /^docs\/L1\.md$/, /^docs\/reference\/(flags|rules)\.md$/, /^chart\//, /^src\/generated\//, /^examples\/.*\/manifests\//, /\.gen\.\w+$/, /_pb\.ts$/, /^skills\//, /^llms\.txt$/];
/** Lock files are for machines, and not of our making. */
const LOCK = /(^|\/)(package-lock\.json|go\.sum|requirements\.txt|.*\.lock\.json)$/;

function isGenerated(file: string): boolean {
  const first = readFileSync(join(ROOT, file)).subarray(0, 400).toString('utf8');
  return WITHOUT_HEADER.some(pattern => pattern.test(file)) || /^\W*(code )?generated (by|from)\b/im.test(first);
}

test('committed text that is generated stays below 2.5 MB', () => {
  const files = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(file => file && !LOCK.test(file) && existsSync(join(ROOT, file)));
  const sizes = files.filter(isGenerated).map(file => ({ file, bytes: statSync(join(ROOT, file)).size })).sort((a, b) => b.bytes - a.bytes);
  expect(sizes.map(({ file }) => file)).toEqual(expect.arrayContaining(['API.md', 'docs/L1.md', 'chart/files/crds/sandboxes.agents.x-k8s.io.yaml', 'src/generated/crds.json', 'imports/kubernetes.ts', 'eslint.config.mjs']));
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  const largest = sizes.slice(0, 10).map(({ file, bytes }) => `${file} ${bytes}`).join('\n');
  expect(total < MOST_BYTES ? '' : `${total} bytes, more than ${MOST_BYTES}; the largest:\n${largest}`).toBe('');
});
