import type * as l1 from '../../imports';
import { definedOnly, integer, type Problems } from '../checks';
import { Relaxation } from './relaxation';

/** Sysctls that the *baseline* standard allows. */
const SAFE_SYSCTLS: readonly string[] = [
  'kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start', 'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl', 'net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem',
];
/** Volume types that the *restricted* standard allows; `image` is read-only content like a container image. */
const RESTRICTED_VOLUMES: readonly string[] = [
  'configMap', 'csi', 'downwardAPI', 'downwardApi', 'emptyDir', 'ephemeral', 'image', 'persistentVolumeClaim', 'projected', 'secret',
];
const BASELINE_SELINUX_TYPES: readonly string[] = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];

/** Where the props of a container are, as far as they are not in the Pod itself. */
interface ContainerProps {
  readonly at: Problems;
  readonly props: { readonly relaxations?: readonly Relaxation[] };
}

/** The parts of a container that its security depends on. */
interface SecuredContainer {
  readonly name: string;
  readonly securityContext?: l1.SecurityContext;
  readonly ports?: readonly l1.ContainerPort[];
  readonly livenessProbe?: l1.Probe;
  readonly readinessProbe?: l1.Probe;
  readonly startupProbe?: l1.Probe;
  readonly lifecycle?: l1.Lifecycle;
}

/**
 * The security context that the user wrote, with the user id that has a prop of its own.
 *
 * @internal
 */
export function withUser<T extends l1.SecurityContext | l1.PodSecurityContext>(
  problems: Problems, props: { readonly runAsUser?: number; readonly securityContext?: T },
): T | undefined {
  problems.check('runAsUser', props.runAsUser, integer(0));
  if (props.runAsUser !== undefined && props.securityContext?.runAsUser !== undefined) {
    problems.add('runAsUser', props.runAsUser, 'securityContext sets it too: set it in one place');
  }
  return props.runAsUser === undefined ? props.securityContext : { ...props.securityContext, runAsUser: props.runAsUser } as T;
}

/**
 * The security context of a container: the restricted defaults less the named relaxations, under what the user wrote.
 *
 * @internal
 */
export function containerSecurityContext(
  user: l1.SecurityContext | undefined, relaxations: readonly Relaxation[], windows: boolean,
): l1.SecurityContext {
  const relaxed = (relaxation: Relaxation) => relaxations.includes(relaxation);
  const asRoot = relaxed(Relaxation.RUN_AS_ROOT) ? { runAsNonRoot: false } : {};
  if (windows) {
    return { ...asRoot, ...user };
  }
  const privileged = relaxed(Relaxation.PRIVILEGED);
  return {
    allowPrivilegeEscalation: privileged || relaxed(Relaxation.PRIVILEGE_ESCALATION),
    ...(privileged && { privileged: true }),
    ...asRoot,
    ...(relaxed(Relaxation.UNCONFINED_SECCOMP) && { seccompProfile: { type: 'Unconfined' } }),
    ...user,
    ...(!privileged && !relaxed(Relaxation.DEFAULT_CAPABILITIES)
      ? { capabilities: { drop: ['ALL'], ...user?.capabilities } }
      : user?.capabilities && { capabilities: user.capabilities }),
  };
}

/**
 * The security context of a Pod: the restricted defaults under what the user wrote.
 *
 * @internal
 */
export function podSecurityContext(user: l1.PodSecurityContext | undefined, windows: boolean, fsGroup: number | undefined): l1.PodSecurityContext {
  return {
    runAsNonRoot: true,
    ...(!windows && { seccompProfile: { type: 'RuntimeDefault' } }),
    ...(!windows && fsGroup !== undefined && { fsGroup }),
    ...user,
  };
}

/**
 * Holds a rendered pod spec against the *restricted* Pod Security Standard. Whatever it does not allow must be named
 * as a relaxation, of the container or of the Pod. Works on TypeScript and on wire names.
 *
 * @internal
 */
export function checkPodSecurity(
  problems: Problems, spec: l1.PodSpec, podRelaxations: readonly Relaxation[], containers: ReadonlyMap<string, ContainerProps> = new Map(),
): void {
  const pod = spec as l1.PodSpec & { readonly hostPID?: boolean; readonly hostIPC?: boolean };
  const need = (broken: boolean, relaxation: Relaxation, prop: string, value: unknown, instead?: string) => {
    if (broken && !podRelaxations.includes(relaxation)) {
      problems.add(prop, value, `${instead ? `${instead}, or ` : ''}name it: relaxations: [Relaxation.${relaxation}]`);
    }
  };
  need(pod.hostNetwork === true, Relaxation.HOST_NETWORK, 'hostNetwork', true);
  need((pod.hostPid ?? pod.hostPID) === true, Relaxation.HOST_PID, 'hostPid', true);
  need((pod.hostIpc ?? pod.hostIPC) === true, Relaxation.HOST_IPC, 'hostIpc', true);
  for (const volume of pod.volumes ?? []) {
    const source = Object.keys(volume).find(key => key !== 'name' && (volume as any)[key] !== undefined);
    need(source === 'hostPath', Relaxation.HOST_PATH_VOLUMES, 'volumes', volume.name, 'a hostPath volume shows the node to the sandbox: use another volume');
    need(source !== undefined && source !== 'hostPath' && !RESTRICTED_VOLUMES.includes(source), Relaxation.OTHER_VOLUMES, 'volumes', volume.name,
      `use a PersistentVolumeClaim instead of ${source}`);
  }
  for (const sysctl of pod.securityContext?.sysctls ?? []) {
    need(!SAFE_SYSCTLS.includes(sysctl.name), Relaxation.UNSAFE_SYSCTLS, 'securityContext.sysctls', sysctl.name);
  }
  if (pod.os?.name !== 'windows' && pod.securityContext) {
    checkShared(problems.at('securityContext'), pod.securityContext, pod.securityContext, podRelaxations);
  }
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    for (const container of pod[list] ?? []) {
      const { at, props } = containers.get(container.name) ?? { at: problems.at(`container '${container.name}'`), props: {} };
      checkContainer(at, container, pod, [...podRelaxations, ...(props.relaxations ?? [])]);
    }
  }
}

