import type * as l1 from '../../imports';
import { checkCalls, Problems } from '../checks';

/** Which system calls a container may make. Under gVisor and Kata the profile filters calls of the runtime on the node. */
export class SeccompProfile {
  /** The profile of the container runtime: what Pods of this library have by default. */
  public static runtimeDefault(): SeccompProfile {
    return new SeccompProfile({ type: 'RuntimeDefault' });
  }

  /**
   * A profile from a file on the nodes. A Pod on a node without the file does not start.
   *
   * @param path path of the file below the kubelet's folder of seccomp profiles, without `..`: `profiles/agents.json`
   * @throws if the path is not well-formed
   */
  public static localhost(path: string): SeccompProfile {
    const problems = Problems.of('SeccompProfile.localhost');
    problems.check('path', path, text => (text.startsWith('/') || text.split('/').includes('..')
      ? "use a path below the kubelet's folder of seccomp profiles, without '..': 'profiles/agents.json'" : undefined));
    problems.throwIfAny();
    return new SeccompProfile({ type: 'Localhost', localhostProfile: path });
  }

  /** No filter. Needs `Relaxation.UNCONFINED_SECCOMP`. */
  public static unconfined(): SeccompProfile {
    return new SeccompProfile({ type: 'Unconfined' });
  }

  private constructor(/** @internal */ public readonly _profile: l1.SeccompProfile) {}
}
checkCalls(SeccompProfile);

/**
 * A security context with a seccomp profile that has a prop of its own.
 *
 * @internal
 */
export function withSeccomp<T extends l1.SecurityContext | l1.PodSecurityContext>(
  problems: Problems, props: { readonly seccompProfile?: SeccompProfile }, context: T | undefined,
): T | undefined {
  if (!props.seccompProfile) {
    return context;
  }
  if (context?.seccompProfile) {
    problems.add('securityContext.seccompProfile', context.seccompProfile, 'seccompProfile sets it too: set it in one place');
  }
  return { ...context, seccompProfile: props.seccompProfile._profile } as T;
}
