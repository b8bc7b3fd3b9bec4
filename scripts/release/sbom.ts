/** Prints the bill of materials of all programs and packages: what of the registry is part of them. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { bundledPackages, PROGRAMS } from '../bundle';
import { sbomOf } from '../oci/sbom';

const ROOT = path.resolve(__dirname, '..', '..');

async function main(): Promise<void> {
  const { version, bundledDependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string; bundledDependencies: string[] };
  const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, { version: string }> };
  const npm: Record<string, string> = Object.fromEntries(bundledDependencies.map(name => [name, packages[`node_modules/${name}`].version]));
  for (const program of Object.keys(PROGRAMS)) {
    Object.assign(npm, await bundledPackages(program));
  }
  const own = (name: string) => name.startsWith('agent-sandbox-') || name === 'cdk8s-agent-sandbox';
  process.stdout.write(sbomOf('release', version, { debian: {}, pypi: {}, npm: Object.fromEntries(Object.entries(npm).filter(([name]) => !own(name))) }));
}

void main();
