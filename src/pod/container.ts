import * as l1 from '../../imports';
import { absolutePath, bytes, dnsLabel, envName, memory, oneOf, portName, portNumber, type Problems, Quantity, quantity } from '../checks';
import { nameHash } from '../generated/vocabulary.gen';
import { type IEnvFrom, type IEnvValue, type ImagePullPolicy, type MountPropagation, Protocol } from '../objects';
import type { Gpu } from './gpu';
import type { LifecycleHook } from './lifecycle-hook';
import { containerSecurityContext, withUser } from './pod-security';
import type { Probe } from './probe';
import type { Relaxation } from './relaxation';
import { type SeccompProfile, withSeccomp } from './seccomp';
import { SandboxVolume } from './volume';

/** A value of a variable as it is, or from elsewhere. With a name, because jsii-rosetta translates no union without one. */
type EnvironmentValue = string | IEnvValue;

/** A port that a container listens on. */
export interface SandboxPort {
  /** Port number, 1 to 65535. */
  readonly port: number;

  /**
   * Name, 1 to 15 lower-case letters, digits and `-`.
   *
   * @default - none
   */
  readonly name?: string;

  /**
   * Protocol.
   *
   * @default Protocol.TCP
   */
  readonly protocol?: Protocol;

  /**
   * Port of the node to bind; needs `Relaxation.HOST_PORTS`.
   *
   * @default - none
   */
  readonly hostPort?: number;

  /**
   * Address of the node to bind.
   *
   * @default - all
   */
  readonly hostIp?: string;
}

/** A volume in the file system of a container. */
export interface SandboxMount {
  /** Absolute path in the container. */
  readonly path: string;

  /** The volume; it is added to the Pod. */
  readonly volume: SandboxVolume;

  /**
   * Whether the container cannot write.
   *
   * @default false
   */
  readonly readOnly?: boolean;

  /**
   * Path inside the volume to mount.
   *
   * @default - the whole volume
   */
  readonly subPath?: string;

  /**
   * Like `subPath`, with `$(VAR)` of the container's environment.
   *
   * @default - none
   */
  readonly subPathExpr?: string;

  /**
   * How mounts made later pass between node and container.
   *
   * @default MountPropagation.NONE
   */
  readonly propagation?: MountPropagation;

  /**
   * `Enabled`, `IfPossible` or `Disabled`: whether mounts below a read-only mount are read-only too.
   *
   * @default - Disabled (Kubernetes)
   */
  readonly recursiveReadOnly?: string;
}

/** A container of a sandbox. It follows the *restricted* Pod Security Standard. */
export interface SandboxContainer {
  /** Image, best with its digest: `registry.example/python@sha256:…`. */
  readonly image: string;

  /**
   * Name, unique in the Pod; only the first container can do without.
   *
   * @default - `sandbox` for the first container
   */
  readonly name?: string;

  /**
   * When to pull the image.
   *
   * @default - as Kubernetes: always for `:latest`, else if not present
   */
  readonly imagePullPolicy?: ImagePullPolicy;

  /**
   * Command, instead of the image's entry point.
   *
   * @default - the image's
   */
  readonly command?: string[];

  /**
   * Arguments of the command, instead of the image's.
   *
   * @default - the image's
   */
  readonly args?: string[];

  /**
   * Working directory.
   *
   * @default - the image's
   */
  readonly workingDir?: string;

  /**
   * The port, for containers with one. Adds up with `ports`.
   *
   * @default - none
   */
  readonly port?: number;

  /**
   * Ports. The router and the headless Service reach only declared ports (the router also 8888).
   *
   * @default - none
   */
  readonly ports?: SandboxPort[];

  /**
   * CPU, requested and as limit: `'250m'` is a quarter of a core.
   *
   * @default - none
   */
  readonly cpu?: string;

  /**
   * CPU limit, where it is above what is requested.
   *
   * @default - same as `cpu`
   */
  readonly cpuLimit?: string;

