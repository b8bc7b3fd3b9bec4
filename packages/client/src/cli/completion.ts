import type { Command } from 'commander';
import { SandboxInputError } from '../errors.js';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What can be written after a command. */
interface Words {
  readonly command: string;
  readonly description: string;
  readonly options: readonly Flag[];
}

interface Flag {
  readonly flag: string;
  readonly description: string;
  readonly choices: readonly string[];
  readonly takesValue: boolean;
}

/** A script that completes the command line in a shell: commands, options, and values that are known. Everything else is a file. */
export function completionOf(program: Command, shell: string): string {
  const words = program.commands.map((command): Words => ({
    command: command.name(), description: command.description(),
    options: [...command.options, command.createOption('--help', 'display help')].flatMap(({ long, description, argChoices, required, optional }) => (
      long ? [{ flag: long, description, choices: argChoices ?? [], takesValue: required || optional }] : [])),
  }));
  switch (shell) {
    case 'bash': return bash(program.name(), words);
    case 'zsh': return zsh(program.name(), words);
    case 'fish': return fish(program.name(), words);
    default: throw new SandboxInputError(`there is no completion for '${shell}'`, { remedy: `use one of ${SHELLS.join(', ')}` });
  }
}

/** Text in single quotes, for all three shells: they differ in how a quote is written inside. */
function quoted(text: string): string {
  return `'${text.replace(/'/g, "'\\''")}'`;
}

function bash(name: string, words: readonly Words[]): string {
  const values = words.flatMap(({ command, options }) => options.filter(({ choices }) => choices.length > 0).map(({ flag, choices }) => `    ${quoted(`${command} ${flag}`)}) words=${quoted(choices.join(' '))} ;;`));
  const files = words.flatMap(({ command, options }) => options.filter(({ choices, takesValue }) => takesValue && choices.length === 0).map(({ flag }) => quoted(`${command} ${flag}`)));
  return `# Completion for bash: source <(${name} completion bash)
_agent_sandbox() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command="\${COMP_WORDS[1]}" words=''
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W ${quoted([...words.map(({ command }) => command), '--help', '--version'].join(' '))} -- "$current")
    return
  fi
  case "$command $previous" in
${values.join('\n')}
    ${files.join('|') || "''"}) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
  esac
  if [ -z "$words" ] && [ "\${current#-}" != "$current" ]; then
    case "$command" in
${words.map(({ command, options }) => `      ${quoted(command)}) words=${quoted(options.map(({ flag }) => flag).join(' '))} ;;`).join('\n')}
    esac
  fi
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o filenames -F _agent_sandbox ${name}
`;
}

/** Descriptions in zsh end at a bracket, and their parts at a colon. */
function zshText(text: string): string {
  return text.replace(/[[\]\\:]/g, '\\$&');
}

function zsh(name: string, words: readonly Words[]): string {
  const option = ({ flag, description, choices, takesValue }: Flag) =>
    quoted(`*${flag}[${zshText(description)}]${choices.length > 0 ? `:value:(${choices.join(' ')})` : takesValue ? ':value:_files' : ''}`);
  return `#compdef ${name}
# Completion for zsh: ${name} completion zsh > a folder of $fpath/_${name}
_${name.replace(/-/g, '_')}() {
  if (( CURRENT == 2 )); then
    local -a commands=(${words.map(({ command, description }) => quoted(`${command}:${zshText(description)}`)).join(' ')})
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${words.map(({ command, options }) => `    ${command}) _arguments ${options.map(option).join(' ')} '*:file:_files' ;;`).join('\n')}
  esac
}
compdef _${name.replace(/-/g, '_')} ${name}
`;
}

function fish(name: string, words: readonly Words[]): string {
  const text = (each: string) => `'${each.replace(/[\\']/g, '\\$&')}'`;
  return [
    `# Completion for fish: ${name} completion fish | source`,
    `complete -c ${name} -n __fish_use_subcommand -f`,
    ...words.map(({ command, description }) => `complete -c ${name} -n __fish_use_subcommand -a ${command} -d ${text(description)}`),
    ...words.flatMap(({ command, options }) => options.map(({ flag, description, choices, takesValue }) =>
      `complete -c ${name} -n ${text(`__fish_seen_subcommand_from ${command}`)} -l ${flag.slice(2)} -d ${text(description)}${choices.length > 0 ? ` -x -a ${text(choices.join(' '))}` : takesValue ? ' -r' : ''}`)),
    '',
  ].join('\n');
}
