import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { once } from 'node:events';

/** What stands for the path of the kubeconfig in a command. */
export const KUBECONFIG = '{kubeconfig}';

/** Linux gives processor time in hundredths of a second, on all architectures. */
const MS_PER_TICK = 10;
const STOP_TIMEOUT_MS = 10_000;

export interface Usage {
  /** Processor time since the start, of user and system together. */
  readonly cpuMs: number;
  /** Resident memory now. */
  readonly rssBytes: number;
}

/** A controller under test as a child process. It may start further ones: they count with it and end with it. */
export class ControllerProcess {
  /** Starts a shell command, with its output in a file. */
  public static start(command: string, kubeconfig: string, logFile: string): ControllerProcess {
    const log = openSync(logFile, 'a');
    // A process group of its own, so that everything it starts can be counted and ended.
    const child = spawn(command.replaceAll(KUBECONFIG, kubeconfig), { shell: true, detached: true, stdio: ['ignore', log, log] });
    closeSync(log);
    return new ControllerProcess(command, child, logFile);
  }

  /** Reading of `performance.now()` at the start. */
  public readonly startedAt = performance.now();
  private readonly kill = () => this.signal('SIGKILL');

  private constructor(private readonly command: string, private readonly child: ChildProcess, private readonly logFile: string) {
    process.once('exit', this.kill);
  }

  /** Throws if the controller has ended. */
  public usage(): Usage {
    this.assertRunning();
    return usageOf(stat => stat.group === this.child.pid);
  }

  /** Throws with the end of its output if the controller has ended. */
  public assertRunning(): void {
    if (this.hasEnded) {
      const tail = readFileSync(this.logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
      throw new Error(`the controller has ended with ${this.child.signalCode ?? `code ${this.child.exitCode}`}: ${this.command}\n${tail}`);
    }
  }

  /** Ends it, the hard way if it takes more than 10 seconds. */
  public async stop(): Promise<void> {
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS);
    if (!this.hasEnded) {
      const ended = once(this.child, 'exit');
      this.signal('SIGTERM');
      await ended;
    }
    clearTimeout(timer);
    process.off('exit', this.kill);
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.child.pid!, signal);
    } catch {
      // It is gone.
    }
  }
}

/** What a process and the children that it has waited for used. */
export function usageOfProcess(pid: number): Usage {
  return usageOf(stat => stat.pid === pid);
}

interface Stat {
  readonly pid: number;
  readonly group: number;
  readonly cpuMs: number;
}

function usageOf(counts: (stat: Stat) => boolean): Usage {
  let [cpuMs, rssBytes] = [0, 0];
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? readStat(entry) : undefined;
    if (stat && counts(stat)) {
      cpuMs += stat.cpuMs;
      rssBytes += residentBytes(entry);
    }
  }
  return { cpuMs, rssBytes };
}

/** Fields as in proc(5), those of children included; undefined if the process is gone. */
function readStat(pid: string): Stat | undefined {
  const text = readFile(`/proc/${pid}/stat`);
  // The name of the program is in parentheses and may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields && {
    pid: Number(pid), group: Number(fields[2]), cpuMs: [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0) * MS_PER_TICK,
  };
}

function residentBytes(pid: string): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFile(`/proc/${pid}/status`) ?? '')?.[1] ?? 0) * 1024;
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
