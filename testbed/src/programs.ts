import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A Go module under `testbed/go`. Programs of one module share their dependencies, and thereby most of their build. */
export type GoModule = 'control-plane' | 'tools' | 'grpcurl' | 'policy-engines' | 'actionlint' | 'node' | 'gvisor-shim';

/** What is built together. `control-plane` and `tools` by default, `node` on request. */
export type ProgramGroup = 'control-plane' | 'tools' | 'node';

export type ProgramName =
  | 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler' | 'kubectl'
  | 'kwok' | 'helm' | 'kubeconform' | 'grpcurl' | 'policy-engines' | 'actionlint'
  | 'kubelet' | 'kube-proxy' | 'kube-router' | 'local-path-provisioner' | 'coredns' | 'probe' | 'containerd-shim-runsc-v1';

/** One program that the testbed builds and runs. */
export interface Program {
  readonly name: ProgramName;
  readonly group: ProgramGroup;
  /** The module whose `go.mod` pins it. */
  readonly module: GoModule;
  /** Import path of its main package; one that begins with a dot is a folder of our module. */
  readonly package: string;
  /** The Go module that carries its version, undefined for a program of our own. */
  readonly versionOf?: string;
  /**
   * Variables that the linker sets, because programs learn versions only from there.
   *
   * @param pinned version of a Go module, with the leading `v`
   */
  stamps(pinned: (goModule: string) => string): Record<string, string>;
}

function kubernetesStamps(pinned: (goModule: string) => string): Record<string, string> {
  const version = pinned('k8s.io/kubernetes');
  const [major, minor] = version.slice(1).split('.');
  const values = { gitVersion: version, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' };
  return Object.fromEntries(['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version']
    .flatMap(path => Object.entries(values).map(([key, value]) => [`${path}.${key}`, value])));
}

function helmStamps(pinned: (goModule: string) => string): Record<string, string> {
  // `helm template` without a cluster claims the Kubernetes version that its client libraries belong to: v0.37.0 is 1.37.
  const [, minor] = pinned('k8s.io/client-go').slice(1).split('.');
  const kubernetesVersion = ['helm.sh/helm/v3/pkg/chartutil', 'helm.sh/helm/v3/pkg/lint/rules']
    .flatMap(path => [[`${path}.k8sVersionMajor`, '1'], [`${path}.k8sVersionMinor`, minor]]);
  return { 'helm.sh/helm/v3/internal/version.version': pinned('helm.sh/helm/v3'), ...Object.fromEntries(kubernetesVersion) };
}

function kubernetes(name: ProgramName, group: ProgramGroup): Program {
  return {
    name, group, module: 'control-plane', package: `k8s.io/kubernetes/cmd/${name}`, versionOf: 'k8s.io/kubernetes', stamps: kubernetesStamps,
  };
}

const KUBE_ROUTER = 'github.com/cloudnativelabs/kube-router/v2';
const ACTIONLINT = 'github.com/rhysd/actionlint';
const LOCAL_PATH = 'github.com/rancher/local-path-provisioner';

/** Every program, in the order in which a build makes them: what a control plane cannot do without comes first. */
export const PROGRAMS: readonly Program[] = [
  {
    name: 'etcd', group: 'control-plane', module: 'control-plane',
    package: 'go.etcd.io/etcd/server/v3', versionOf: 'go.etcd.io/etcd/server/v3', stamps: () => ({}),
  },
  kubernetes('kube-apiserver', 'control-plane'),
  kubernetes('kubectl', 'control-plane'),
  kubernetes('kube-controller-manager', 'control-plane'),
  kubernetes('kube-scheduler', 'control-plane'),
  {
    name: 'kwok', group: 'control-plane', module: 'tools', package: 'sigs.k8s.io/kwok/cmd/kwok', versionOf: 'sigs.k8s.io/kwok',
    stamps: pinned => ({ 'sigs.k8s.io/kwok/pkg/consts.Version': pinned('sigs.k8s.io/kwok') }),
  },
  {
    name: 'helm', group: 'tools', module: 'tools', package: 'helm.sh/helm/v3/cmd/helm', versionOf: 'helm.sh/helm/v3',
    stamps: helmStamps,
  },
  {
    name: 'kubeconform', group: 'tools', module: 'tools',
    package: 'github.com/yannh/kubeconform/cmd/kubeconform', versionOf: 'github.com/yannh/kubeconform',
    stamps: pinned => ({ 'main.version': pinned('github.com/yannh/kubeconform') }),
  },
  {
    name: 'grpcurl', group: 'tools', module: 'grpcurl',
    package: 'github.com/fullstorydev/grpcurl/cmd/grpcurl', versionOf: 'github.com/fullstorydev/grpcurl',
    stamps: pinned => ({ 'main.version': pinned('github.com/fullstorydev/grpcurl') }),
  },
  { name: 'policy-engines', group: 'tools', module: 'policy-engines', package: '.', stamps: () => ({}) },
  {
    name: 'actionlint', group: 'tools', module: 'actionlint', package: `${ACTIONLINT}/cmd/actionlint`, versionOf: ACTIONLINT,
    stamps: pinned => ({ [`${ACTIONLINT}.version`]: pinned(ACTIONLINT) }),
  },
  kubernetes('kubelet', 'node'),
  kubernetes('kube-proxy', 'node'),
  {
    name: 'kube-router', group: 'node', module: 'node', package: 'github.com/cloudnativelabs/kube-router/v2/cmd/kube-router',
    versionOf: KUBE_ROUTER, stamps: pinned => ({ [`${KUBE_ROUTER}/pkg/version.Version`]: pinned(KUBE_ROUTER) }),
  },
  {
    name: 'coredns', group: 'node', module: 'node', package: './coredns', versionOf: 'github.com/coredns/coredns', stamps: () => ({}),
  },
  {
    name: 'local-path-provisioner', group: 'node', module: 'node', package: LOCAL_PATH, versionOf: LOCAL_PATH,
    stamps: pinned => ({ 'main.VERSION': pinned(LOCAL_PATH) }),
  },
  { name: 'probe', group: 'node', module: 'node', package: './probe', stamps: () => ({}) },
  {
    name: 'containerd-shim-runsc-v1', group: 'node', module: 'gvisor-shim', package: '.', versionOf: 'gvisor.dev/gvisor', stamps: () => ({}),
  },
];

/** Groups that `build` makes by default. */
export const DEFAULT_GROUPS: readonly ProgramGroup[] = ['control-plane', 'tools'];

export function program(name: ProgramName): Program {
  return PROGRAMS.find(candidate => candidate.name === name)!;
}

/** The folder `testbed/`, whether this file runs from `src` or from `lib`. */
export const TESTBED_DIR = findTestbed(dirname(fileURLToPath(import.meta.url)));

function findTestbed(from: string): string {
  return existsSync(join(from, 'supervisor.mjs')) ? from : findTestbed(dirname(from));
}
