import { Problems } from '../checks';
import { checkPodSecurity } from './pod-security';

/** Levels of the Pod Security Standards, the strictest first. @internal */
export const POD_SECURITY_LEVELS = ['restricted', 'baseline', 'privileged'] as const;

/** @internal */
export type PodSecurityName = typeof POD_SECURITY_LEVELS[number];

/** Relaxations that *baseline* allows. */
const BASELINE: readonly string[] = ['RUN_AS_ROOT', 'PRIVILEGE_ESCALATION', 'DEFAULT_CAPABILITIES', 'OTHER_VOLUMES'];
const BASELINE_CAPABILITIES: readonly string[] = [
  'AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT',
];

/** The strictest level that a pod spec meets, and the relaxations that keep it from the next stricter one. @internal */
export function podSecurityOf(spec: any): { readonly level: PodSecurityName; readonly because: readonly string[] } {
  const problems = Problems.of('');
  checkPodSecurity(problems, spec, []);
  const needed = problems.all().map(line => ({ relaxation: /Relaxation\.([A-Z_]+)\]/.exec(line)?.[1] ?? '', line })).filter(({ relaxation }) => relaxation !== '');
  const names = [...new Set(needed.map(({ relaxation }) => relaxation))];
  const containers: any[] = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const added = containers.flatMap(container => container.securityContext?.capabilities?.add ?? []);
  const isBaseline = (name: string) => BASELINE.includes(name)
    || (name === 'ADDED_CAPABILITIES' && added.every(capability => BASELINE_CAPABILITIES.includes(capability)))
    // Unset is what baseline allows.
    || (name === 'UNCONFINED_SECCOMP' && needed.every(({ relaxation, line }) => relaxation !== name || !line.includes("'Unconfined'")));
  const privileged = names.filter(name => !isBaseline(name));
  return { level: privileged.length > 0 ? 'privileged' : names.length > 0 ? 'baseline' : 'restricted', because: privileged.length > 0 ? privileged : names };
}
