import { IntOrString, type PodSpec } from '../imports';
import { Relaxation, type SandboxContainer, SandboxNetwork, type SandboxProps, SandboxVolume, type l1 } from '../src';
import { CONTAINER, container, messageOf, podSpec, sandbox } from './helpers';

const RESTRICTED = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
const RESTRICTED_POD = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };

test('containers, init containers and sidecars follow the restricted standard', () => {
  const spec = podSpec(sandbox({ initContainers: [{ ...CONTAINER, name: 'a' }], sidecars: [{ ...CONTAINER, name: 'b' }] }));
  expect(spec.securityContext).toEqual(RESTRICTED_POD);
  for (const each of [...spec.containers, ...spec.initContainers]) {
    expect(each.securityContext).toEqual(RESTRICTED);
  }
});

describe('a relaxation changes the defaults that stand in its way', () => {
  test.each<[Relaxation, object]>([
    [Relaxation.RUN_AS_ROOT, { ...RESTRICTED, runAsNonRoot: false }],
    [Relaxation.PRIVILEGE_ESCALATION, { ...RESTRICTED, allowPrivilegeEscalation: true }],
    [Relaxation.DEFAULT_CAPABILITIES, { allowPrivilegeEscalation: false }],
    [Relaxation.PRIVILEGED, { allowPrivilegeEscalation: true, privileged: true }],
    [Relaxation.UNCONFINED_SECCOMP, { ...RESTRICTED, seccompProfile: { type: 'Unconfined' } }],
    [Relaxation.ADDED_CAPABILITIES, RESTRICTED],
    [Relaxation.UNCONFINED_APPARMOR, RESTRICTED],
    [Relaxation.CUSTOM_SELINUX, RESTRICTED],
    [Relaxation.UNMASKED_PROC, RESTRICTED],
    [Relaxation.HOST_PORTS, RESTRICTED],
    [Relaxation.PROBED_HOSTS, RESTRICTED],
    [Relaxation.WINDOWS_HOST_PROCESS, RESTRICTED],
  ])('%s of a container', (relaxation, securityContext) => {
    const spec = podSpec(sandbox({ containers: [{ ...CONTAINER, relaxations: [relaxation] }, { ...CONTAINER, name: 'other' }] }));
    expect(spec.containers[0].securityContext).toEqual(securityContext);
    expect(spec.containers[1].securityContext).toEqual(RESTRICTED);
    expect(spec.securityContext).toEqual(RESTRICTED_POD);
  });

  test('of the Pod, for all of its containers', () => {
    const spec = podSpec(sandbox({
      relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.UNCONFINED_SECCOMP],
      containers: [CONTAINER, { ...CONTAINER, name: 'other', relaxations: [Relaxation.PRIVILEGE_ESCALATION] }],
    }));
    const relaxed = { runAsNonRoot: false, seccompProfile: { type: 'Unconfined' } };
    expect(spec.securityContext).toEqual(relaxed);
    expect(spec.containers[0].securityContext).toEqual({ ...RESTRICTED, ...relaxed });
    expect(spec.containers[1].securityContext).toEqual({ ...RESTRICTED, ...relaxed, allowPrivilegeEscalation: true });
  });
});

