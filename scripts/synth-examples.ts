/**
 * Writes the manifests of every example, or of those named on the command line, to its folder `manifests`.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { EXAMPLES, exampleApps, readManifests, synthesize } from './example-apps';

function main(wanted: string[]): number {
  const known = exampleApps();
  const unknown = wanted.filter(name => !known.includes(name));
  if (unknown.length > 0) {
    console.error(`no such example: ${unknown.join(', ')}\nexamples: ${known.join(', ')}`);
    return 2;
  }
  for (const name of wanted.length > 0 ? wanted : known) {
    const folder = path.join(EXAMPLES, name);
    const fresh = fs.mkdtempSync(path.join(os.tmpdir(), 'example-'));
    try {
      synthesize(folder, fresh);
      const manifests = path.join(folder, 'manifests');
      const changed = !sameFiles(readManifests(manifests), readManifests(fresh));
      if (changed) {
        fs.rmSync(manifests, { recursive: true, force: true });
        fs.cpSync(fresh, manifests, { recursive: true });
      }
      console.log(`${changed ? 'written  ' : 'unchanged'}  examples/${name}/manifests`);
    } finally {
      fs.rmSync(fresh, { recursive: true, force: true });
    }
  }
  return 0;
}

function sameFiles(a: Map<string, string>, b: Map<string, string>): boolean {
  return a.size === b.size && [...a].every(([file, text]) => b.get(file) === text);
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
