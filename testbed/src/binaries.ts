import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { installedPath } from './cache.js';
import { PROGRAMS, type ProgramName, program } from './programs.js';

/** What every control plane is made of. */
export const REQUIRED: readonly ProgramName[] = ['etcd', 'kube-apiserver', 'kubectl'];

/** What fake nodes need beyond that. */
export const FAKE_NODE_PROGRAMS: readonly ProgramName[] = ['kube-controller-manager', 'kube-scheduler', 'kwok'];

/** What a real node needs beyond that. */
export const NODE_PROGRAMS: readonly ProgramName[] = [
  'kube-controller-manager', 'kube-scheduler', ...PROGRAMS.filter(({ group }) => group === 'node').map(({ name }) => name),
];

/** Where the programs of a control plane come from. */
export interface Binaries {
  readonly kind: 'binaries';
  /** For messages: `KUBEBUILDER_ASSETS=…` or the cache. */
  readonly source: string;
  /** Path of a program, undefined if it is not there. */
  find(name: ProgramName): string | undefined;
}

/** A cluster from outside, given by its kubeconfig. */
export interface ProvidedCluster {
  readonly kind: 'provided';
  readonly kubeconfig: string;
  readonly allowsClusterWrites: boolean;
}

/** Nothing to test with. */
export interface Nothing {
  readonly kind: 'nothing';
  /** One line: what is missing and what to run. */
  readonly reason: string;
}

/**
 * Finds what tests can run against, in this order: the cluster of `AGENT_SANDBOX_TEST_KUBECONFIG`, the programs in
 * `KUBEBUILDER_ASSETS`, the programs that `npm run testbed -- build` made. `KUBECONFIG` is never looked at: people have
 * production in it.
 *
 * @param needs programs beyond etcd, kube-apiserver and kubectl without which a test is pointless
 */
export function resolve(needs: readonly ProgramName[] = [], env: NodeJS.ProcessEnv = process.env): ProvidedCluster | Binaries | Nothing {
  const kubeconfig = env.AGENT_SANDBOX_TEST_KUBECONFIG;
  if (kubeconfig) {
    return existsSync(kubeconfig)
      ? { kind: 'provided', kubeconfig, allowsClusterWrites: env.AGENT_SANDBOX_TEST_ALLOW_CLUSTER_WRITES === '1' }
      : { kind: 'nothing', reason: `AGENT_SANDBOX_TEST_KUBECONFIG names ${kubeconfig}, which does not exist: correct or unset it` };
  }
  return findPrograms(needs, env);
}

/** The programs of a control plane, wherever a provided cluster may be. */
export function findPrograms(needs: readonly ProgramName[] = [], env: NodeJS.ProcessEnv = process.env): Binaries | Nothing {
  const binaries = env.KUBEBUILDER_ASSETS ? assets(env.KUBEBUILDER_ASSETS, env) : cached(env);
  const missing = [...REQUIRED, ...needs].filter(name => !binaries.find(name));
  if (missing.length === 0) {
    return binaries;
  }
  if (env.KUBEBUILDER_ASSETS) {
    return { kind: 'nothing', reason: `${binaries.source} has no ${missing.join(', ')}: add it, or unset KUBEBUILDER_ASSETS and run "npm run testbed -- build"` };
  }
  // One sentence for all suites of a machine without any build, whatever each of them needs.
  const what = REQUIRED.some(name => binaries.find(name)) ? `${missing.join(', ')} not built` : 'no Kubernetes control plane is built';
  return { kind: 'nothing', reason: `${what}: run "npm run testbed -- build${nodeOnly(missing) ? ' --group node' : ''}"` };
}

/** Whether what is missing is what `build` makes on request only. */
function nodeOnly(missing: readonly ProgramName[]): boolean {
  return missing.every(name => program(name).group === 'node');
}

function cached(env: NodeJS.ProcessEnv): Binaries {
  return { kind: 'binaries', source: 'the testbed cache', find: name => existing(installedPath(program(name), env)) };
}

function assets(dir: string, env: NodeJS.ProcessEnv): Binaries {
  return {
    kind: 'binaries',
    source: `KUBEBUILDER_ASSETS=${dir}`,
    // Parts of Kubernetes must be of one version; the other programs fit any, so ours will do.
    find: name => existing(join(dir, name)) ?? (program(name).module !== 'control-plane' ? existing(installedPath(program(name), env)) : undefined),
  };
}

function existing(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
