import { PODS } from 'agent-sandbox-api';
import { Command, CommanderError, Option } from 'commander';
import type { SandboxClient, SandboxSummary } from '../client.js';
import { SandboxInputError } from '../errors.js';
import type { FileEntry } from '../files.js';
import { serveMcp } from '../mcp/server.js';
import { type AnalysisSurroundings, addAnalysis } from './analysis.js';
import { SHELLS, completionOf } from './completion.js';
import { copyFiles } from './copy/copy.js';
import { placeOf } from './copy/place.js';
import { addDoctor } from './doctor.js';
import { type ForwardFlags, forwardPort } from './forward.js';
import { APP_LANGUAGES, type AppLanguage, writeApp } from './init.js';
import { type GlobalOptions, addGlobalOptions, clientOf, duration, lines, portNumber, several, variable } from './options.js';
import { EXIT, ExitError, type Streams, deliver, harmless, messageOf, print, table, withTask } from './output.js';
import { type McpFlags, serveMcpHttp } from './mcp.js';
import { type RunFlags, openShell, runCommand } from './run.js';
import { KEPT_LIFETIME_MS, type SandboxOptions, createSandbox, endable, inSandbox } from './session.js';
import { SKILLS_FOLDER, writeSkill } from './skill.js';

/** Set when the program is bundled. */
const VERSION = process.env.AGENT_SANDBOX_VERSION ?? 'unknown';

/** Environment of the program. Tests pass their own; the default is the process. */
export interface Surroundings extends AnalysisSurroundings {
  /** Makes the client. @default - from options and environment */
  readonly client?: (options: GlobalOptions) => SandboxClient;
}

/** Runs the command line and returns the exit code. Writes errors to stderr; throws nothing. */
export async function main(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let code: number = EXIT.ok;
  const { stdout, stderr } = surroundings;
  const program = commandLine(surroundings, result => {
    code = result;
  });
  const output = { writeOut: (text: string) => void stdout.write(text), writeErr: (text: string) => void stderr.write(text) };
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput(output).showHelpAfterError('(--help shows how it is used)');
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    return report(error, surroundings, ['run', 'shell'].includes(args.find(arg => !arg.startsWith('-')) ?? ''));
  }
}

