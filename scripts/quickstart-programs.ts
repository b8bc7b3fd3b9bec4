/** The programs that the quickstart runs on this machine, because the node of its control plane is a fake. */
import { spawn, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { REPOSITORY } from './example-apps';

/** Programs of this repository, started from their sources. All of them end together. */
export class Programs {
  private readonly children: ChildProcess[] = [];

  /** @param logs folder of the log files, `<name>.log` */
  constructor(private readonly logs: string) {}

  /** Starts one and returns when it says `sign`. Throws with its log if it ends before. */
  public async start(name: 'controller' | 'router' | 'runtime', args: readonly string[], sign: string, env: NodeJS.ProcessEnv = process.env): Promise<void> {
    const main = path.join(REPOSITORY, 'packages', name, 'src', 'main.ts');
    const log = path.join(this.logs, `${name}.log`);
    const output = fs.openSync(log, 'w');
    const child = spawn(process.execPath, ['--conditions=agent-sandbox-source', '--import', 'tsx', main, ...args], { stdio: ['ignore', output, output], cwd: REPOSITORY, env });
    fs.closeSync(output);
    this.children.push(child);
    const { waitFor } = await import('../testbed/src/index.js');
    const said = () => fs.readFileSync(log, 'utf8');
    await waitFor(() => said().includes(sign) || child.exitCode !== null, { what: `the ${name} to start`, timeoutMs: 60_000, lastSeen: said });
    if (child.exitCode !== null) {
      throw new Error(`the ${name} ended with ${child.exitCode}: ${said()}`);
    }
  }

  /** Ends all of them and waits until they have. */
  public async end(): Promise<void> {
    await Promise.all(this.children.map(child => new Promise<void>(resolve => {
      if (child.exitCode !== null || child.signalCode !== null) {
        resolve();
        return;
      }
      child.once('exit', () => resolve());
      child.kill();
    })));
  }
}
