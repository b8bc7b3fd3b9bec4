import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SandboxInputError } from '../errors.js';

/** Where files go whose names would have a meaning in the folder that they come from. */
const PLACES: Readonly<Record<string, string>> = { 'workflow.yml': '.github/workflows/manifests.yml', 'gitignore': '.gitignore' };

/** Languages of new apps. */
export const APP_LANGUAGES = ['typescript', 'python'] as const;
export type AppLanguage = (typeof APP_LANGUAGES)[number];

/** The text that asks for any version of the constructs, in the file that has it, and the one that asks for versions that go with another. */
interface Requirement {
  readonly file: string;
  readonly any: string;
  readonly of: (version: string) => string;
}

const REQUIREMENTS: { readonly [language in AppLanguage]: Requirement } = {
  typescript: { file: 'package.json', any: '"cdk8s-agent-sandbox": "*"', of: version => `"cdk8s-agent-sandbox": "^${version}"` },
  python: { file: 'requirements.txt', any: 'cdk8s-agent-sandbox', of: version => `cdk8s-agent-sandbox~=${version}` },
};

/** The files of a new app. They are part of the program when it is bundled. */
function appFiles(language: AppLanguage): Record<string, string> {
  const bundled = process.env.AGENT_SANDBOX_APP;
  if (bundled !== undefined) {
    const all = Object.entries(JSON.parse(bundled) as Record<string, string>);
    return Object.fromEntries(all.filter(([file]) => file.startsWith(`${language}/`)).map(([file, text]) => [file.slice(language.length + 1), text]));
  }
  const folder = fileURLToPath(new URL(`../../templates/${language}`, import.meta.url));
  return Object.fromEntries(readdirSync(folder).sort().map(file => [file, readFileSync(join(folder, file), 'utf8')]));
}

/**
 * Writes a small app with tests of its policy, a workflow and a README into a folder, and returns the paths of its files. `version` is that of the
 * constructs which the app asks for. Throws `SandboxInputError`, and writes nothing, where one of the files is there already.
 */
export function writeApp(folder: string, version: string, language: AppLanguage = 'typescript'): string[] {
  const { file: asking, any, of } = REQUIREMENTS[language];
  const files = Object.entries(appFiles(language)).map(([file, text]) => ({
    path: join(folder, PLACES[file] ?? file),
    text: file === asking && /^[1-9]|^0\.[1-9]/.test(version) ? text.replace(any, of(version)) : text,
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
