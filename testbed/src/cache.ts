import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type GoModule, PROGRAMS, type Program, TESTBED_DIR } from './programs.js';

/**
 * Folder of everything the testbed keeps between runs: `AGENT_SANDBOX_TESTBED_CACHE`, else
 * `$XDG_CACHE_HOME/cdk8s-agent-sandbox/testbed`, else the same below `~/.cache`.
 */
export function cacheRoot(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env.AGENT_SANDBOX_TESTBED_CACHE || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'cdk8s-agent-sandbox', 'testbed'));
}

/** Folder of the modules of other releases of Kubernetes, each in a folder of its version. */
export function kubernetesModules(env: NodeJS.ProcessEnv = process.env): string {
  return join(cacheRoot(env), 'kubernetes');
}

/**
 * The folder of a Go module: ours, or that of another release of Kubernetes which `AGENT_SANDBOX_TESTBED_KUBERNETES` names (`1.31` or
 * `1.31.4`) and `build --kubernetes` has made. Throws if it has not.
 */
export function moduleDir(module: GoModule, env: NodeJS.ProcessEnv = process.env): string {
  const wanted = env.AGENT_SANDBOX_TESTBED_KUBERNETES;
  if (module !== 'control-plane' || !wanted) {
    return join(TESTBED_DIR, 'go', module);
  }
  const made = existsSync(kubernetesModules(env)) ? readdirSync(kubernetesModules(env)) : [];
  const patchOf = (version: string) => Number(version.split('.')[2]);
  const [newest] = made.filter(version => /^v\d+\.\d+\.\d+$/.test(version) && `${version}.`.startsWith(`v${wanted}.`)).sort((a, b) => patchOf(b) - patchOf(a));
  if (newest === undefined) {
    throw new Error(`AGENT_SANDBOX_TESTBED_KUBERNETES is ${wanted}, which is not built: run "npm run testbed -- build --kubernetes ${wanted}", or unset it`);
  }
  return join(kubernetesModules(env), newest);
}

/** Version of a Go module that one of our modules pins, with the leading `v`. */
export function pinnedVersion(module: GoModule, goModule: string, env: NodeJS.ProcessEnv = process.env): string {
  const goMod = readFileSync(join(moduleDir(module, env), 'go.mod'), 'utf8');
  const line = goMod.split('\n').map(text => text.trim().replace(/^require\s+/, '').split(/\s+/)).find(words => words[0] === goModule && words[1]?.startsWith('v'));
  if (!line) {
    throw new Error(`testbed/go/${module}/go.mod requires no ${goModule}: add it there and run "go mod tidy"`);
  }
  return line[1];
}

/** Version of a program, with the leading `v`; `-` for a program of our own. */
export function programVersion(program: Program): string {
  return program.versionOf === undefined ? '-' : pinnedVersion(program.module, program.versionOf);
}

/** `-ldflags` of a program: no symbol tables (a third of the size) and its versions. */
export function linkerFlags(program: Program, env: NodeJS.ProcessEnv = process.env): string {
  const stamps = program.stamps(goModule => pinnedVersion(program.module, goModule, env));
  return ['-s', '-w', ...Object.entries(stamps).map(([name, value]) => `-X ${name}=${value}`)].join(' ');
}

/**
 * Folder of the programs of one module. Its name changes with whatever changes the programs: module files, sources of our own,
 * linker flags and platform. The modules are apart, so that a newer helm does not rebuild Kubernetes.
 */
export function installDir(module: GoModule, env: NodeJS.ProcessEnv = process.env): string {
  const hash = createHash('sha256');
  const dir = moduleDir(module, env);
  for (const file of ['go.mod', 'go.sum', ...goSources(dir)]) {
    hash.update(readFileSync(join(dir, file)));
  }
  const programs = PROGRAMS.filter(program => program.module === module);
  for (const program of programs) {
    hash.update(`${program.package} ${linkerFlags(program, env)}\n`);
  }
  const label = module === 'control-plane' ? `kubernetes-${pinnedVersion(module, 'k8s.io/kubernetes', env)}` : module;
  return join(cacheRoot(env), `${label}-${process.platform}-${process.arch}-${hash.digest('hex').slice(0, 12)}`);
}

/** Where a build puts a program; the file exists only if the build was finished. */
export function installedPath(program: Program, env: NodeJS.ProcessEnv = process.env): string {
  return join(installDir(program.module, env), 'bin', program.name);
}

export function isInstalled(program: Program, env: NodeJS.ProcessEnv = process.env): boolean {
  return existsSync(installedPath(program, env));
}

function goSources(dir: string): string[] {
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.go')).sort();
}
