import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';

export const REPOSITORY = path.resolve(__dirname, '..');
export const EXAMPLES = path.join(REPOSITORY, 'examples');

/** An example is a folder with a `main.ts`. Names are paths below `examples`, sorted. */
export function exampleApps(folder: string = EXAMPLES): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(file => path.basename(file) === 'main.ts' && !file.split(path.sep).includes('node_modules'))
    .map(file => path.dirname(file).split(path.sep).join('/'))
    .sort();
}

/**
 * Runs the app of a folder as a user would, so that it writes its manifests to `outdir`.
 *
 * @throws if the app fails; the message is what it printed, without the stack
 */
export function synthesize(folder: string, outdir: string): void {
  const result = spawnSync(process.execPath, ['--import', 'tsx', 'main.ts'], {
    cwd: folder,
    env: { ...process.env, CDK8S_OUTDIR: outdir },
    encoding: 'utf8',
  });
  if (result.error) {
    throw result.error;
  }
  if (result.status !== 0) {
    throw new Error(`${path.relative(process.cwd(), path.join(folder, 'main.ts'))} failed:\n\n${withoutStack(result.stderr)}`);
  }
}

/** The manifests below a folder by their path in it, sorted by path. */
export function readManifests(folder: string): Map<string, string> {
  const files = fs.existsSync(folder) ? fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  return new Map(files.filter(file => file.endsWith('.yaml')).sort()
    .map(file => [file.split(path.sep).join('/'), fs.readFileSync(path.join(folder, file), 'utf8')]));
}

/** What an uncaught error says for itself: not where in Node or in the library it came up. */
function withoutStack(stderr: string): string {
  const lines = stderr.split('\n');
  const first = lines.findIndex(line => /^\w*Error\b/.test(line));
  const end = lines.findIndex((line, index) => index > first && /^\s+at /.test(line));
  return first < 0 ? stderr.trim() : lines.slice(first, end < 0 ? undefined : end).join('\n').trim();
}
