import { dnsLabel, envName, integer, oneOf, portName, portNumber, qualifiedName, Quantity } from '../checks';
import { entries, type Field, objects, present } from './field';
import { descendingPath, validateContainerSecurity } from './server-security';
import { amount, dataKey, validateFieldRef, validateResourceRef } from './server-volumes';

const FIELDS_OF_VARIABLES = [
  'metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.serviceAccountName', 'status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs',
];
const STANDARD_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];
const NOT_NEGATIVE = integer(0);

const isHugePages = (name: string) => name.startsWith('hugepages-');
/** Whether a name is of Kubernetes itself, and not of a device plugin. */
const isNative = (name: string) => !name.includes('/') || name.includes('kubernetes.io/');

/**
 * The containers of a Pod, of all kinds that can be there when it is created.
 *
 * @internal
 */
export function validateContainers(field: Field, spec: any): void {
  const regular = objects(spec.containers);
  const init = objects(spec.initContainers);
  if (regular.length === 0) {
    field.at('containers').refuse(spec.containers, 'a Pod needs at least one container');
  }
  const names = new Set<unknown>();
  for (const [list, containers] of [['containers', regular], ['initContainers', init]] as const) {
    containers.forEach((container, index) => {
      const at = field.at(list).at(index);
      if (names.has(container.name)) {
        at.at('name').refuse(container.name, 'name each container of a Pod differently');
      }
      names.add(container.name);
      validateContainer(at, container, spec, list === 'initContainers');
    });
  }
  validateHostPorts(field.at('containers'), regular, spec.hostNetwork === true);
  init.forEach((container, index) => validateHostPorts(field.at('initContainers').at(index), [container], spec.hostNetwork === true));
}

function validateContainer(field: Field, container: any, spec: any, isInit: boolean): void {
  if (field.at('name').needs(container.name, 'a name of 1 to 63 lower-case letters, digits and -')) {
    field.at('name').check(String(container.name), dnsLabel);
  }
  if (field.at('image').needs(container.image, 'the image to run')) {
    field.at('image').check(String(container.image), text => (text.trim() === text ? undefined : 'leave the spaces around it out'));
  }
  field.at('imagePullPolicy').check(container.imagePullPolicy || undefined, oneOf('Always', 'IfNotPresent', 'Never'));
  field.at('terminationMessagePolicy').check(container.terminationMessagePolicy || undefined, oneOf('File', 'FallbackToLogsOnError'));
  validatePorts(field.at('ports'), container.ports);
  validateEnv(field, container);
  validateResources(field.at('resources'), container.resources ?? {}, spec);
  validateMounts(field, container, objects(spec.volumes));
  validateContainerSecurity(field.at('securityContext'), container.securityContext, spec);
  validateResizePolicy(field.at('resizePolicy'), container.resizePolicy, spec);
  const isSidecar = container.restartPolicy === 'Always';
  // Since Kubernetes 1.34 not for sidecars alone.
  field.at('restartPolicy').check(container.restartPolicy, oneOf('Always', 'OnFailure', 'Never'));
  const running = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'];
  if (isInit && !isSidecar) {
    present(container, ...running).forEach(name => field.at(name).refuse(undefined, "an init container runs to completion and has none: leave it out, or make it a sidecar (restartPolicy: 'Always')"));
    return;
  }
  const grace = spec.terminationGracePeriodSeconds ?? 30;
  running.slice(0, 3).filter(name => container[name]).forEach(name => validateProbe(field.at(name), container[name], name, grace));
  for (const moment of ['postStart', 'preStop']) {
    if (container.lifecycle?.[moment]) {
      validateHandler(field.at('lifecycle').at(moment), container.lifecycle[moment], ['exec', 'httpGet', 'tcpSocket', 'sleep'], grace);
    }
  }
}

function validatePorts(field: Field, ports: unknown): void {
  const all = objects(ports);
  all.forEach(({ name, containerPort, hostPort, protocol }, index) => {
    const at = field.at(index);
    at.at('name').check(name || undefined, portName);
    at.at('containerPort').check(Number(containerPort ?? 0), portNumber);
    at.at('hostPort').check(hostPort || undefined, portNumber);
    at.at('protocol').check(protocol || undefined, oneOf('TCP', 'UDP', 'SCTP'));
  });
  field.unique(all.map(({ name }) => name || undefined), 'name', 'name each port of a container differently');
}