function checkContainer(problems: Problems, container: SecuredContainer, pod: l1.PodSpec, relaxations: readonly Relaxation[]): void {
  const context = container.securityContext ?? {};
  const at = problems.at('securityContext');
  const relaxed = (relaxation: Relaxation) => relaxations.includes(relaxation);
  const need = (broken: boolean, relaxation: Relaxation, prop: string, value: unknown) => {
    if (broken && !relaxed(relaxation)) {
      at.add(prop, value, `name it: relaxations: [Relaxation.${relaxation}]`);
    }
  };
  for (const port of container.ports ?? []) {
    if (port.hostPort && !relaxed(Relaxation.HOST_PORTS)) {
      problems.add('hostPort', port.hostPort, 'reach the sandbox through a Service or the router, or name it: relaxations: [Relaxation.HOST_PORTS]');
    }
  }
  for (const [prop, host] of probedHosts(container)) {
    if (!relaxed(Relaxation.PROBED_HOSTS)) {
      problems.add(prop, host, 'the node would connect to it from outside of the sandbox: leave it out, or name it: relaxations: [Relaxation.PROBED_HOSTS]');
    }
  }
  const effective = { ...pod.securityContext, ...definedOnly(context) };
  need(effective.windowsOptions?.hostProcess === true, Relaxation.WINDOWS_HOST_PROCESS, 'windowsOptions.hostProcess', true);
  if (pod.os?.name === 'windows') {
    need(effective.runAsNonRoot !== true, Relaxation.RUN_AS_ROOT, 'runAsNonRoot', effective.runAsNonRoot);
    return;
  }
  need(context.privileged === true, Relaxation.PRIVILEGED, 'privileged', true);
  const privileged = context.privileged === true;
  need(!privileged && context.allowPrivilegeEscalation !== false, Relaxation.PRIVILEGE_ESCALATION, 'allowPrivilegeEscalation', context.allowPrivilegeEscalation);
  need(!privileged && !(context.capabilities?.drop ?? []).includes('ALL'), Relaxation.DEFAULT_CAPABILITIES, 'capabilities.drop', context.capabilities?.drop);
  const added = (context.capabilities?.add ?? []).filter(capability => capability !== 'NET_BIND_SERVICE');
  need(added.length > 0, Relaxation.ADDED_CAPABILITIES, 'capabilities.add', added);
  need(context.procMount !== undefined && context.procMount !== 'Default', Relaxation.UNMASKED_PROC, 'procMount', context.procMount);
  checkShared(at, context, effective, relaxations);
}

/** Hosts other than the Pod that probes and lifecycle actions of a container name. */
function probedHosts(container: SecuredContainer): [prop: string, host: string][] {
  const handlers: [string, l1.LifecycleHandler | l1.Probe | undefined][] = [
    ['livenessProbe', container.livenessProbe], ['readinessProbe', container.readinessProbe], ['startupProbe', container.startupProbe],
    ['lifecycle.postStart', container.lifecycle?.postStart], ['lifecycle.preStop', container.lifecycle?.preStop],
  ];
  return handlers.flatMap(([prop, handler]) => (['httpGet', 'tcpSocket'] as const).flatMap(action => {
    const host = handler?.[action]?.host;
    return host ? [[`${prop}.${action}.host`, host] as [string, string]] : [];
  }));
}

/** What Pods and containers have in common. `effective` is what applies once the container inherits from its Pod. */
function checkShared(
  problems: Problems, own: l1.SecurityContext | l1.PodSecurityContext, effective: l1.SecurityContext | l1.PodSecurityContext,
  relaxations: readonly Relaxation[],
): void {
  const need = (broken: boolean, relaxation: Relaxation, prop: string, value: unknown) => {
    if (broken && !relaxations.includes(relaxation)) {
      problems.add(prop, value, `name it: relaxations: [Relaxation.${relaxation}]`);
    }
  };
  // What a container inherits is a problem of the Pod alone.
  const decides = (value: unknown) => own === effective || value !== undefined;
  need(effective.runAsNonRoot !== true && decides(own.runAsNonRoot), Relaxation.RUN_AS_ROOT, 'runAsNonRoot', effective.runAsNonRoot);
  need(own.runAsUser === 0, Relaxation.RUN_AS_ROOT, 'runAsUser', 0);
  if (own.runAsUser === 0 && effective.runAsNonRoot === true && relaxations.includes(Relaxation.RUN_AS_ROOT)) {
    problems.add('runAsUser', 0, 'the container could never start: runAsNonRoot is true');
  }
  const seccomp = effective.seccompProfile?.type;
  need(seccomp !== 'RuntimeDefault' && seccomp !== 'Localhost' && decides(own.seccompProfile), Relaxation.UNCONFINED_SECCOMP, 'seccompProfile.type', seccomp);
  need(own.appArmorProfile?.type === 'Unconfined', Relaxation.UNCONFINED_APPARMOR, 'appArmorProfile.type', 'Unconfined');
  const selinux = own.seLinuxOptions;
  const custom = selinux !== undefined && (!!selinux.user || !!selinux.role || !BASELINE_SELINUX_TYPES.includes(selinux.type ?? ''));
  need(custom, Relaxation.CUSTOM_SELINUX, 'seLinuxOptions', selinux);
}
