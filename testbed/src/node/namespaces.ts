import { type CommandResult, type RunOptions, run } from '../processes.js';
import { machinePath } from './requirements.js';

/**
 * Namespaces that a process holds: they exist as long as it, and have no name anywhere, so nothing stays when it is killed.
 */
export class Namespaces {
  /**
   * @param holder process id, as seen from here
   * @param isolated whether it has mounts, processes and a host name of its own, or a network only
   */
  constructor(public readonly holder: number, private readonly isolated: boolean) {}

  /** The same network, seen with the mounts and processes of this machine. */
  public get networkOnly(): Namespaces {
    return new Namespaces(this.holder, false);
  }

  /** Command line that runs a program inside, and kills it when its parent is killed. */
  public command(program: string, args: readonly string[]): { command: string; args: string[] } {
    const own = (name: string) => `/proc/${this.holder}/ns/${name}`;
    const entered = this.isolated
      // The holder itself stays outside of the process namespace that it made: only its children are in there.
      ? [`--net=${own('net')}`, `--mount=${own('mnt')}`, `--uts=${own('uts')}`, `--ipc=${own('ipc')}`, `--pid=${own('pid_for_children')}`]
      : [`--net=${own('net')}`];
    return { command: 'nsenter', args: [...entered, '--', 'setpriv', '--pdeathsig', 'KILL', program, ...args] };
  }

  /** Runs a program inside to its end. Throws with its error output if it fails, unless `allowFailure`. */
  public async exec(program: string, args: readonly string[], options: Omit<RunOptions, 'env'> = {}): Promise<CommandResult> {
    const inside = this.command(program, args);
    return run(inside.command, inside.args, { env: { PATH: machinePath() }, ...options });
  }
}

/** Command line of a process that holds a network namespace by running `program` in it. */
export function holdNetwork(program: string, args: readonly string[]): { command: string; args: string[] } {
  return dieWithParent('unshare', ['--net', '--', program, ...args]);
}

/** Command line of a process that holds all namespaces of a machine; `init` becomes the first process in there. */
export function holdMachine(init: string, args: readonly string[]): { command: string; args: string[] } {
  return dieWithParent('unshare', [
    '--net', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--', 'sh', init, ...args,
  ]);
}

function dieWithParent(program: string, args: readonly string[]): { command: string; args: string[] } {
  return { command: 'setpriv', args: ['--pdeathsig', 'KILL', program, ...args] };
}
