import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { nearest } from '../checks';
import { COMMANDS, type CommandDefinition, type CommandFlag } from '../generated/commands.gen';

/** A command line that is wrong. @internal */
export class UsageError extends Error {}

/** What a command writes, and the exit code. @internal */
export interface Result {
  readonly output: string;
  readonly code: number;
}

/** What a command line says. @internal */
export interface Invocation {
  readonly command: CommandDefinition;
  readonly arguments: readonly string[];
  /** Value of a flag; its default without one. */
  value(flag: string): string | undefined;
  values(flag: string): readonly string[];
  has(flag: string): boolean;
}

const NAME = 'agent-sandbox-check';

/** Help for the program, or for one command. */
function helpOf(command?: CommandDefinition): string {
  if (command) {
    const rows = [...command.flags, HELP].map(flag => [flagText(flag), `${flag.words}${flag.choices ? `: ${flag.choices.join(', ')}` : ''}${flag.default === undefined ? '' : ` (default: ${flag.default})`}`]);
    const width = Math.max(...rows.map(([name]) => name.length));
    return [`usage: ${NAME} ${command.name} [OPTIONS] ${command.usage}`, '', sentence(command.words), '', ...rows.map(([name, words]) => `  ${name.padEnd(width)}  ${words}`)].join('\n');
  }
  const width = Math.max(...COMMANDS.map(({ name, usage }) => name.length + usage.length + 1));
  return [
    `usage: ${NAME} COMMAND [OPTIONS] ARGUMENTS`, `       ${NAME} [OPTIONS] PATH...          the same as check`, '',
    'Looks at manifests of the Agent Sandbox API, in files and folders of YAML or JSON.', '',
    ...COMMANDS.filter(({ name }) => name !== 'drift').map(({ name, usage, words }) => `  ${`${name} ${usage}`.padEnd(width)}  ${words}`), '',
    `${NAME} COMMAND --help describes the options of a command. The program agent-sandbox has the same commands, also for the objects of a cluster.`, '',
    'Exit code: 0 without errors, 1 with errors, 2 if a path or option is wrong.',
  ].join('\n');
}

const HELP: CommandFlag = { name: 'help', short: 'h', words: 'this text' };

function flagText({ name, short, value }: CommandFlag): string {
  return `${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`;
}

function sentence(words: string): string {
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}

/** Position of the first argument that is neither a flag nor the value of one. */
function firstPositional(args: readonly string[]): number {
  const withValue = COMMANDS.flatMap(({ flags }) => flags).filter(({ value }) => value).flatMap(({ name, short }) => [`--${name}`, `-${short}`]);
  let index = 0;
  while (index < args.length && args[index].startsWith('-') && args[index] !== '-') {
    index += withValue.includes(args[index]) ? 2 : 1;
  }
  return index;
}

/** A word that is no file may be meant as a command. */
function checkIsPath(word: string | undefined): void {
  if (word === undefined || !/^[a-z]+$/.test(word) || existsSync(word)) {
    return;
  }
  if (OTHERS.includes(word)) {
    throw new UsageError(`${word}: that is a command of agent-sandbox, of the package agent-sandbox-client`);
  }
  const near = nearest(word, COMMANDS.map(({ name }) => name));
  if (near !== undefined) {
    throw new UsageError(`${word}: there is no such command, file or folder: use ${near}`);
  }
}

/** Commands of the program `agent-sandbox` that this one does not have. */
const OTHERS: readonly string[] = ['init', 'skill', 'doctor', 'completion', 'run', 'shell', 'create', 'list', 'delete', 'mcp'];

/**
 * Reads a command line; undefined where it asks for help, which is then in `help`.
 *
 * @throws UsageError
 * @internal
 */
export function parse(args: readonly string[]): Invocation | { readonly help: string } {
  const at = firstPositional(args);
  if (args[at] === 'help') {
    return { help: helpOf(COMMANDS.find(({ name }) => name === args[at + 1])) };
  }
  const named = COMMANDS.find(({ name }) => name === args[at]);
  if (!named) {
    checkIsPath(args[at]);
  }
  const command = named ?? COMMANDS[0];
  const rest = named ? [...args.slice(0, at), ...args.slice(at + 1)] : args;
  if (!named && (rest.includes('--help') || rest.includes('-h'))) {
    return { help: helpOf() };
  }
  const options = Object.fromEntries([...command.flags, HELP].map(({ name, short, value, repeatable }) => [name, {
    type: value ? 'string' as const : 'boolean' as const, ...(short && { short }), ...(repeatable && { multiple: true }),
  }]));
  let parsed;
  try {
    parsed = parseArgs({ args: [...rest], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}\n\n${helpOf(named)}`);
  }
  const { values, positionals } = parsed as { values: Record<string, string | boolean | string[] | undefined>; positionals: string[] };
  if (values.help) {
    return { help: helpOf(named) };
  }
  for (const { name, choices } of command.flags) {
    const value = values[name];
    if (choices && typeof value === 'string' && !choices.includes(value)) {
      throw new UsageError(`--${name} is '${value}': use ${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`);
    }
  }
  const defaultOf = (flag: string) => command.flags.find(({ name }) => name === flag)?.default;
  return {
    command, arguments: positionals,
    value: flag => (values[flag] as string | undefined) ?? defaultOf(flag),
    values: flag => (values[flag] as string[] | undefined) ?? [defaultOf(flag) ?? []].flat(),
    has: flag => values[flag] === true,
  };
}
