import { Command, InvalidArgumentError, Option } from 'commander';
import { build } from './commands/build.js';
import { env, status } from './commands/status.js';
import { down, up } from './commands/up.js';
import { DEFAULT_GROUPS, type ProgramGroup } from './programs.js';

const GROUPS: readonly ProgramGroup[] = ['control-plane', 'tools', 'node'];

const program = new Command('testbed')
  .description('A real Kubernetes control plane on this machine, without Docker')
  .configureHelp({ showGlobalOptions: true });

program.command('build')
  .description('compile what is not in the cache yet (the only command that compiles)')
  .option('--if-missing', 'say nothing if all is there', false)
  .addOption(new Option('--group <names...>', 'what to build').choices(GROUPS).default(DEFAULT_GROUPS, DEFAULT_GROUPS.join(' ')))
  .option('--kubernetes <release>', 'another release of Kubernetes: 1.31, 1.31.4, or newest')
  .action(options => build({ groups: options.group, ifMissing: options.ifMissing, kubernetes: options.kubernetes }));

program.command('up')
  .description('start a control plane that runs until "down", with the CRDs of this project')
  .option('--nodes <count>', 'fake nodes', count, 1)
  .option('--node [count]', 'real nodes instead, whose pods run under runc and gVisor (Linux, root)', count)
  .option('--no-crds', 'install no CRDs')
  .action(options => up({ nodes: options.nodes, realNodes: options.node === true ? 1 : options.node ?? 0, crds: options.crds }));

program.command('down').description('stop it').action(down);
program.command('status').description('show versions, what is built, what runs').action(status);
program.command('env').description('print shell commands that set KUBECONFIG, KUBEBUILDER_ASSETS and PATH').action(env);

function count(text: string): number {
  if (!/^\d{1,4}$/.test(text)) {
    throw new InvalidArgumentError('a number from 0 to 9999 is needed');
  }
  return Number(text);
}

program.parseAsync().catch((error: Error) => {
  console.error(`testbed: ${error.message}`);
  process.exitCode = 1;
});
