import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Where programs are installed that the tests open in a browser: outside of the repository, and kept. */
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'cdk8s-agent-sandbox', 'browser-programs');

/** The browser of the tests. */
export const CHROMIUM = process.env.AGENT_CHROMIUM ?? '/usr/bin/chromium';

interface Installable {
  /** File that is there once the program is installed: in its folder of the cache, or anywhere if the path is absolute. */
  readonly file: string;
  readonly commands: (folder: string) => readonly (readonly [command: string, ...args: string[]])[];
}

/** Where a package of npm brings Node itself. */
const NODE_FOLDER = `node_modules/node-linux-${process.arch}`;

/** Programs by name, and how they come from a registry. */
const PROGRAMS = {
  // It needs Node 24, which comes along as a package. Its own packages are compiled, which takes minutes.
  'code-server': {
    file: 'node_modules/code-server/out/node/entry.js',
    commands: folder => [
      ['npm', 'install', '--no-audit', '--no-fund', '--prefix', folder, `node-linux-${process.arch}@24`],
      // It asks the user agent of npm for the release of Node, and that of the npm that runs this would be handed on.
      ['env', '-u', 'npm_config_user_agent', `PATH=${join(folder, NODE_FOLDER, 'bin')}:${process.env.PATH}`, `npm_config_nodedir=${join(folder, NODE_FOLDER)}`, 'npm', 'install', '--no-audit', '--no-fund', '--prefix', folder, 'code-server@4'],
    ],
  },
  jupyterlab: {
    file: 'venv/bin/jupyter-lab',
    commands: folder => [['python3', '-m', 'venv', join(folder, 'venv')], [join(folder, 'venv/bin/python'), '-m', 'pip', 'install', '--quiet', 'jupyterlab==4.*']],
  },
  // With a server of X that speaks VNC by itself, and a terminal to type into.
  novnc: {
    file: '/usr/share/novnc/vnc.html',
    commands: () => [
      ['apt-get', 'update'],
      ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '--no-install-recommends', 'novnc', 'websockify', 'tigervnc-standalone-server', 'xterm'],
    ],
  },
  vite: {
    file: 'node_modules/vite/bin/vite.js',
    commands: folder => [['npm', 'install', '--no-audit', '--no-fund', '--prefix', folder, 'vite@7']],
  },
} as const satisfies Record<string, Installable>;

export type ProgramName = keyof typeof PROGRAMS;
export const PROGRAM_NAMES = Object.keys(PROGRAMS) as ProgramName[];

/** The file of a program; undefined if it is not installed. */
export function programFile(name: ProgramName): string | undefined {
  const file = resolve(CACHE, name, PROGRAMS[name].file);
  return existsSync(file) ? file : undefined;
}

/** Node of another release than that of the tests, which has come with a program. */
export function nodeOf(name: ProgramName): string {
  return join(CACHE, name, NODE_FOLDER, 'bin', 'node');
}

/** Why the tests of a program cannot run; undefined if they can. */
export function missing(name: ProgramName): string | undefined {
  return !existsSync(CHROMIUM) ? `no browser at ${CHROMIUM}: install Chromium, or set AGENT_CHROMIUM`
    : programFile(name) === undefined ? `${name} is not installed: "npm run test:browsers" installs it` : undefined;
}

/** Installs a program unless it is there. Returns whether it is there then. */
export function install(name: ProgramName): boolean {
  const folder = join(CACHE, name);
  if (programFile(name) !== undefined) {
    return true;
  }
  mkdirSync(folder, { recursive: true });
  for (const [command, ...args] of PROGRAMS[name].commands(folder)) {
    if (spawnSync(command, args, { stdio: 'inherit' }).status !== 0) {
      rmSync(folder, { recursive: true, force: true });
      return false;
    }
  }
  return programFile(name) !== undefined;
}

/** A program under way. */
export interface Running {
  readonly output: () => string;
  stop(): Promise<void>;
}

/** Starts a program of this machine. */
export function start(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Running {
  const child: ChildProcess = spawn(command, args, { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let text = '';
  child.stdout!.on('data', chunk => (text += chunk));
  child.stderr!.on('data', chunk => (text += chunk));
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()).once('error', error => {
    text += error.message;
    resolve();
  }));
  return {
    output: () => text,
    stop: async () => {
      try {
        // Its kernels and helpers, too: they are in its process group.
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
      await ended;
    },
  };
}