/** The command line with all commands; `exit` is called with the exit code of the command that has run. */
export function commandLine(surroundings: Surroundings, exit: (code: number) => void = () => undefined): Command {
  const program = new Command('agent-sandbox')
    .description('Runs commands and moves files in sandboxes on Kubernetes, and checks their manifests.')
    .version(`agent-sandbox ${VERSION}`, '--version', 'print the version and exit')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `
Exit codes of run and shell: that of the command, 128 + n when signal n ended it; ${EXIT.timedOut} when it took too long; ${EXIT.failed} when this
program failed. Other commands: 0, 1, and ${EXIT.usage} for a wrong command line. All: 128 + n when signal n ended this program (${EXIT.interrupted} after
Ctrl-C), ${EXIT.brokenPipe} when its output was not read to the end.`);
  const add = (name: string, description: string) => addGlobalOptions(program.command(name).description(description));
  /** Gives an action a client and a signal, and closes the client afterwards. */
  const withClient = <A extends unknown[], O extends GlobalOptions>(
    act: (client: SandboxClient, signal: AbortSignal, options: O, ...args: A) => Promise<number>,
  ) =>
    async (...all: unknown[]) => {
      const options = all.at(-2) as O;
      const client = (surroundings.client ?? (given => clientOf(given, surroundings.env)))(options);
      try {
        exit(await endable(surroundings, signal => act(client, signal, options, ...all.slice(0, -2) as A)));
      } finally {
        await client.close();
      }
    };
  const { stderr } = surroundings;

  addSandboxOptions(add('run', 'run a command and show its output; without --sandbox in a new sandbox, which is deleted afterwards'))
    .argument('<command...>', 'after --, the program and its arguments; there is no shell')
    .option('-i, --stdin', 'send what comes on stdin to the command')
    .option('--timeout <duration>', 'end the command after this time: seconds, or 15m, 8h, 7d', duration)
    .option('-e, --env <NAME=value>', 'variable for the command; may be repeated', variable)
    .option('--cwd <path>', 'directory to run in, below that of the sandbox')
    .action(withClient((client, signal, options: GlobalOptions & SandboxOptions & RunFlags, command: string[]) =>
      inSandbox(client, options, surroundings, !options.quiet && !options.json, signal,
        sandbox => runCommand(sandbox, command, options, surroundings, signal))));

  addSandboxOptions(add('shell', 'open a terminal in a sandbox'))
    .argument('[command...]', 'program to run in it', ['sh'])
    .action(withClient((client, signal, options: GlobalOptions & SandboxOptions, command: string[]) =>
      inSandbox(client, options, surroundings, !options.quiet, signal,
        sandbox => openShell(sandbox, command, surroundings, signal))));

  add('cp', 'copy files into a sandbox or out of it; as with cp, into a target that is a directory')
    .argument('<from>', 'path, claim:path, or - for stdin')
    .argument('<to>', 'path, claim:path, or - for stdout')
    .option('-r, --recursive', 'copy directories with all below them')
    .action(withClient(async (client, signal, options: GlobalOptions & { recursive?: boolean }, from: string, to: string) => {
      const isShown = !options.quiet && !options.json && to !== '-';
      const result = await withTask(surroundings, isShown, `${from} to ${to}`, onProgress => (
        copyFiles(client, from, to, { recursive: options.recursive, onProgress }, surroundings, signal)
      ));
      for (const { path, reason } of result.skipped) {
        stderr.write(`agent-sandbox: not copied: ${harmless(path)}: ${harmless(reason)}\n`);
      }
      if (options.json) {
        print(surroundings, true, result, () => []);
      } else if (options.recursive && !options.quiet) {
        stderr.write(`${result.files} files\n`);
      }
      return result.skipped.length === 0 ? EXIT.ok : 1;
    }));

  add('ls', 'list a directory of a sandbox')
    .argument('<claim[:path]>')
    .action(withClient(async (client, signal, { json = false }: GlobalOptions, text: string) => {
      const { claim = text, path } = placeOf(text.includes(':') ? text : `${text}:`);
      const entries = (await (await client.get(claim, { signal })).files.list(path, { signal })).sort((a, b) => (a.name < b.name ? -1 : 1));
      print(surroundings, json, entries, () => table(entries.map(entryRow)));
      return EXIT.ok;
    }));

  add('list', 'list the claims of the namespace')
    .option('-l, --selector <labels>', 'only claims with these labels')
    .action(withClient(async (client, signal, { json = false, selector }: GlobalOptions & { selector?: string }) => {
      const claims = await client.list({ labelSelector: selector, signal });
      print(surroundings, json, claims, () => table([['CLAIM', 'READY', 'SANDBOX', 'FROM', 'AGE', 'REASON'], ...claims.map(claimRow)]));
      return EXIT.ok;
    }));

  addSandboxOptions(add('create', 'make a sandbox that stays until it is deleted or its lifetime ends, and print the name of its claim'), { creates: true })
    .option('--name <name>', 'name of the claim (default: a random one)')
    .action(withClient(async (client, signal, options: GlobalOptions & SandboxOptions) => {
      const { lifetime = KEPT_LIFETIME_MS } = options;
      const sandbox = await createSandbox(client, { ...options, lifetime, keep: true }, surroundings, !options.quiet && !options.json, signal);
      const { claimName, name, namespace } = sandbox;
      print(surroundings, options.json ?? false, { claimName, sandboxName: name, namespace }, () => [claimName]);
      return EXIT.ok;
    }));

  add('delete', 'delete claims and their sandboxes')
    .argument('<claim...>')
    .action(withClient(async (client, signal, { json = false }: GlobalOptions, names: string[]) => {
      const results = await Promise.all(names.map(async claim => ({ claim, deleted: await client.delete(claim, { signal }) })));
      print(surroundings, json, results, () => results.map(({ claim, deleted }) => (deleted ? `${claim} deleted` : `${claim} does not exist`)));
      return results.every(({ deleted }) => deleted) ? EXIT.ok : 1;
    }));

  add('logs', 'show what the program of a sandbox has written')
    .argument('<claim>')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--tail <lines>', 'only the last lines', lines)
    .option('-c, --container <name>', 'container of the pod (default: the first)')
    .action(withClient((client, signal, options: GlobalOptions & LogOptions, claim: string) =>
      showLogs(client, claim, options, surroundings, signal)));

  for (const [name, description, opens] of [
    ['forward', 'open a port of a sandbox on this machine, and print an address for browsers', false],
    ['open', 'the same, and open the address in a browser', true],
  ] as const) {
    add(name, description)
      .argument('<claim>')
      .argument('[port]', 'port in the sandbox (default: the one that its Pod declares besides that of the runtime)', portNumber)
      .option('--listen-port <number>', 'port on this machine (default: one that is free)', portNumber)
      .option('--path <path>', 'path to open', '/')
      .action(withClient((client, signal, options: GlobalOptions & ForwardFlags, claim: string, port: number | undefined) =>
        forwardPort(client, claim, port, options, opens, surroundings, signal)));
  }

  const onStdio = withClient(async (client, signal, options: GlobalOptions & McpFlags) => {
    await serveMcp(client, { pool: options.pool, signal, stdin: surroundings.stdin, stdout: surroundings.stdout });
    return EXIT.ok;
  });
  addGlobalOptions(program.command('mcp').description('serve sandboxes to AI agents by MCP, on stdin and stdout or over HTTP'))
    .addOption(new Option('--pool <name>', 'pool where the agent names none'))
    .option('--http <host:port>', 'serve over HTTP at /mcp; needs --rest-api')
    .option('--allowed-host <name>', 'host that requests may name; may be repeated', several)
    .option('--allowed-origin <origin>', 'origin of pages that may send requests; may be repeated', several)
    .option('--allow-http-tokens', 'listen beyond loopback without TLS')
    .action(async (...all: unknown[]) => {
      const options = all.at(-2) as GlobalOptions & McpFlags;
      if (options.http === undefined) {
        await onStdio(...all);
      } else {
        exit(await endable(surroundings, signal => serveMcpHttp(options, surroundings, signal)));
      }
    });

  addAnalysis(program, surroundings, exit);
  addDoctor(program, surroundings, exit);

  program.command('completion')
    .description('print a script for completion in a shell')
    .addArgument(program.createArgument('<shell>', 'bash, zsh or fish').choices([...SHELLS]))
    .action((shell: string) => void surroundings.stdout.write(completionOf(program, shell)));

  program.command('init')
    .description('write an app, tests of its policy, a workflow and a README')
    .argument('[folder]', 'new or empty folder', '.')
    .addOption(new Option('--language <name>', 'language of the app').choices([...APP_LANGUAGES]).default('typescript'))
    .action((folder: string, { language }: { language: AppLanguage }) => {
      surroundings.stdout.write(writeApp(folder, VERSION, language).map(file => `${file}\n`).join(''));
    });

  program.command('skill')
    .description('write a skill for coding agents into a repository')
    .option('--out <folder>', 'folder of skills', SKILLS_FOLDER)
    .action(({ out }: { out: string }) => {
      surroundings.stdout.write(writeSkill(out).map(file => `${file}\n`).join(''));
    });
  return program;
}

