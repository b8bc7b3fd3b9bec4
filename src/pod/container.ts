import * as l1 from '../../imports';
import { absolutePath, cpu, dnsLabel, envName, folder, memory, oneOf, portName, portNumber, type Problems, Quantity, storage } from '../checks';
import { nameHash } from '../generated/vocabulary.gen';
import { type IEnvValue, Protocol } from '../objects';
import type { SandboxContainer, SandboxMount, SandboxPort } from './container-props';
import { containerSecurityContext, withUser } from './pod-security';
import { withSeccomp } from './seccomp';
import { SandboxVolume } from './volume';

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
  if (!windows) {
    problems.check('workingDir', props.workingDir, folder);
    problems.check('terminationMessagePath', props.terminationMessagePath, folder);
  }
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
  const plain = (path: string) => path.replace(/(?<=.)\/+$/, '');
  const paths = [...(props.mounts ?? []).map(mount => mount.path), ...(props.writablePaths ?? [])].map(plain);
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
  ['cpu', 'cpu', 'cpuLimit', cpu],
  ['memory', 'memory', 'memoryLimit', memory],
  ['ephemeral-storage', 'ephemeralStorage', 'ephemeralStorageLimit', storage],
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
