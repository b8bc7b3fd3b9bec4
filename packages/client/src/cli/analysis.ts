import { type Command, Option } from 'commander';
import { Cluster, loadCredentials } from 'agent-sandbox-kube';
import { SandboxInputError } from '../errors.js';
import { COMMANDS, type CommandDefinition } from './commands.gen.js';
import { type AnalysisLibrary, loadLibrary } from './library.js';
import { type LiveObjects, readLive } from './live-objects.js';
import { type Streams, harmless, withTask } from './output.js';

/** How a cluster is chosen. */
export interface ClusterOptions {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
}

/** Where commands run. */
export interface AnalysisSurroundings extends Streams {
  readonly env: NodeJS.ProcessEnv;
  /** @default - the constructs' package of the working directory */
  readonly library?: () => Promise<AnalysisLibrary>;
  /** @default - as options and environment say */
  readonly cluster?: () => Cluster;
}

/** Adds the options that choose a cluster. */
export function addClusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, the own pod, ~/.kube/config)')
    .option('--context <name>', 'context of the kubeconfig')
    .addOption(new Option('-n, --namespace <name>', 'namespace to read (default: that of the context)').conflicts('allNamespaces'))
    .option('-A, --all-namespaces', 'read all namespaces');
}

/** Runs `work` with a cluster, and closes it. */
export async function withCluster<T>(
  options: ClusterOptions, surroundings: AnalysisSurroundings, work: (cluster: Cluster, namespace: string | undefined) => Promise<T>,
): Promise<T> {
  const { kubeconfig, context } = options;
  const cluster = surroundings.cluster?.() ?? new Cluster({ credentials: loadCredentials({ kubeconfig, context, env: surroundings.env }), userAgent: 'agent-sandbox-client' });
  try {
    return await work(cluster, options.allNamespaces ? undefined : options.namespace ?? cluster.namespace ?? 'default');
  } finally {
    await cluster.close();
  }
}

/** Reads a cluster, with progress on stderr, and says there what could not be read. */
export async function liveObjects(options: ClusterOptions, surroundings: AnalysisSurroundings): Promise<LiveObjects> {
  const live = await withCluster(options, surroundings, (cluster, namespace) =>
    withTask(surroundings, true, `read ${namespace ?? 'all namespaces'}`, onText => readLive(cluster, { namespace, onKind: onText })));
  if (live.unread.length > 0) {
    surroundings.stderr.write(`agent-sandbox: not read: ${live.unread.map(harmless).join(', ')}\n`);
  }
  return live;
}

/** The constructs' package, which does the work. */
export function libraryOf({ library }: AnalysisSurroundings): Promise<AnalysisLibrary> {
  return library?.() ?? loadLibrary(process.cwd());
}

/** Adds the commands that look at manifests, of files or of a cluster. */
export function addAnalysis(program: Command, surroundings: AnalysisSurroundings, exit: (code: number) => void): void {
  for (const definition of COMMANDS) {
    const command = program.command(definition.name).description(definition.words);
    // How many there must be depends on whether a cluster is read.
    definition.usage.split(' ').forEach(word => command.argument(`[${word.replace(/[[\]]/g, '').toLowerCase()}]`));
    for (const { name, short, value, words, choices, repeatable } of definition.flags) {
      const option = new Option(`${short ? `-${short}, ` : ''}--${name}${value ? ` <${value.toLowerCase()}>` : ''}`, words);
      if (repeatable) {
        option.argParser((each: string, all: string[] | undefined) => [...all ?? [], each]);
      }
      command.addOption(choices ? option.choices([...choices]) : option);
    }
    if (definition.live) {
      addClusterOptions(command.option('--cluster', 'look at the objects of a cluster instead of files; it is only read'));
    }
    command.action(async (...all: unknown[]) => {
      const options = all.at(-2) as ClusterOptions & { readonly cluster?: boolean };
      const given = all.slice(0, -2).flat().filter((each): each is string => each !== undefined);
      const isLive = options.cluster === true || definition.name === 'drift';
      if (!isLive && ['kubeconfig', 'context', 'namespace', 'allNamespaces'].some(each => each in options)) {
        throw new SandboxInputError('options of a cluster have no effect on files', { remedy: 'add --cluster' });
      }
      const library = await libraryOf(surroundings);
      const objects = isLive ? (await liveObjects(options, surroundings)).objects : undefined;
      const { output, code } = library.main([definition.name, ...flagsOf(definition, options), '--', ...given], { objects });
      if (output !== '') {
        (code === 2 ? surroundings.stderr : surroundings.stdout).write(`${output}\n`);
      }
      exit(code);
    });
  }
}

/** The flags of a command as the library's program reads them. */
function flagsOf({ flags }: CommandDefinition, options: object): string[] {
  return flags.flatMap(({ name }) => {
    const value = (options as Readonly<Record<string, unknown>>)[name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
    return value === undefined || value === false ? [] : value === true ? [`--${name}`] : [value].flat().flatMap(each => [`--${name}`, String(each)]);
  });
}
