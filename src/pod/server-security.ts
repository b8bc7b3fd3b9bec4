import { integer, oneOf } from '../checks';
import { type Field, objects, present } from './field';

const USER = integer(0);
const SYSCTL = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const NO_WINDOWS = 'leave it out, or the Pod is not for Windows';
/** Fields that Windows has nothing for. */
const NOT_FOR_WINDOWS = {
  pod: [
    'appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'fsGroup', 'fsGroupChangePolicy', 'runAsUser', 'runAsGroup', 'supplementalGroups',
    'supplementalGroupsPolicy', 'seLinuxChangePolicy',
  ],
  container: [
    'appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'capabilities', 'readOnlyRootFilesystem', 'privileged', 'allowPrivilegeEscalation', 'procMount',
    'runAsUser', 'runAsGroup',
  ],
} as const;

/** A path below a folder that the node has chosen. @internal */
export function descendingPath(path: string): string | undefined {
  return path.startsWith('/') || path.split('/').includes('..') ? "use a relative path without '..'" : undefined;
}

/** What Pods and containers have in common. */
function validateShared(field: Field, context: any): void {
  for (const id of ['runAsUser', 'runAsGroup', 'fsGroup']) {
    field.at(id).check(context[id], USER);
  }
  const seccomp = context.seccompProfile;
  if (seccomp) {
    const at = field.at('seccompProfile');
    at.at('type').check(String(seccomp.type ?? ''), oneOf('Localhost', 'RuntimeDefault', 'Unconfined'));
    validateLocalhost(at, seccomp, descendingPath);
  }
  const appArmor = context.appArmorProfile;
  if (appArmor) {
    const at = field.at('appArmorProfile');
    at.at('type').check(String(appArmor.type ?? ''), oneOf('Localhost', 'RuntimeDefault', 'Unconfined'));
    validateLocalhost(at, appArmor, path => (path.trim() === path && path !== '' && path.length <= 4095 ? undefined : 'write the name of the profile, without spaces around it'));
  }
}

function validateLocalhost(field: Field, { type, localhostProfile }: any, rule: (path: string) => string | undefined): void {
  const at = field.at('localhostProfile');
  if (type !== 'Localhost') {
    at.check(localhostProfile, () => `it goes with type 'Localhost' only: leave it out`);
  } else if (localhostProfile === undefined || localhostProfile === null) {
    at.refuse(undefined, "type 'Localhost' needs the profile on the node: name it");
  } else {
    at.check(String(localhostProfile), rule);
  }
}

/** The security context of a Pod, and the fields of the Pod that it goes with. @internal */
export function validatePodSecurity(field: Field, spec: any): void {
  const context = spec.securityContext ?? {};
  const at = field.at('securityContext');
  validateShared(at, context);
  (Array.isArray(context.supplementalGroups) ? context.supplementalGroups : []).forEach((group: any, index: number) => at.at('supplementalGroups').at(index).check(group, USER));
  at.at('fsGroupChangePolicy').check(context.fsGroupChangePolicy, oneOf('OnRootMismatch', 'Always'));
  at.at('supplementalGroupsPolicy').check(context.supplementalGroupsPolicy, oneOf('Merge', 'Strict'));
  at.at('seLinuxChangePolicy').check(context.seLinuxChangePolicy, oneOf('Recursive', 'MountOption'));
  objects(context.sysctls).forEach(({ name }, index) => {
    const sysctl = at.at('sysctls').at(index).at('name');
    sysctl.check(String(name ?? ''), text => (text.length <= 253 && SYSCTL.test(text) ? undefined : "write the name of the setting, such as 'net.ipv4.ip_local_port_range'"));
    const plain = String(name).replace(/\//g, '.');
    if (spec.hostNetwork === true && plain.startsWith('net.')) {
      sysctl.refuse(name, 'it is a setting of the node with hostNetwork: leave one of the two out');
    } else if (spec.hostIPC === true && /^(kernel\.(shm|msg|sem)|fs\.mqueue\.)/.test(plain)) {
      sysctl.refuse(name, 'it is a setting of the node with hostIPC: leave one of the two out');
    }
  });
  at.at('sysctls').unique(objects(context.sysctls).map(({ name }) => name), 'name', 'set it once');
  if (spec.shareProcessNamespace === true && spec.hostPID === true) {
    field.at('shareProcessNamespace').refuse(true, 'with hostPID, the processes of the node are shared already: leave one of the two out');
  }
  if (spec.hostUsers === false) {
    for (const host of ['hostNetwork', 'hostPID', 'hostIPC'].filter(name => spec[name] === true)) {
      field.at(host).refuse(true, 'a Pod with users of its own (hostUsers: false) cannot use it: leave one of the two out');
    }
  }
  validateOs(field, spec);
}

function validateOs(field: Field, spec: any): void {
  const name = spec.os?.name;
  if (spec.os !== undefined && spec.os !== null) {
    field.at('os').at('name').check(String(name ?? ''), oneOf('linux', 'windows'));
  }
  const containers = ['initContainers', 'containers'].flatMap(list => objects(spec[list]).map((container, index) => ({ at: field.at(list).at(index).at('securityContext'), context: container.securityContext })));
  const all = [{ at: field.at('securityContext'), context: spec.securityContext }, ...containers];
  if (name === 'linux') {
    all.forEach(({ at, context }) => present(context, 'windowsOptions').forEach(option => at.at(option).refuse(undefined, 'it is for Windows, and os.name is linux: leave it out')));
  } else if (name === 'windows') {
    present(spec, 'hostUsers', 'shareProcessNamespace').forEach(key => field.at(key).refuse(spec[key], NO_WINDOWS));
    ['hostPID', 'hostIPC'].filter(key => spec[key] === true).forEach(key => field.at(key).refuse(true, NO_WINDOWS));
    present(spec.securityContext, ...NOT_FOR_WINDOWS.pod).forEach(key => field.at('securityContext').at(key).refuse(undefined, NO_WINDOWS));
    if (objects(spec.securityContext?.sysctls).length > 0) {
      field.at('securityContext').at('sysctls').refuse(undefined, NO_WINDOWS);
    }
    containers.forEach(({ at, context }) => present(context, ...NOT_FOR_WINDOWS.container).forEach(key => at.at(key).refuse(undefined, NO_WINDOWS)));
  }
}

/** The security context of a container. @internal */
export function validateContainerSecurity(field: Field, context: any, spec: any): void {
  if (!context) {
    return;
  }
  validateShared(field, context);
  field.at('procMount').check(context.procMount, oneOf('Default', 'Unmasked'));
  if (context.procMount === 'Unmasked' && spec.hostUsers !== false) {
    field.at('procMount').refuse('Unmasked', 'it needs hostUsers: false of the Pod');
  }
  if (context.allowPrivilegeEscalation === false && context.privileged === true) {
    field.at('allowPrivilegeEscalation').refuse(false, 'a privileged container has all privileges: leave one of the two out');
  }
  if (context.allowPrivilegeEscalation === false && (context.capabilities?.add ?? []).includes('CAP_SYS_ADMIN')) {
    field.at('allowPrivilegeEscalation').refuse(false, 'CAP_SYS_ADMIN allows it: leave one of the two out');
  }
}
