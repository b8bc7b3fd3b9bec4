import { execFile, spawn } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { cacheRoot, installDir, installedPath, isInstalled, linkerFlags, moduleDir } from './cache.js';
import { withLock } from './lock.js';
import { isAlive } from './processes.js';
import { PROGRAMS, type Program, type ProgramGroup } from './programs.js';

/** Folders of builds under way; the process id follows. */
const UNFINISHED = 'unfinished-';

/** Last lines of a failed compiler run that an error repeats. */
const ERROR_LINES = 20;

/** No Go tool chain. */
export class GoMissingError extends Error {
  constructor(reason: string) {
    super(`${reason}: install Go 1.26 or newer (https://go.dev/dl), or point KUBEBUILDER_ASSETS at a folder with etcd, kube-apiserver and kubectl`);
    this.name = 'GoMissingError';
  }
}

/** The compiler refused a program; the message carries its last lines. */
export class BuildError extends Error {
  constructor(program: Program, output: string) {
    super(`go build of ${program.package} failed:\n${output.trim().split('\n').slice(-ERROR_LINES).join('\n')}`);
    this.name = 'BuildError';
  }
}

/** Programs of the groups, in build order. */
export function programsOf(groups: readonly ProgramGroup[]): Program[] {
  return PROGRAMS.filter(program => groups.includes(program.group));
}

/** Programs of the groups that no build has installed yet. */
export function missingPrograms(groups: readonly ProgramGroup[], env: NodeJS.ProcessEnv = process.env): Program[] {
  return programsOf(groups).filter(program => !isInstalled(program, env));
}

/** Version of the `go` command, for example `go1.26.0`. Throws `GoMissingError` if there is none. */
export async function goVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('go', ['env', 'GOVERSION'], { env: process.env });
    return stdout.trim();
  } catch {
    throw new GoMissingError('no go command on the PATH');
  }
}

/** Runs `work` while no other process builds into the same cache. */
export function withBuildLock<T>(work: () => Promise<T>, onWait?: (owner: number) => void): Promise<T> {
  return withLock(join(cacheRoot(), 'build.lock'), work, onWait);
}

export interface BuildOptions {
  /** Stops the compiler. @default - runs to its end */
  readonly signal?: AbortSignal;
  /** Gets each line the compiler writes (downloads, errors). @default - lines are only kept for an error */
  readonly onOutput?: (line: string) => void;
}

/**
 * Compiles one program and installs it into the cache. The file appears there by a rename of the finished program, so an
 * interrupted build leaves the cache as it was. Throws `BuildError`.
 */
export async function buildProgram(program: Program, options: BuildOptions = {}): Promise<void> {
  const target = installedPath(program);
  await removeUnfinished(installDir(program.module));
  const unfinished = join(installDir(program.module), `${UNFINISHED}${process.pid}`, program.name);
  await mkdir(dirname(unfinished), { recursive: true });
  await mkdir(dirname(target), { recursive: true });
  try {
    await goBuild(program, unfinished, options);
    await rename(unfinished, target);
  } finally {
    await rm(dirname(unfinished), { recursive: true, force: true });
  }
}

/** Removes what killed builds have left, which is of no use but takes room. */
async function removeUnfinished(dir: string): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  const left = names.filter(name => name.startsWith(UNFINISHED) && !isAlive(Number(name.slice(UNFINISHED.length))));
  await Promise.all(left.map(name => rm(join(dir, name), { recursive: true, force: true })));
}

function goBuild(program: Program, output: string, options: BuildOptions): Promise<void> {
  const args = ['build', '-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags', linkerFlags(program), '-o', output];
  const child = spawn('go', [...args, program.package], {
    cwd: moduleDir(program.module),
    // With cgo the packages that use it, and all above them, would be compiled twice.
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' },
    stdio: ['ignore', 'ignore', 'pipe'],
    signal: options.signal,
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
    text.split('\n').filter(Boolean).forEach(line => options.onOutput?.(line));
  });
  return new Promise((resolve, reject) => {
    child.once('error', error => reject((error as NodeJS.ErrnoException).code === 'ENOENT' ? new GoMissingError('no go command on the PATH') : error));
    child.once('close', code => (code === 0 ? resolve() : reject(new BuildError(program, errors))));
  });
}