/** Ports of the node, of which there is one each. */
function validateHostPorts(field: Field, containers: readonly any[], hostNetwork: boolean): void {
  const taken = new Set<string>();
  containers.forEach((container, index) => objects(container.ports).forEach(({ containerPort, hostPort, hostIP, protocol }, position) => {
    const at = (containers.length > 1 ? field.at(index) : field).at('ports').at(position).at('hostPort');
    const port = hostPort || (hostNetwork ? containerPort : undefined);
    if (hostNetwork && hostPort && hostPort !== containerPort) {
      at.refuse(hostPort, 'with hostNetwork it is containerPort: leave it out');
    }
    const key = `${protocol || 'TCP'}/${hostIP ?? ''}/${port}`;
    if (port && taken.has(key)) {
      at.refuse(port, 'another port of the Pod has it: use another');
    }
    taken.add(key);
  }));
}

function validateEnv(field: Field, { env, envFrom }: any): void {
  objects(env).forEach(({ name, value, valueFrom }, index) => {
    const at = field.at('env').at(index);
    if (at.at('name').needs(name, 'the name of the variable')) {
      at.at('name').check(String(name), envName);
    }
    if (!valueFrom) {
      return;
    }
    const sources = present(valueFrom, 'fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef');
    if (sources.length !== 1) {
      at.at('valueFrom').refuse(sources, 'name exactly one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef');
    }
    if (value) {
      at.at('valueFrom').refuse(undefined, 'the variable has a value already: leave one of the two out');
    }
    if (valueFrom.fieldRef) {
      validateFieldRef(at.at('valueFrom').at('fieldRef'), valueFrom.fieldRef, FIELDS_OF_VARIABLES);
    }
    if (valueFrom.resourceFieldRef) {
      validateResourceRef(at.at('valueFrom').at('resourceFieldRef'), valueFrom.resourceFieldRef, false);
    }
    for (const ref of ['configMapKeyRef', 'secretKeyRef'].filter(each => valueFrom[each])) {
      at.at('valueFrom').at(ref).at('name').needs(valueFrom[ref].name, 'the name of the object');
      if (at.at('valueFrom').at(ref).at('key').needs(valueFrom[ref].key, 'a key of the object')) {
        at.at('valueFrom').at(ref).at('key').check(String(valueFrom[ref].key), dataKey);
      }
    }
  });
  objects(envFrom).forEach((source, index) => {
    const at = field.at('envFrom').at(index);
    const refs = present(source, 'configMapRef', 'secretRef');
    if (refs.length !== 1) {
      at.refuse(refs, 'name either configMapRef or secretRef');
    }
    refs.forEach(ref => at.at(ref).at('name').needs(source[ref].name, 'the name of the object'));
    at.at('prefix').check(source.prefix || undefined, envName);
  });
}

