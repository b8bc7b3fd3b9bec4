import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { kubernetesModules, pinnedVersion } from './cache.js';
import { PROGRAMS } from './programs.js';

const run = promisify(execFile);
const KUBERNETES = 'k8s.io/kubernetes';
/** With cgo, the list of packages would be another one than that of the build. */
const GO_ENV = { CGO_ENABLED: '0', GOFLAGS: '', GOWORK: 'off' };

/**
 * Makes another release of Kubernetes ready to be built: writes a Go module beside the programs in the cache, in which every dependency has
 * the version of that release. Returns the value for `AGENT_SANDBOX_TESTBED_KUBERNETES`, which is empty for the release of this repository.
 *
 * @param wanted minor release (`1.31`: its newest patch), exact release (`1.31.4`), or `newest`
 */
export async function prepareKubernetes(wanted: string): Promise<string> {
  const pinned = pinnedVersion('control-plane', KUBERNETES, {});
  if (`${pinned}.`.startsWith(`v${wanted}.`)) {
    return '';
  }
  const { Version: version, GoMod: released } = await releaseOf(wanted);
  if (version === pinned) {
    return '';
  }
  const dir = join(kubernetesModules(), version);
  if (!existsSync(dir)) {
    const unfinished = `${dir}.unfinished-${process.pid}`;
    await mkdir(unfinished, { recursive: true });
    try {
      const goMod = await readFile(released, 'utf8');
      await writeFile(join(unfinished, 'go.mod'), goModOf(goMod, version, await stagingModules(goMod, version)));
      await completeModule(unfinished);
      await rename(unfinished, dir);
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }
  return version.slice(1);
}

interface Downloaded {
  readonly Path: string;
  readonly Version: string;
  /** Path of its `go.mod`. */
  readonly GoMod: string;
  readonly Error?: string;
}

/** Modules from the Go module proxy, in the order of the queries; one that it does not have comes with its `Error`. */
async function download(queries: readonly string[]): Promise<Downloaded[]> {
  const { stdout } = await run('go', ['mod', 'download', '-json', ...queries], { env: { ...process.env, ...GO_ENV }, maxBuffer: 16 << 20 })
    .catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }));
  return stdout.trim() === '' ? [] : JSON.parse(`[${stdout.trim().replaceAll('}\n{', '},{')}]`);
}

async function releaseOf(wanted: string): Promise<Downloaded> {
  const [found] = await download([`${KUBERNETES}@${wanted === 'newest' ? 'latest' : `v${wanted}`}`]);
  if (found === undefined || found.Error !== undefined) {
    throw new Error(`no release ${wanted} of Kubernetes: give a minor release such as 1.31, an exact one such as 1.31.4, or "newest"; ${found?.Error ?? 'go answered nothing'}`);
  }
  return found;
}

/**
 * The staging modules of a release, which it replaces by folders of its own repository, as they were published: with the version of the
 * release, or, if the proxy lacks one, with the newest patch of the same minor release.
 */
async function stagingModules(goMod: string, version: string): Promise<Map<string, string>> {
  const names = [...goMod.matchAll(/^\s*(\S+) => \.\/staging\/\S+$/gm)].map(([, name]) => name);
  const exact = version.replace(/^v1\./, 'v0.');
  const found = await download(names.map(name => `${name}@${exact}`));
  const missing = names.filter(name => !found.some(({ Path, Error: refused }) => Path === name && refused === undefined));
  const others = missing.length === 0 ? [] : await download(missing.map(name => `${name}@${exact.replace(/\.\d+$/, '')}`));
  return new Map([...found, ...others].filter(({ Error: refused }) => refused === undefined).map(({ Path, Version }) => [Path, Version]));
}

/** `go.mod` of our programs for a release, from the one of the release itself: the same requirements, with the staging modules as published. */
export function goModOf(released: string, version: string, staging: ReadonlyMap<string, string>): string {
  const own = released.replace(/^module .*$/m, 'module agent-sandbox-testbed/control-plane').replace(/^replace \([^]*?^\)\n?|^replace .*\n?/gm, '').trimEnd();
  return `${own}\n\nrequire ${KUBERNETES} ${version}\n\nreplace (\n${[...staging].map(([name, published]) => `\t${name} => ${name} ${published}\n`).join('')})\n`;
}

/** Has Go add the checksums of everything that the programs need. */
async function completeModule(dir: string): Promise<void> {
  const packages = PROGRAMS.filter(({ module, group }) => module === 'control-plane' && group === 'control-plane').map(program => program.package);
  await run('go', ['list', '-mod=mod', '-deps', '-f', '{{.ImportPath}}', ...packages], { cwd: dir, env: { ...process.env, ...GO_ENV }, maxBuffer: 64 << 20 });
}