/** What breaks the standard, by the relaxation that permits it. Each row is refused without it and emitted with it. */
const BREAKS: readonly (readonly [Relaxation, where: string, Partial<SandboxProps> | Partial<SandboxContainer>, message: string])[] = [
  [Relaxation.RUN_AS_ROOT, 'container', { securityContext: { runAsNonRoot: false } }, 'securityContext.runAsNonRoot is false: name it'],
  [Relaxation.RUN_AS_ROOT, 'pod', { securityContext: { runAsNonRoot: false } }, 'securityContext.runAsNonRoot is false: name it'],
  [Relaxation.RUN_AS_ROOT, 'container', { securityContext: { runAsNonRoot: false, runAsUser: 0 } }, 'securityContext.runAsUser is 0: name it'],
  [Relaxation.PRIVILEGE_ESCALATION, 'container', { securityContext: { allowPrivilegeEscalation: true } }, 'securityContext.allowPrivilegeEscalation is true: name it'],
  [Relaxation.DEFAULT_CAPABILITIES, 'container', { securityContext: { capabilities: { drop: ['NET_RAW'] } } }, 'securityContext.capabilities.drop is ["NET_RAW"]: name it'],
  [Relaxation.ADDED_CAPABILITIES, 'container', { securityContext: { capabilities: { add: ['NET_BIND_SERVICE', 'SYS_PTRACE'] } } },
    'securityContext.capabilities.add is ["SYS_PTRACE"]: name it'],
  [Relaxation.PRIVILEGED, 'container', { securityContext: { privileged: true, allowPrivilegeEscalation: true } }, 'securityContext.privileged is true: name it'],
  [Relaxation.UNCONFINED_SECCOMP, 'container', { securityContext: { seccompProfile: { type: 'Unconfined' } } }, "securityContext.seccompProfile.type is 'Unconfined': name it"],
  [Relaxation.UNCONFINED_SECCOMP, 'pod', { securityContext: { seccompProfile: { type: 'Unconfined' } } }, "securityContext.seccompProfile.type is 'Unconfined': name it"],
  [Relaxation.UNCONFINED_APPARMOR, 'container', { securityContext: { appArmorProfile: { type: 'Unconfined' } } }, "securityContext.appArmorProfile.type is 'Unconfined': name it"],
  [Relaxation.UNCONFINED_APPARMOR, 'pod', { securityContext: { appArmorProfile: { type: 'Unconfined' } } }, "securityContext.appArmorProfile.type is 'Unconfined': name it"],
  [Relaxation.CUSTOM_SELINUX, 'container', { securityContext: { seLinuxOptions: { type: 'spc_t' } } }, 'securityContext.seLinuxOptions is {"type":"spc_t"}: name it'],
  [Relaxation.CUSTOM_SELINUX, 'pod', { securityContext: { seLinuxOptions: { user: 'system_u' } } }, 'securityContext.seLinuxOptions is {"user":"system_u"}: name it'],
  [Relaxation.UNMASKED_PROC, 'container', { securityContext: { procMount: 'Unmasked' } }, "securityContext.procMount is 'Unmasked': name it"],
  [Relaxation.WINDOWS_HOST_PROCESS, 'container', { securityContext: { windowsOptions: { hostProcess: true } } }, 'securityContext.windowsOptions.hostProcess is true: name it'],
  [Relaxation.HOST_PORTS, 'container', { ports: [{ port: 80, hostPort: 8080 }] }, 'hostPort is 8080: reach the sandbox through a Service or the router, or name it'],
  [Relaxation.PROBED_HOSTS, 'container', { lifecycle: { preStop: { httpGet: { host: 'example.com', port: IntOrString.fromNumber(80) } } } },
    "lifecycle.preStop.httpGet.host is 'example.com': the node would connect to it from outside of the sandbox: leave it out, or name it"],
  [Relaxation.HOST_NETWORK, 'pod', { hostNetwork: true, network: SandboxNetwork.unmanaged() }, 'hostNetwork is true: name it'],
  [Relaxation.HOST_PID, 'pod', { hostPid: true }, 'hostPid is true: name it'],
  [Relaxation.HOST_IPC, 'pod', { hostIpc: true }, 'hostIpc is true: name it'],
  [Relaxation.HOST_PATH_VOLUMES, 'pod', { volumes: [SandboxVolume.of({ name: 'docker', hostPath: { path: '/run' } })] },
    "volumes is 'docker': a hostPath volume shows the node to the sandbox: use another volume, or name it"],
  [Relaxation.OTHER_VOLUMES, 'pod', { volumes: [SandboxVolume.of({ name: 'share', nfs: { server: 'nfs.example', path: '/' } })] },
    "volumes is 'share': use a PersistentVolumeClaim instead of nfs, or name it"],
  [Relaxation.UNCONFINED_APPARMOR, 'pod', { podAnnotations: { 'container.apparmor.security.beta.kubernetes.io/sandbox': 'unconfined' } },
    "podAnnotations['container.apparmor.security.beta.kubernetes.io/sandbox'] is 'unconfined': it switches AppArmor off: leave it out, or name it"],
  [Relaxation.RUNTIME_ANNOTATIONS, 'pod', { podAnnotations: { 'k8s.v1.cni.cncf.io/networks': 'storage' } },
    "podAnnotations['k8s.v1.cni.cncf.io/networks'] is 'storage': it is an instruction to the network plugin, which adds networks, past what the isolation promises: leave it out, or name it"],
  [Relaxation.UNSAFE_SYSCTLS, 'pod', { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } }, "securityContext.sysctls is 'kernel.msgmax': name it"],
];

const withBreak = (where: string, props: object, relaxations: Relaxation[]): Partial<SandboxProps> =>
  where === 'pod' ? { ...props, relaxations } : { ...beside(props), containers: [{ ...CONTAINER, ...props, relaxations }] };

/** What the API server wants of the Pod beside a container with these props, with or without a relaxation. */
const beside = (props: { securityContext?: { procMount?: string } }): Partial<SandboxProps> => props.securityContext?.procMount ? { hostUsers: false } : {};

test.each(BREAKS)('%s permits in a %s what is refused without it: %#', (relaxation, where, props, message) => {
  const lines = messageOf(() => sandbox(withBreak(where, props, [])));
  const prefix = where === 'pod' ? 'test/box: ' : 'test/box: containers[0].';
  expect(lines).toContain(`${prefix}${message}: relaxations: [Relaxation.${relaxation}]`);
  expect(() => sandbox(withBreak(where, props, [relaxation]))).not.toThrow();
  // A relaxation of the Pod is one of all containers.
  expect(() => sandbox({ ...withBreak(where, props, []), relaxations: [relaxation] })).not.toThrow();
});