/** Amounts of a container. */
function validateResources(field: Field, resources: any, spec: any): void {
  const limits = new Map(entries(resources.limits));
  const requests = new Map(entries(resources.requests));
  for (const [map, amounts] of [['limits', limits], ['requests', requests]] as const) {
    for (const [name, value] of amounts) {
      const at = field.at(map).at(name);
      at.check(name, resourceName);
      at.check(value, amount);
      if (!isNative(name) && Quantity.tryParse(String(value))?.isWhole === false) {
        at.refuse(value, 'devices come whole: use a whole number');
      }
    }
  }
  for (const [name, value] of requests) {
    const at = field.at('requests').at(name);
    const [asked, most] = [value, limits.get(name)].map(each => (each === undefined ? undefined : Quantity.tryParse(String(each))));
    const isFixed = !isNative(name) || isHugePages(name);
    if (isFixed && !limits.has(name)) {
      at.refuse(value, `it cannot be shared: set limits['${name}'] to the same amount`);
    } else if (asked && most && (asked.exceeds(most) || (isFixed && most.exceeds(asked)))) {
      at.refuse(value, isFixed ? `it cannot be shared: request the limit, ${limits.get(name)}` : `request at most the limit, ${limits.get(name)}`);
    }
  }
  const all = [...limits.keys(), ...requests.keys()];
  if (all.some(isHugePages) && !all.some(name => name === 'cpu' || name === 'memory')) {
    field.refuse(undefined, 'huge pages need an amount of cpu or memory beside them: add one');
  }
  const known = new Set(objects(spec.resourceClaims).map(({ name }) => name));
  const claims = objects(resources.claims);
  claims.forEach(({ name, request }, index) => {
    const at = field.at('claims').at(index);
    if (at.at('name').needs(name, 'a name of resourceClaims of the Pod') && !known.has(name)) {
      at.at('name').refuse(name, `the Pod has no such claim in resourceClaims: add it${known.size > 0 ? `, or use ${[...known].join(', ')}` : ''}`);
    }
    at.at('request').check(request || undefined, dnsLabel);
    if (claims.some((other, position) => position < index && other.name === name && (!other.request || !request || other.request === request))) {
      at.refuse(name, 'it is in the list already: remove one');
    }
  });
}

function resourceName(name: string): string | undefined {
  const remedy = qualifiedName(name);
  if (remedy !== undefined) {
    return remedy;
  }
  if (!name.includes('/')) {
    return STANDARD_RESOURCES.includes(name) || isHugePages(name) ? undefined
      : `use ${STANDARD_RESOURCES.join(', ')}, or the name that a device plugin gives it, such as 'nvidia.com/gpu'`;
  }
  return isNative(name) || (!name.startsWith('requests.') && qualifiedName(`requests.${name}`) === undefined) ? undefined
    : "names of devices do not begin with 'requests.', and leave room for it";
}

function validateMounts(field: Field, { volumeMounts, volumeDevices, securityContext }: any, volumes: readonly any[]): void {
  const mounts = objects(volumeMounts);
  const devices = objects(volumeDevices);
  const missing = 'the Pod has no volume of this name: add it to volumes';
  mounts.forEach(({ name, mountPath, subPath, subPathExpr, mountPropagation, readOnly, recursiveReadOnly }, index) => {
    const at = field.at('volumeMounts').at(index);
    if (!volumes.some(volume => volume.name === name)) {
      at.at('name').refuse(name, missing);
    }
    at.at('mountPath').needs(mountPath, 'the path in the container');
    at.at('subPath').check(subPath || undefined, descendingPath);
    at.at('subPathExpr').check(subPathExpr || undefined, descendingPath);
    if (subPath && subPathExpr) {
      at.at('subPathExpr').refuse(subPathExpr, 'use either subPath or subPathExpr');
    }
    at.at('mountPropagation').check(mountPropagation, oneOf('None', 'HostToContainer', 'Bidirectional'));
    if (mountPropagation === 'Bidirectional' && securityContext?.privileged !== true) {
      at.at('mountPropagation').refuse(mountPropagation, 'it is for privileged containers: leave it out');
    }
    at.at('recursiveReadOnly').check(recursiveReadOnly, oneOf('Disabled', 'IfPossible', 'Enabled'));
    if ((recursiveReadOnly === 'Enabled' || recursiveReadOnly === 'IfPossible') && (readOnly !== true || (mountPropagation ?? 'None') !== 'None')) {
      at.at('recursiveReadOnly').refuse(recursiveReadOnly, 'it goes with readOnly: true and without mount propagation');
    }
  });
  field.at('volumeMounts').unique(mounts.map(({ mountPath }) => mountPath), 'mountPath', 'use each path once');
  devices.forEach(({ name, devicePath }, index) => {
    const at = field.at('volumeDevices').at(index);
    const volume = volumes.find(each => each.name === name);
    if (!volume) {
      at.at('name').refuse(name, missing);
    } else if (!volume.persistentVolumeClaim && !volume.ephemeral) {
      at.at('name').refuse(name, 'only a persistentVolumeClaim or an ephemeral volume is a device: mount it');
    }
    if (at.at('devicePath').needs(devicePath, 'the path of the device in the container')) {
      at.at('devicePath').check(String(devicePath), path => (path.split('/').includes('..') ? "use a path without '..'" : undefined));
    }
    if (mounts.some(mount => mount.name === name)) {
      at.at('name').refuse(name, 'it is mounted as well: leave one of the two out');
    }
    if (mounts.some(mount => mount.mountPath === devicePath)) {
      at.at('devicePath').refuse(devicePath, 'a volume is mounted there: use another path');
    }
  });
  field.at('volumeDevices').unique(devices.map(({ name }) => name), 'name', 'use each device once');
  field.at('volumeDevices').unique(devices.map(({ devicePath }) => devicePath), 'devicePath', 'use each path once');
}