  /**
   * Memory, requested and as limit: `'512Mi'`.
   *
   * @default - none
   */
  readonly memory?: string;

  /**
   * Memory limit, where it is above what is requested.
   *
   * @default - same as `memory`
   */
  readonly memoryLimit?: string;

  /**
   * Local disk for logs, the writable layer and `emptyDir` volumes, requested and as limit: `'2Gi'`.
   *
   * @default - none
   */
  readonly ephemeralStorage?: string;

  /**
   * Local disk limit, where it is above what is requested.
   *
   * @default - same as `ephemeralStorage`
   */
  readonly ephemeralStorageLimit?: string;

  /**
   * GPUs: whole devices that the container has for itself.
   *
   * @default - none
   */
  readonly gpu?: Gpu;

  /**
   * Further resources: extended resources, claims, or requests without limits.
   *
   * @default - none
   */
  readonly resources?: l1.ResourceRequirements;

  /**
   * Environment variables by name, as strings, from `EnvSource`, or as `EnvValue` of cdk8s-plus; emitted sorted by name.
   *
   * @default - none
   */
  readonly env?: { [name: string]: EnvironmentValue };

  /**
   * ConfigMaps and Secrets whose keys become environment variables.
   *
   * @default - none
   */
  readonly envFrom?: IEnvFrom[];

  /**
   * Volumes in the container's file system.
   *
   * @default - none
   */
  readonly mounts?: SandboxMount[];

  /**
   * Raw block volumes.
   *
   * @default - none
   */
  readonly volumeDevices?: l1.VolumeDevice[];

  /**
   * Makes the root file system read-only.
   *
   * @default false
   */
  readonly readOnlyRoot?: boolean;

  /**
   * Folders that stay writable, each as an `emptyDir` that lives as long as the Pod: `['/tmp']`.
   *
   * @default - none
   */
  readonly writablePaths?: string[];

  /**
   * Whether requests may be sent to the container. A Sandbox is ready when its containers are.
   *
   * @default - none
   */
  readonly readiness?: Probe;

  /**
   * Whether the container has to be restarted.
   *
   * @default - none
   */
  readonly liveness?: Probe;

  /**
   * Whether the container has started; the other probes wait for it.
   *
   * @default - none
   */
  readonly startup?: Probe;

  /**
   * What happens right after the start of the container, beside its command. The container counts as running when it is done.
   *
   * @default - nothing
   */
  readonly postStart?: LifecycleHook;

  /**
   * What happens before the container is stopped. It counts against the Pod's `terminationGracePeriod`.
   *
   * @default - nothing
   */
  readonly preStop?: LifecycleHook;

  /**
   * Actions after start and before stop as in a manifest, and the signal that stops the container. For the actions, `postStart` and
   * `preStop` are shorter.
   *
   * @default - none
   */
  readonly lifecycle?: l1.Lifecycle;

  /**
   * Departures from the *restricted* Pod Security Standard, by name.
   *
   * @default - none
   */
  readonly relaxations?: Relaxation[];

  /**
   * User id to run as, instead of the Pod's.
   *
   * @default - that of the Pod
   */
  readonly runAsUser?: number;

  /**
   * Filter of system calls of this container, instead of the Pod's.
   *
   * @default - that of the Pod
   */
  readonly seccompProfile?: SeccompProfile;

  /**
   * Security settings over the *restricted* defaults. What weakens them needs a relaxation.
   *
   * @default - no privilege escalation, all capabilities dropped
   */
  readonly securityContext?: l1.SecurityContext;

  /**
   * Restart policy of this container (Kubernetes 1.34+): `Always`, `OnFailure`, `Never`.
   *
   * @default - that of the Pod
   */
  readonly restartPolicy?: string;

  /**
   * Exceptions from the restart policy by exit code (Kubernetes 1.34+).
   *
   * @default - none
   */
  readonly restartPolicyRules?: l1.ContainerRestartRule[];

