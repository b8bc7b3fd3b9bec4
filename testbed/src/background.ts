import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheRoot } from './cache.js';
import { ControlPlane, type ControlPlaneOptions } from './control-plane.js';
import { withLock } from './lock.js';
import { isAlive } from './processes.js';
import { readProcesses } from './work-dir.js';

/** The control plane of a user that runs until it is stopped explicitly. Tests never use it. */
export class BackgroundControlPlane {
  /** Path of its kubeconfig while it runs: fixed, so that a shell has to set `KUBECONFIG` once. */
  public static get kubeconfigPath(): string {
    return join(cacheRoot(), 'up', 'kubeconfig');
  }

  private static get dirFile(): string {
    return join(cacheRoot(), 'up', 'dir');
  }

  /** The running one, undefined if there is none. */
  public static async find(): Promise<ControlPlane | undefined> {
    const dir = await readFile(this.dirFile, 'utf8').catch(() => '');
    const processes = dir && existsSync(dir) ? await readProcesses(dir) : undefined;
    return processes && isAlive(processes.supervisor) ? ControlPlane.attach(dir) : undefined;
  }

  /** Starts it unless it runs. */
  public static async start(options: ControlPlaneOptions): Promise<{ controlPlane: ControlPlane; started: boolean }> {
    return withLock(`${this.dirFile}.lock`, async () => {
      const running = await this.find();
      if (running) {
        return { controlPlane: running, started: false };
      }
      const controlPlane = await ControlPlane.start(options);
      const { path } = await controlPlane.kubeconfig('admin');
      await mkdir(dirname(this.kubeconfigPath), { recursive: true, mode: 0o700 });
      await writeFile(`${this.kubeconfigPath}.new`, await readFile(path), { mode: 0o600 });
      await rename(`${this.kubeconfigPath}.new`, this.kubeconfigPath);
      await writeFile(this.dirFile, controlPlane.dir);
      await controlPlane.release();
      return { controlPlane, started: true };
    });
  }

  /** Stops it. Returns whether there was one. */
  public static async stop(): Promise<boolean> {
    const running = await this.find();
    await running?.stop();
    await rm(this.kubeconfigPath, { force: true });
    await rm(this.dirFile, { force: true });
    return running !== undefined;
  }
}
