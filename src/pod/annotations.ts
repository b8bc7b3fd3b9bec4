import type { Problems } from '../checks';
import { Relaxation } from './relaxation';

const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const SECCOMP = /^(container\.)?seccomp\.security\.alpha\.kubernetes\.io\//;

/**
 * Annotations that container runtimes and network plugins act on, by what their keys begin with: they switch parts of an
 * isolation off, add devices, change runtimes, or connect Pods to networks that no NetworkPolicy covers.
 */
const RUNTIME_ANNOTATIONS: ReadonlyArray<readonly [prefix: string, who: string]> = [
  ['dev.gvisor.', 'gVisor'],
  ['io.katacontainers.', 'Kata Containers'],
  ['io.kubernetes.cri.', 'containerd'],
  ['io.kubernetes.cri-o.', 'CRI-O'],
  ['io.containerd.', 'containerd'],
  ['cdi.k8s.io/', 'the container runtime, which adds devices'],
  ['run.oci.', 'crun'],
  ['module.wasm.image/', 'crun'],
  ['org.systemd.property.', 'systemd'],
  ['k8s.v1.cni.cncf.io/', 'the network plugin, which adds networks'],
  ['v1.multus-cni.io/', 'the network plugin, which adds networks'],
];
/** Those of CRI-O have a suffix in common: `cpu-load-balancing.crio.io`, `seccomp-profile.kubernetes.cri-o.io`. */
const CRI_O = /(^|\.)(crio|cri-o)\.io(\/|$)/;

/**
 * Holds annotations that mean what fields mean to the rules for these fields.
 *
 * @param relaxations of the Pod and, by its name, of a container; undefined where there can be none (claims)
 * @internal
 */
export function checkAnnotations(
  problems: Problems, prop: string, annotations: { readonly [key: string]: string } | undefined,
  relaxations: ((container?: string) => readonly Relaxation[]) | undefined,
): void {
  for (const [key, value] of Object.entries(annotations ?? {})) {
    const at = `${prop}['${key}']`;
    if (key.startsWith(APPARMOR)) {
      if (!/^(unconfined|runtime\/default|localhost\/.+)$/.test(value)) {
        problems.add(at, value, "use securityContext.appArmorProfile of the container; the annotation knows 'runtime/default', 'localhost/<profile>' and 'unconfined'");
      } else if (value === 'unconfined' && !relaxations?.(key.slice(APPARMOR.length)).includes(Relaxation.UNCONFINED_APPARMOR)) {
        problems.add(at, value, relaxations ? 'it switches AppArmor off: leave it out, or name it: relaxations: [Relaxation.UNCONFINED_APPARMOR]' : ONLY_TEMPLATES);
      }
    } else if (SECCOMP.test(key)) {
      problems.add(at, value, 'Kubernetes has ignored this annotation since 1.27: use securityContext.seccompProfile');
    } else {
      const who = RUNTIME_ANNOTATIONS.find(([prefix]) => key.startsWith(prefix))?.[1] ?? (CRI_O.test(key) ? 'CRI-O' : undefined);
      if (who && !relaxations?.().includes(Relaxation.RUNTIME_ANNOTATIONS)) {
        problems.add(at, value, relaxations
          ? `it is an instruction to ${who}, past what the isolation promises: leave it out, or name it: relaxations: [Relaxation.RUNTIME_ANNOTATIONS]`
          : ONLY_TEMPLATES);
      }
    }
  }
}

const ONLY_TEMPLATES = 'claims cannot change how their sandbox is isolated: set it in podAnnotations of the template';