  /**
   * What resizing a resource in place does to the container.
   *
   * @default - no restart (Kubernetes)
   */
  readonly resizePolicy?: l1.ContainerResizePolicy[];

  /**
   * Keeps standard input open.
   *
   * @default false
   */
  readonly stdin?: boolean;

  /**
   * Closes standard input after the first client.
   *
   * @default false
   */
  readonly stdinOnce?: boolean;

  /**
   * Allocates a terminal.
   *
   * @default false
   */
  readonly tty?: boolean;

  /**
   * File for the last words of the container.
   *
   * @default - /dev/termination-log (Kubernetes)
   */
  readonly terminationMessagePath?: string;

  /**
   * `File` or `FallbackToLogsOnError`.
   *
   * @default - File (Kubernetes)
   */
  readonly terminationMessagePolicy?: string;
}

/**
 * A container as Kubernetes sees it, with the volumes that it brings along.
 *
 * @internal
 */
export interface RenderedContainer {
  readonly container: l1.Container;
  readonly volumes: readonly SandboxVolume[];
}

/**
 * Checks and renders a container.
 *
 * @internal
 */
export function renderContainer(
  problems: Problems, name: string, props: SandboxContainer, windows: boolean, volumeNames: Set<string> = new Set(),
): RenderedContainer {
  problems.check('name', name, dnsLabel);
  if (!/^\S+$/.test(props.image ?? '')) {
    problems.add('image', props.image, 'name an image without white space');
  }
  const ports = renderPorts(problems, props);
  const writable = (props.writablePaths ?? []).map(path => ({ path, volume: SandboxVolume.emptyDir(writableName(name, path, volumeNames)) }));
  const mounts: readonly SandboxMount[] = [...(props.mounts ?? []), ...writable];
  checkMounts(problems, props);
  problems.check('restartPolicy', props.restartPolicy, oneOf('Always', 'OnFailure', 'Never'));
  problems.check('terminationMessagePolicy', props.terminationMessagePolicy, oneOf('File', 'FallbackToLogsOnError'));
  const probe = (prop: 'readiness' | 'liveness' | 'startup') => props[prop]?._render(problems.at(prop), prop, ports[0]?.containerPort);
  const securityContext = containerSecurityContext(withSeccomp(problems, props, withUser(problems, props)), props.relaxations ?? [], windows);
  return {
    volumes: mounts.map(mount => mount.volume),
    container: {
      name,
      image: props.image,
      imagePullPolicy: props.imagePullPolicy,
      command: props.command,
      args: props.args,
      workingDir: props.workingDir,
      ports: orNothing(ports),
      env: orNothing(renderEnv(problems.at('env'), props.env ?? {})),
      envFrom: props.envFrom?.map(source => source._toKube()),
      resources: renderResources(problems, props),
      volumeMounts: orNothing(mounts.map(mount => ({
        name: mount.volume.name,
        mountPath: mount.path,
        readOnly: mount.readOnly,
        subPath: mount.subPath,
        subPathExpr: mount.subPathExpr,
        mountPropagation: mount.propagation,
        recursiveReadOnly: mount.recursiveReadOnly,
      }))),
      volumeDevices: props.volumeDevices,
      readinessProbe: probe('readiness'),
      livenessProbe: probe('liveness'),
      startupProbe: probe('startup'),
      lifecycle: renderLifecycle(problems, props, ports[0]?.containerPort),
      securityContext: props.readOnlyRoot === undefined ? securityContext : { ...securityContext, readOnlyRootFilesystem: props.readOnlyRoot },
      restartPolicy: props.restartPolicy,
      restartPolicyRules: props.restartPolicyRules,
      resizePolicy: props.resizePolicy,
      stdin: props.stdin,
      stdinOnce: props.stdinOnce,
      tty: props.tty,
      terminationMessagePath: props.terminationMessagePath,
      terminationMessagePolicy: props.terminationMessagePolicy,
    },
  };
}

