/** Writes the Helm chart, and the manifests for kubectl (`install/`, not committed), from the construct `AgentSandboxController`. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { chartFiles } from './helm/chart';
import { installYaml } from './helm/install-yaml';

const ROOT = path.resolve(__dirname, '..');
const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string };

function write(file: string, text: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}

const chart = path.join(ROOT, 'chart');
// The CRDs, in `files`, are written by api/generate.ts.
fs.readdirSync(chart).filter(name => name !== 'files').forEach(name => fs.rmSync(path.join(chart, name), { recursive: true }));
const files = chartFiles(version);
files.forEach((text, name) => write(path.join(chart, name), text));
console.log(`chart/: ${files.size} files`);
for (const [name, text] of installYaml()) {
  write(path.join(ROOT, 'install', name), text);
  console.log(`install/${name}`);
}