test('every relaxation is needed for something', () => {
  expect([...new Set(BREAKS.map(([relaxation]) => relaxation))].sort()).toEqual(Object.values(Relaxation).sort());
});

test('a relaxation of one container is none of another', () => {
  const broken: SandboxContainer = { ...CONTAINER, name: 'broken', securityContext: { privileged: true } };
  expect(messageOf(() => sandbox({ containers: [{ ...CONTAINER, relaxations: [Relaxation.PRIVILEGED] }, broken] })))
    .toBe('test/box: containers[1].securityContext.privileged is true: name it: relaxations: [Relaxation.PRIVILEGED]');
});

test.each<[string, l1.SecurityContext]>([
  ['binds low ports', { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }],
  ['has a seccomp profile of the node', { seccompProfile: { type: 'Localhost', localhostProfile: 'profiles/audit.json' } }],
  ['has an AppArmor profile of the node', { appArmorProfile: { type: 'RuntimeDefault' } }],
  ['has an SELinux type for containers', { seLinuxOptions: { type: 'container_t', level: 's0:c1,c2' } }],
  ['has the default view of /proc', { procMount: 'Default' }],
  ['runs as a user of its own', { runAsUser: 1001, runAsGroup: 1001 }],
])('a container that %s needs no relaxation', (_, securityContext) => {
  expect(container({ securityContext }).securityContext).toEqual({ ...RESTRICTED, ...securityContext });
});

test('the user of a container, or of all, has a prop of its own', () => {
  expect(container({ runAsUser: 1001 }).securityContext).toEqual({ ...RESTRICTED, runAsUser: 1001 });
  expect(podSpec(sandbox({ runAsUser: 1001 })).securityContext).toEqual({ ...RESTRICTED_POD, runAsUser: 1001 });
  expect(container({ runAsUser: 0, relaxations: [Relaxation.RUN_AS_ROOT] }).securityContext).toEqual({ ...RESTRICTED, runAsNonRoot: false, runAsUser: 0 });
});

test('safe sysctls need no relaxation', () => {
  const sysctls = [{ name: 'net.ipv4.ping_group_range', value: '0 2147483647' }];
  expect(podSpec(sandbox({ securityContext: { sysctls } })).securityContext).toEqual({ ...RESTRICTED_POD, sysctls });
});

test('what containers inherit is one problem, that of the Pod', () => {
  expect(messageOf(() => sandbox({ containers: [CONTAINER, { ...CONTAINER, name: 'other' }], securityContext: { runAsNonRoot: false } })))
    .toBe('test/box: securityContext.runAsNonRoot is false: name it: relaxations: [Relaxation.RUN_AS_ROOT]');
});

test('a root user that could never start is refused even where root is allowed', () => {
  expect(messageOf(() => container({ relaxations: [Relaxation.RUN_AS_ROOT], securityContext: { runAsNonRoot: true, runAsUser: 0 } })))
    .toBe('test/box: containers[0].securityContext.runAsUser is 0: the container could never start: runAsNonRoot is true');
});

test('an undefined setting does not take a default away unseen', () => {
  expect(messageOf(() => container({ securityContext: { allowPrivilegeEscalation: undefined } })))
    .toBe('test/box: containers[0].securityContext.allowPrivilegeEscalation: name it: relaxations: [Relaxation.PRIVILEGE_ESCALATION]');
});

describe('Pods on Windows', () => {
  const windows = { os: { name: 'windows' } };

  test('have the part of the standard that Windows knows', () => {
    const spec: PodSpec = podSpec(sandbox(windows));
    expect(spec.securityContext).toEqual({ runAsNonRoot: true });
    expect(spec.containers[0].securityContext).toEqual({});
  });

  test.each<[string, Partial<SandboxProps>, string]>([
    ['a host process', { securityContext: { windowsOptions: { hostProcess: true } } }, 'windowsOptions.hostProcess is true: name it: relaxations: [Relaxation.WINDOWS_HOST_PROCESS]'],
    ['root', { securityContext: { runAsNonRoot: false } }, 'runAsNonRoot is false: name it: relaxations: [Relaxation.RUN_AS_ROOT]'],
  ])('may not be %s for the whole Pod', (_, props, message) => {
    expect(messageOf(() => sandbox({ ...windows, ...props }))).toBe(`test/box: containers[0].securityContext.${message}`);
  });
});

test('containers for debugging follow the standard as well', () => {
  expect(messageOf(() => sandbox({ ephemeralContainers: [{ name: 'debug', securityContext: RESTRICTED }, { name: 'loose' }] })).split('\n')).toEqual([
    '2 problems:',
    "  test/box: container 'loose'.securityContext.allowPrivilegeEscalation: name it: relaxations: [Relaxation.PRIVILEGE_ESCALATION]",
    "  test/box: container 'loose'.securityContext.capabilities.drop: name it: relaxations: [Relaxation.DEFAULT_CAPABILITIES]",
  ]);
});