function renderLifecycle(problems: Problems, props: SandboxContainer, firstPort: number | undefined): l1.Lifecycle | undefined {
  const hooks: { postStart?: l1.LifecycleHandler; preStop?: l1.LifecycleHandler } = {};
  for (const prop of ['postStart', 'preStop'] as const) {
    const hook = props[prop];
    if (hook) {
      if (props.lifecycle?.[prop]) {
        problems.add(`lifecycle.${prop}`, props.lifecycle[prop], `${prop} sets it too: set it in one place`);
      }
      hooks[prop] = hook._render(problems.at(prop), firstPort);
    }
  }
  return hooks.postStart || hooks.preStop ? { ...props.lifecycle, ...hooks } : props.lifecycle;
}

function renderPorts(problems: Problems, props: SandboxContainer): l1.ContainerPort[] {
  const ports: SandboxPort[] = [...(props.port === undefined ? [] : [{ port: props.port }]), ...(props.ports ?? [])];
  const at = (index: number) => (props.port === undefined ? `ports[${index}]` : index === 0 ? 'port' : `ports[${index - 1}]`);
  ports.forEach((port, index) => {
    problems.check(at(index) === 'port' ? 'port' : `${at(index)}.port`, port.port, portNumber);
    problems.check(`${at(index)}.name`, port.name, portName);
    problems.check(`${at(index)}.hostPort`, port.hostPort, portNumber);
  });
  problems.unique(at, ports.map(port => `${port.port}/${port.protocol ?? 'TCP'}`), 'declare each port once');
  // Written out, because the API server sets it inside the list, which client-side diffs would always show.
  return ports.map(({ port, name, protocol = Protocol.TCP, hostPort, hostIp }) => ({ containerPort: port, name, protocol, hostPort, hostIp }));
}

function checkMounts(problems: Problems, props: SandboxContainer): void {
  (props.mounts ?? []).forEach((mount, index) => {
    problems.check(`mounts[${index}].path`, mount.path, absolutePath);
    if (/^\/+$/.test(mount.path)) {
      problems.add(`mounts[${index}].path`, mount.path, 'the volume would hide the whole file system of the image: mount it at a folder of its own');
    }
    problems.check(`mounts[${index}].recursiveReadOnly`, mount.recursiveReadOnly, oneOf('Enabled', 'IfPossible', 'Disabled'));
    if (mount.subPath !== undefined && mount.subPathExpr !== undefined) {
      problems.add(`mounts[${index}].subPathExpr`, mount.subPathExpr, 'use either subPath or subPathExpr');
    }
    for (const key of ['subPath', 'subPathExpr'] as const) {
      const path = mount[key];
      if (path !== undefined && (path.startsWith('/') || path.split('/').includes('..'))) {
        problems.add(`mounts[${index}].${key}`, path, "use a relative path without '..'");
      }
    }
  });
  (props.writablePaths ?? []).forEach((path, index) => problems.check(`writablePaths[${index}]`, path, absolutePath));
  // `/a` and `/a/` are one folder.
  const folder = (path: string) => path.replace(/(?<=.)\/+$/, '');
  const paths = [...(props.mounts ?? []).map(mount => mount.path), ...(props.writablePaths ?? [])].map(folder);
  const count = props.mounts?.length ?? 0;
  problems.unique(index => (index < count ? `mounts[${index}].path` : `writablePaths[${index - count}]`), paths, 'mount one volume at a path');
}

/**
 * A name for the volume of a writable folder: what the path says, cut to the length that Kubernetes takes, with a hash
 * where another folder of the Pod has it already (`/a/b` and `/a-b`): two folders must never share a volume.
 */
