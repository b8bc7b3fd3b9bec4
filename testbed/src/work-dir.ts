import { existsSync, readlinkSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandLine, run } from './processes.js';
import { TESTBED_DIR } from './programs.js';
import type { Owned } from './supervisor.js';

const PREFIX = 'agent-sandbox-testbed-';
const SHARED_MEMORY = '/dev/shm';

/** etcd reserves 64 MB for its log and grows with the objects; below this much free memory the disk is the better place. */
const WANTED_BYTES = 512 * 1024 * 1024;

/** A folder without notes is one whose supervisor is just starting, or was killed while it did; after this time the latter. */
const STARTING_MS = 3600_000;

/** File in which the supervisor notes its own process id and those of its children. */
const PROCESSES_FILE = 'processes.json';

interface Processes {
  readonly supervisor: number;
  readonly children: Record<string, number>;
  /** Where these process ids are valid; empty where the system has no such thing. */
  readonly pidNamespace: string;
  readonly owned?: Owned;
}

/**
 * Makes the folder of one control plane (only its owner may enter): on tmpfs where there is room, because etcd writes to disk
 * on every change, else in the folder for temporary files.
 */
export async function makeWorkDir(): Promise<string> {
  return mkdtemp(join(await hasRoom(SHARED_MEMORY) ? SHARED_MEMORY : tmpdir(), PREFIX));
}

async function hasRoom(dir: string): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(dir);
    return bavail * bsize >= WANTED_BYTES;
  } catch {
    return false;
  }
}

/** Notes of the supervisor of a work folder, undefined before it has started. */
export async function readProcesses(dir: string): Promise<Processes | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, PROCESSES_FILE), 'utf8')) as Processes;
  } catch {
    return undefined;
  }
}

/**
 * Ends what a killed supervisor left behind: its children and its folder. A supervisor cleans up after a killed test run;
 * this is for the case that the supervisor itself is killed. Returns the folders removed.
 */
export async function sweep(roots: readonly string[] = [SHARED_MEMORY, tmpdir()]): Promise<string[]> {
  const removed: string[] = [];
  for (const root of new Set(roots.filter(existsSync))) {
    for (const name of await readdir(root)) {
      const dir = join(root, name);
      if (!name.startsWith(PREFIX)) {
        continue;
      }
      const processes = await readProcesses(dir);
      if (await isAbandoned(dir, processes)) {
        Object.values(processes?.children ?? {}).filter(pid => belongsTo(pid, dir)).forEach(pid => process.kill(pid, 'SIGKILL'));
        if (processes?.owned?.cgroup) {
          await run(process.execPath, [join(TESTBED_DIR, 'leftovers.mjs'), JSON.stringify(processes.owned)], { env: {} });
        }
        await rm(dir, { recursive: true, force: true, maxRetries: 5 });
        removed.push(dir);
      }
    }
  }
  return removed;
}

async function isAbandoned(dir: string, processes: Processes | undefined): Promise<boolean> {
  if (processes) {
    return processes.pidNamespace === pidNamespace() && !belongsTo(processes.supervisor, dir);
  }
  const made = await stat(dir).then(({ mtimeMs, uid }) => (uid === process.getuid?.() ? mtimeMs : Infinity), () => Infinity);
  return Date.now() - made > STARTING_MS;
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

/** Process ids are reused: every process of a control plane has the folder in its command line. */
function belongsTo(pid: number, dir: string): boolean {
  return commandLine(pid).includes(dir);
}
