/**
 * The commands of `agent-sandbox` that look at manifests, and of `agent-sandbox-check`, which has them without a cluster. Both programs, their help
 * and their completion are made from this table.
 */

/** One flag of a command. */
export interface CommandFlag {
  /** Name without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  /** What it takes; without it, the flag takes nothing. */
  readonly value?: string;
  readonly words: string;
  /** All values that it takes. */
  readonly choices?: readonly string[];
  readonly default?: string;
  readonly repeatable?: boolean;
}

/** One command. */
export interface CommandDefinition {
  readonly name: string;
  readonly words: string;
  /** As in the usage: `PATH...`, `SANDBOX [DESTINATION]`. */
  readonly usage: string;
  readonly flags: readonly CommandFlag[];
  /** Whether the objects of a cluster can stand for those of files. */
  readonly live: boolean;
}

const OUTPUT: CommandFlag = { name: 'output', short: 'o', value: 'FILE', words: 'write to a file instead of stdout' };
const STRICT: CommandFlag = { name: 'strict', words: 'warnings fail as errors do' };
const FILE: CommandFlag = { name: 'file', short: 'f', value: 'PATH', words: 'file or folder of manifests, or - for stdin', default: 'dist', repeatable: true };
const format = (...choices: readonly string[]): CommandFlag => ({ name: 'format', value: 'FORMAT', words: 'how it is written', choices, default: choices[0] });

export const COMMANDS: readonly CommandDefinition[] = [
  {
    name: 'check', words: 'find what is wrong in manifests and between them', usage: 'PATH...', live: true,
    flags: [format('text', 'json', 'sarif', 'junit'), STRICT, OUTPUT],
  },
  {
    name: 'diff', words: 'say what an edit does to what runs, and to the posture', usage: 'OLD NEW', live: false,
    flags: [format('text', 'json', 'sarif'), STRICT, OUTPUT],
  },
  {
    name: 'posture', words: 'say what manifests mean for security', usage: 'PATH...', live: true,
    flags: [
      format('text', 'json', 'markdown', 'sarif', 'junit', 'html'), OUTPUT,
      { name: 'against', value: 'PATH', words: 'file or folder of an earlier state; text, Markdown and HTML then say what has changed' },
      { name: 'title', value: 'TEXT', words: 'title of the page', default: 'Posture' },
      { name: 'fail-on-change', words: 'exit with 1 if the posture is not that of --against' },
    ],
  },
  {
    name: 'network', words: 'say what a sandbox reaches and what reaches it, or whether it reaches a destination and why', usage: 'SANDBOX [DESTINATION]', live: true,
    flags: [
      FILE, format('text', 'json'), OUTPUT,
      { name: 'port', value: 'PORT', words: 'port of the destination: 443, TCP/8000-8010, UDP/53' },
      { name: 'expect', value: 'ANSWER', words: 'exit with 1 if the answer is another', choices: ['allowed', 'denied'] },
    ],
  },
  {
    name: 'graph', words: 'show tenants, templates, pools and claims', usage: 'PATH...', live: true,
    flags: [format('text', 'mermaid', 'json'), OUTPUT],
  },
  {
    name: 'project', words: 'print the Pods, volumes and NetworkPolicies that a controller makes of manifests, for scanners that skip custom resources', usage: 'PATH...', live: true,
    flags: [format('yaml', 'json'), OUTPUT],
  },
  {
    name: 'import', words: 'print a program in TypeScript that synthesizes to the same objects', usage: 'PATH...', live: true, flags: [OUTPUT],
  },
  {
    name: 'drift', words: 'say what in a cluster is not as in manifests', usage: 'PATH...', live: true, flags: [format('text', 'json'), OUTPUT],
  },
];