function writableName(container: string, path: string, taken: Set<string>): string {
  const slug = path.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '');
  const plain = `${container}-${slug || 'root'}`;
  const cut = plain.slice(0, 63).replace(/-+$/, '');
  const name = taken.has(cut) ? `${plain.slice(0, 54).replace(/-+$/, '')}-${nameHash(`${container}:${path}`)}` : cut;
  taken.add(name);
  return name;
}

const RESOURCES = [
  ['cpu', 'cpu', 'cpuLimit', quantity],
  ['memory', 'memory', 'memoryLimit', memory],
  ['ephemeral-storage', 'ephemeralStorage', 'ephemeralStorageLimit', bytes],
] as const;

function renderResources(problems: Problems, props: SandboxContainer): l1.ResourceRequirements | undefined {
  const requests: Record<string, l1.Quantity> = { ...props.resources?.requests };
  const limits: Record<string, l1.Quantity> = { ...props.resources?.limits };
  for (const [resource, requestProp, limitProp, rule] of RESOURCES) {
    const request = props[requestProp];
    const limit = props[limitProp] ?? request;
    problems.check(requestProp, request, rule);
    problems.check(limitProp, props[limitProp], rule);
    const limitedBy = props[limitProp] === undefined ? requestProp : limitProp;
    for (const [map, value, prop] of [[requests, request, requestProp], [limits, limit, limitedBy]] as const) {
      if (value !== undefined) {
        if (resource in map) {
          problems.add(prop, value, `resources sets ${resource} too: set it in one place`);
        }
        map[resource] = l1.Quantity.fromString(value);
      }
    }
  }
  if (props.gpu) {
    for (const map of [requests, limits]) {
      if (props.gpu.resource in map) {
        problems.add('gpu', `${props.gpu.count} ${props.gpu.resource}`, `resources sets ${props.gpu.resource} too: set it in one place`);
      }
      map[props.gpu.resource] = l1.Quantity.fromString(String(props.gpu.count));
    }
  }
  for (const [resource, request] of Object.entries(requests)) {
    const prop = RESOURCES.find(([name, own]) => name === resource && props[own] !== undefined)?.[1];
    checkRequest(problems, prop ?? `resources.requests['${resource}']`, request, limits[resource]);
  }
  const some = (map: Record<string, l1.Quantity>) => (Object.keys(map).length > 0 ? map : undefined);
  const rendered = { requests: some(requests), limits: some(limits), claims: props.resources?.claims };
  return Object.values(rendered).some(value => value !== undefined) ? rendered : undefined;
}

function checkRequest(problems: Problems, prop: string, request: l1.Quantity, limit: l1.Quantity | undefined): void {
  const requested = Quantity.tryParse(String(request.value));
  const limited = limit && Quantity.tryParse(String(limit.value));
  if (requested && limited && requested.exceeds(limited)) {
    problems.add(prop, request.value, `request at most the limit, ${limit.value}`);
  }
}

/**
 * Environment variables sorted by name. `$(VAR)` sees only variables that come before it, so a reference to a later
 * one would reach the program as it is written.
 *
 * @internal
 */
export function renderEnv(problems: Problems, env: { readonly [name: string]: string | IEnvValue }): l1.EnvVar[] {
  const names = Object.keys(env).sort();
  return names.map((name, index) => {
    problems.check(' key', name, envName);
    const variable = env[name];
    const { value, valueFrom } = typeof variable === 'string' ? { value: variable, valueFrom: undefined } : variable;
    for (const match of typeof value === 'string' ? value.replace(/\$\$/g, '').matchAll(/\$\(([^()$]+)\)/g) : []) {
      if (names.indexOf(match[1]) >= index) {
        problems.add(`['${name}']`, value, `$(${match[1]}) does not come before it, as variables are sorted by name: rename one of them, or write $$(${match[1]}) for the text itself`);
      }
    }
    return { name, value, valueFrom };
  });
}

function orNothing<T>(list: T[]): T[] | undefined {
  return list.length > 0 ? list : undefined;
}
