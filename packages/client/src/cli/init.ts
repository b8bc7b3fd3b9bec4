import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SandboxInputError } from '../errors.js';

/** Where files go whose names would have a meaning in the folder that they come from. */
const PLACES: Readonly<Record<string, string>> = { 'workflow.yml': '.github/workflows/manifests.yml', 'gitignore': '.gitignore' };

/** The files of a new app. They are part of the program when it is bundled. */
function appFiles(): Record<string, string> {
  const bundled = process.env.AGENT_SANDBOX_APP;
  if (bundled !== undefined) {
    return JSON.parse(bundled) as Record<string, string>;
  }
  const folder = fileURLToPath(new URL('../../templates/typescript', import.meta.url));
  return Object.fromEntries(readdirSync(folder).sort().map(file => [file, readFileSync(join(folder, file), 'utf8')]));
}

/**
 * Writes a small app with tests of its policy, a workflow and a README into a folder, and returns the paths of its files. `version` is that of the
 * constructs which the app asks for. Throws `SandboxInputError`, and writes nothing, where one of the files is there already.
 */
export function writeApp(folder: string, version: string): string[] {
  const files = Object.entries(appFiles()).map(([file, text]) => ({
    path: join(folder, PLACES[file] ?? file),
    text: file === 'package.json' && /^[1-9]|^0\.[1-9]/.test(version) ? text.replace('"cdk8s-agent-sandbox": "*"', `"cdk8s-agent-sandbox": "^${version}"`) : text,
  }));
  const there = files.map(({ path }) => path).filter(path => existsSync(path));
  if (there.length > 0) {
    throw new SandboxInputError(`${there.join(', ')} ${there.length === 1 ? 'exists' : 'exist'} already`, { remedy: 'name an empty or new folder' });
  }
  for (const { path, text } of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return files.map(({ path }) => path);
}