function addSandboxOptions(command: Command, { creates = false }: { creates?: boolean } = {}): Command {
  command
    .addOption(new Option('--pool <name>', 'take a new sandbox from this pool').conflicts(['template', 'sandbox']))
    .addOption(new Option('--template <name>', 'make a new sandbox from this template').conflicts('sandbox'))
    .option('--ready-timeout <duration>', 'how long a new sandbox may take, in seconds or with a unit (default: 180)', duration)
    .option('--lifetime <duration>', `when a new sandbox ends by itself, whatever happens to this program (default: ${creates ? '7d' : '1d'})`, duration);
  return creates ? command : command
    .option('--sandbox <claim>', 'use the sandbox of this claim')
    .option('--keep', 'do not delete the new sandbox');
}

interface LogOptions {
  readonly follow?: boolean;
  readonly tail?: number;
  readonly container?: string;
}

async function showLogs(
  client: SandboxClient, claim: string, { follow, tail, container }: LogOptions, { stdout }: Streams, signal: AbortSignal,
): Promise<number> {
  const sandbox = await client.get(claim, { signal });
  const { podName } = await sandbox.status({ signal });
  if (podName === undefined) {
    throw new SandboxInputError(`claim ${claim} has no Pod`, { remedy: 'resume it' });
  }
  const stream = await client.cluster.stream(
    { verb: 'get', resource: PODS, namespace: sandbox.namespace, name: podName, subresource: 'log' },
    { query: { follow, tailLines: tail, container }, signal },
  );
  await deliver(stream, stdout, signal);
  return EXIT.ok;
}

function entryRow({ name, size, type, modified }: FileEntry): string[] {
  return [type === 'directory' ? 'd' : '-', String(size), modified.toISOString().slice(0, 19), type === 'directory' ? `${name}/` : name];
}

function claimRow(claim: SandboxSummary): string[] {
  const { claimName, isReady, sandboxName = '', pool, template, createdAt, reason } = claim;
  const minutes = Math.max(0, Math.floor((Date.now() - createdAt.getTime()) / 60_000));
  const age = minutes < 60 ? `${minutes}m` : minutes < 2880 ? `${Math.floor(minutes / 60)}h` : `${Math.floor(minutes / 1440)}d`;
  return [claimName, isReady ? 'yes' : 'no', sandboxName, pool ? `pool/${pool}` : `template/${template}`, age, isReady ? '' : reason];
}

function report(error: unknown, { stderr }: Streams, runs: boolean): number {
  const message = messageOf(error).split('\n').map(harmless).join('\n');
  if (message) {
    stderr.write(`agent-sandbox: ${message}\n`);
  }
  if (error instanceof ExitError) {
    return error.code;
  }
  if (error instanceof SandboxInputError) {
    return EXIT.usage;
  }
  return runs ? EXIT.failed : 1;
}
