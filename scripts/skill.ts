/**
 * Writes the skill for coding agents, `skills/agent-sandbox/`, and `llms.txt`, from the definitions of the API, the constructs and the
 * command lines, from the documents, and from the texts in `scripts/skill/`. Fails when a text names what does not exist. With
 * `--check`, writes nothing and fails when a file differs from what it should be.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Command } from 'commander';
import { falseStatements } from './skill/check';
import { addressOf, expanded } from './skill/directives';
import { type CommandFacts, ROOT } from './skill/facts';

const TEXTS = path.join(__dirname, 'skill');
/** Below the root of the repository. */
const SKILL = 'skills/agent-sandbox';
/** What an agent reads of it at most. */
const MAX_BYTES = 30 * 1024;

/** The commands of a program, from the program itself. */
function factsOf(program: Command): CommandFacts[] {
  return program.commands.map(command => ({
    name: `${program.name()} ${command.name()}`,
    description: command.description(),
    parameters: command.registeredArguments.map(each => (each.required ? `<${each.name()}${each.variadic ? '...' : ''}>` : `[${each.name()}${each.variadic ? '...' : ''}]`)).join(' '),
    options: command.options.map(({ flags, description }) => ({ flags, description })),
  }));
}

/** All files by their path, from the root of the repository. Throws when a text names what does not exist. */
function skillFiles(commands: readonly CommandFacts[]): Record<string, string> {
  const files = Object.fromEntries(fs.readdirSync(TEXTS).filter(name => name.endsWith('.md')).sort().map(name => {
    const at = name === 'SKILL.md' ? `${SKILL}/SKILL.md` : `${SKILL}/references/${name}`;
    return [at, expanded(fs.readFileSync(path.join(TEXTS, name), 'utf8'), commands)];
  }));
  const wrong = Object.entries(files).flatMap(([file, text]) => falseStatements(text, commands).map(statement => `${file}: ${statement}`));
  const missing = Object.entries(files).flatMap(([file, text]) => [...text.matchAll(/\]\((?!https:)([^)]+)\)/g)]
    .filter(([, target]) => !(path.posix.join(path.posix.dirname(file), target) in files)).map(([, target]) => `${file}: there is no ${target}`));
  const bytes = Object.values(files).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const problems = [...wrong, ...missing, ...(bytes > MAX_BYTES ? [`the skill has ${bytes} bytes, more than ${MAX_BYTES}: ${Object.entries(files).map(([file, text]) => `${path.basename(file)} ${Buffer.byteLength(text)}`).join(', ')}`] : [])];
  if (problems.length > 0) {
    throw new Error(problems.join('\n'));
  }
  return { ...files, 'llms.txt': llmsText() };
}

/** The documents by title, as llms.txt lists them. */
function llmsText(): string {
  const { description } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { readonly description: string };
  const below = (folder: string) => fs.readdirSync(path.join(ROOT, folder)).filter(name => name.endsWith('.md')).sort().map(name => `${folder}/${name}`);
  const sections = {
    'For agents': [`${SKILL}/SKILL.md`, ...fs.readdirSync(TEXTS).filter(name => name.endsWith('.md') && name !== 'SKILL.md').sort().map(name => `${SKILL}/references/${name}`)],
    'Guides': ['README.md', ...below('docs/guide'), 'docs/migrate-from-upstream.md', 'docs/real-node.md'],
    'Use cases': ['docs/index.md', ...below('docs/use-cases')],
    'Reference': ['API.md', ...below('docs/reference'), 'packages/client/README.md', 'packages/runtime/PROTOCOL.md', 'chart/README.md'],
    'Optional': ['docs/architecture.md', 'docs/L1.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  };
  const title = (file: string) => {
    const source = file.startsWith(SKILL) ? path.join(TEXTS, path.basename(file)) : path.join(ROOT, file);
    return /^# (.*?)(?: <a .*)?$/m.exec(fs.readFileSync(source, 'utf8'))![1];
  };
  const link = (file: string) => `- [${title(file)}](${file.startsWith(SKILL) ? addressOf('LICENSE').replace('LICENSE', file) : addressOf(file)})`;
  return [`# cdk8s-agent-sandbox\n\n> ${description}.`, ...Object.entries(sections).map(([name, files]) => `## ${name}\n\n${files.map(link).join('\n')}`)].join('\n\n') + '\n';
}

async function main(check: boolean): Promise<number> {
  const { commandLine } = await import('../packages/client/src/cli/program.js');
  const files = skillFiles(factsOf(commandLine({ ...process, env: {} })));
  const read = (file: string) => (fs.existsSync(path.join(ROOT, file)) ? fs.readFileSync(path.join(ROOT, file), 'utf8') : undefined);
  const old = fs.existsSync(path.join(ROOT, SKILL)) ? fs.readdirSync(path.join(ROOT, SKILL), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.md')).map(name => `${SKILL}/${name}`) : [];
  const changed = [...Object.keys(files).filter(file => read(file) !== files[file]), ...old.filter(file => !(file in files))];
  if (check) {
    changed.forEach(file => console.error(`${file} is not what scripts/skill.ts writes: run "npm run skill" and commit the result`));
    return changed.length > 0 ? 1 : 0;
  }
  for (const file of changed) {
    if (file in files) {
      fs.mkdirSync(path.dirname(path.join(ROOT, file)), { recursive: true });
      fs.writeFileSync(path.join(ROOT, file), files[file]);
    } else {
      fs.rmSync(path.join(ROOT, file));
    }
    console.log(`${file in files ? 'wrote' : 'removed'} ${file}`);
  }
  return 0;
}

main(process.argv.includes('--check')).then(code => process.exitCode = code, error => {
  console.error((error as Error).message);
  process.exitCode = 1;
});
