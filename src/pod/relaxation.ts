/**
 * Departures from the *restricted* Pod Security Standard, which every container follows unless it names them.
 *
 * Naming a relaxation is not only permission: where a default stands in its way, the default is dropped.
 *
 * @see https://kubernetes.io/docs/concepts/security/pod-security-standards/
 */
export enum Relaxation {
  /** The container may run as root (`runAsNonRoot: false`), for images that have no other user. */
  RUN_AS_ROOT = 'RUN_AS_ROOT',

  /** Set-user-id programs such as sudo work (`allowPrivilegeEscalation: true`). */
  PRIVILEGE_ESCALATION = 'PRIVILEGE_ESCALATION',

  /** The container keeps the runtime's default capabilities instead of dropping all of them. */
  DEFAULT_CAPABILITIES = 'DEFAULT_CAPABILITIES',

  /** `securityContext.capabilities.add` may name other capabilities than `NET_BIND_SERVICE`. */
  ADDED_CAPABILITIES = 'ADDED_CAPABILITIES',

  /** The container is privileged: under a plain runtime it owns the node. */
  PRIVILEGED = 'PRIVILEGED',

  /** System calls are not filtered (`seccompProfile: Unconfined`). */
  UNCONFINED_SECCOMP = 'UNCONFINED_SECCOMP',

  /** The AppArmor profile may be `Unconfined`. */
  UNCONFINED_APPARMOR = 'UNCONFINED_APPARMOR',

  /** SELinux user, role and type may be set. */
  CUSTOM_SELINUX = 'CUSTOM_SELINUX',

  /** `procMount: Unmasked`, for nested containers. */
  UNMASKED_PROC = 'UNMASKED_PROC',

  /** Windows: the container runs as a process of the host. */
  WINDOWS_HOST_PROCESS = 'WINDOWS_HOST_PROCESS',

  /** Container ports may be bound on the node (`hostPort`). */
  HOST_PORTS = 'HOST_PORTS',

  /** Probes and lifecycle actions may name another host than the Pod, which the node then connects to. */
  PROBED_HOSTS = 'PROBED_HOSTS',

  /** Pod: the network of the node. No NetworkPolicy applies there. */
  HOST_NETWORK = 'HOST_NETWORK',

  /** Pod: the processes of the node are visible. */
  HOST_PID = 'HOST_PID',

  /** Pod: shared memory of the node. */
  HOST_IPC = 'HOST_IPC',

  /** Pod: folders of the node as volumes. */
  HOST_PATH_VOLUMES = 'HOST_PATH_VOLUMES',

  /** Pod: volume types other than those of the restricted standard, such as `nfs`. */
  OTHER_VOLUMES = 'OTHER_VOLUMES',

  /** Pod: annotations that are instructions to the container runtime or the network plugin (`dev.gvisor.flag.*`, `io.katacontainers.*`). */
  RUNTIME_ANNOTATIONS = 'RUNTIME_ANNOTATIONS',

  /** Pod: sysctls that are not known as safe. */
  UNSAFE_SYSCTLS = 'UNSAFE_SYSCTLS',
}