function validateResizePolicy(field: Field, policies: unknown, spec: any): void {
  const all = objects(policies);
  all.forEach(({ resourceName: name, restartPolicy }, index) => {
    field.at(index).at('resourceName').check(String(name ?? ''), oneOf('cpu', 'memory'));
    field.at(index).at('restartPolicy').check(String(restartPolicy ?? ''), oneOf('NotRequired', 'RestartContainer'));
    if (spec.restartPolicy === 'Never' && restartPolicy === 'RestartContainer') {
      field.at(index).at('restartPolicy').refuse(restartPolicy, "a Pod with restartPolicy 'Never' restarts no container: use 'NotRequired'");
    }
  });
  field.unique(all.map(({ resourceName: name }) => name), 'resourceName', 'say it once for each resource');
}

function validateProbe(field: Field, probe: any, name: string, grace: number): void {
  validateHandler(field, probe, ['exec', 'httpGet', 'tcpSocket', 'grpc'], grace);
  for (const count of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold']) {
    field.at(count).check(probe[count], NOT_NEGATIVE);
  }
  if (name !== 'readinessProbe') {
    field.at('successThreshold').check(probe.successThreshold || undefined, value => (value > 1 ? 'only a readiness probe counts successes: use 1' : undefined));
    field.at('terminationGracePeriodSeconds').check(probe.terminationGracePeriodSeconds, integer(1));
  } else if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds !== null) {
    field.at('terminationGracePeriodSeconds').refuse(probe.terminationGracePeriodSeconds, 'a readiness probe stops no container: leave it out');
  }
}

/** An action, of which there is exactly one. */
function validateHandler(field: Field, handler: any, actions: readonly string[], grace: number): void {
  const given = present(handler, ...actions);
  if (given.length !== 1) {
    field.refuse(given, `name exactly one of ${actions.join(', ')}`);
    return;
  }
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec && !(Array.isArray(exec.command) && exec.command.length > 0)) {
    field.at('exec').at('command').refuse(exec.command, 'name the program to run');
  }
  if (httpGet) {
    field.at('httpGet').at('port').check(httpGet.port ?? '', portOrName);
    field.at('httpGet').at('scheme').check(httpGet.scheme || undefined, oneOf('HTTP', 'HTTPS'));
    objects(httpGet.httpHeaders).forEach((header, index) => field.at('httpGet').at('httpHeaders').at(index).at('name').check(String(header.name ?? ''), headerName));
  }
  if (tcpSocket) {
    field.at('tcpSocket').at('port').check(tcpSocket.port ?? '', portOrName);
  }
  if (grpc) {
    field.at('grpc').at('port').check(Number(grpc.port ?? 0), portNumber);
  }
  if (sleep) {
    field.at('sleep').at('seconds').check(sleep.seconds ?? 0, value => (value >= 0 && value <= grace ? undefined
      : `sleep at most the grace period of the Pod, ${grace} seconds, or raise terminationGracePeriodSeconds`));
  }
}

function portOrName(port: number | string): string | undefined {
  return typeof port === 'number' ? portNumber(port) : portName(port);
}

/** Names of HTTP headers. */
function headerName(name: string): string | undefined {
  return /^[-A-Za-z0-9]+$/.test(name) ? undefined : "use letters, digits and '-'";
}
