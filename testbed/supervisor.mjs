// @ts-check
// The parent of all processes of one control plane. It ends them and removes their folder on a shutdown message, on a signal, and,
// above all, when the process that started it is gone for any reason: the channel to it closes even after SIGKILL.
//
// It is plain JavaScript and uses nothing but Node, so that it starts in 40 ms without a loader, and is the same file for callers from
// src and from lib.
//
// Messages to it:    {id, op: 'start', name, command, args, env, log} | {id, op: 'stop', name} | {id, op: 'release'} | {op: 'shutdown'}
//                    {id, op: 'own', folders, cgroup}: what else to remove
// Messages from it:  {id, pid?} | {id, error} as answers, {exited: name, code, signal} when a process ends without having been stopped
import { spawn } from 'node:child_process';
import { closeSync, openSync, readlinkSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeOwned } from './leftovers.mjs';

const dir = process.argv[2];

/** @type {Map<string, import('node:child_process').ChildProcess>} */
const children = new Map();
/** What else belongs to the control plane: folders elsewhere, and the name of a control group. */
let owned = { folders: [], cgroup: undefined };
let released = false;
let ending = false;

/** Process ids mean something only within one of these; a container has its own and may share our folder for temporary files. */
function pidNamespace() {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}

function note() {
  const pids = Object.fromEntries([...children].map(([name, child]) => [name, child.pid]));
  const file = join(dir, 'processes.json');
  writeFileSync(`${file}.new`, JSON.stringify({ supervisor: process.pid, children: pids, pidNamespace: pidNamespace(), owned }));
  renameSync(`${file}.new`, file);
}

/** @param {object} message */
function tell(message) {
  if (process.connected) {
    process.send?.(message, undefined, undefined, () => undefined);
  }
}

function start({ name, command, args, env, log }) {
  if (ending || children.has(name)) {
    throw new Error(`${name} ${ending ? 'cannot start: the control plane is stopping' : 'runs already'}`);
  }
  const output = openSync(log, 'a');
  const child = spawn(command, args, { cwd: dir, env, stdio: ['ignore', output, output] });
  closeSync(output);
  // At once and not when it has started: an end that comes in between must find it.
  children.set(name, child);
  return new Promise((resolve, reject) => {
    child.once('error', error => {
      children.delete(name);
      reject(error);
    });
    child.once('exit', (code, signal) => {
      if (children.get(name) === child) {
        children.delete(name);
        note();
        tell({ exited: name, code, signal });
      }
    });
    child.once('spawn', () => {
      note();
      resolve({ pid: child.pid });
    });
  });
}

/** Nothing of a test control plane is worth saving, so no process gets the time to say goodbye. */
function kill(name) {
  const child = children.get(name);
  if (!child) {
    return Promise.resolve();
  }
  children.delete(name);
  if (child.pid === undefined) {
    return Promise.resolve();
  }
  const gone = new Promise(resolve => child.once('exit', resolve));
  child.kill('SIGKILL');
  return gone;
}

async function exit() {
  if (!ending) {
    ending = true;
    // Clients first, storage last: otherwise they log connection errors.
    for (const name of [...children.keys()].reverse()) {
      await kill(name);
    }
    await removeOwned(owned).catch(error => console.error(error));
    await rm(dir, { recursive: true, force: true, maxRetries: 5 }).finally(() => process.exit(0));
  }
}

/** @param {any} message */
async function answer(message) {
  switch (message.op) {
    case 'start': return start(message);
    case 'stop': await kill(message.name); note(); return {};
    case 'own': owned = { folders: message.folders, cgroup: message.cgroup }; note(); return {};
    case 'release': released = true; return {};
    default: throw new Error(`unknown op ${message.op}`);
  }
}

process.on('message', (/** @type {any} */ message) => {
  if (message.op === 'shutdown') {
    exit();
  } else {
    answer(message).then(
      result => tell({ id: message.id, ...result }),
      error => tell({ id: message.id, error: String(error.message) }),
    );
  }
});
process.on('disconnect', () => {
  if (!released) {
    exit();
  }
});
for (const signal of /** @type {const} */ (['SIGTERM', 'SIGINT', 'SIGHUP'])) {
  process.on(signal, exit);
}
// Released supervisors have nothing else that keeps them running while a component restarts.
setInterval(() => undefined, 2 ** 30);

note();
