// @ts-check
// Removes what a control plane with real nodes has outside of its namespaces. Plain JavaScript, because the supervisor uses it;
// as a program it takes what to remove as JSON.
import { readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CGROUPS = '/sys/fs/cgroup';

/** Milliseconds that killed processes have to leave their control groups. */
const PATIENCE_MS = 20_000;

/**
 * Removes folders and a control group, after the processes in them were killed.
 *
 * @param {{ folders: readonly string[], cgroup?: string }} owned
 */
export async function removeOwned({ folders, cgroup }) {
  if (cgroup) {
    // One tree in version 2 of control groups, one for each controller in version 1.
    const trees = ['.', ...await readdir(CGROUPS).catch(() => [])];
    await Promise.all(trees.map(tree => removeCgroup(join(CGROUPS, tree, cgroup))));
  }
  await Promise.all(folders.map(folder => rm(folder, { recursive: true, force: true, maxRetries: 5 })));
}

/** @param {string} group */
async function removeCgroup(group) {
  for (const deadline = Date.now() + PATIENCE_MS; ; await delay(50)) {
    try {
      return await removeTree(group);
    } catch (error) {
      if (Date.now() > deadline) {
        throw error;
      }
    }
  }
}

/** Files of a control group cannot be removed and need not be: only its folders count. @param {string} group */
async function removeTree(group) {
  const entries = await readdir(group, { withFileTypes: true }).catch(() => undefined);
  if (entries) {
    for (const entry of entries.filter(each => each.isDirectory())) {
      await removeTree(join(group, entry.name));
    }
    await rmdir(group);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await removeOwned(JSON.parse(process.argv[2]));
}
