import { SECRET_NAME } from '../findings';
import { POD_SECURITY_LEVELS, podSecurityOf } from '../pod';
import { fact, PostureConcern, type PostureFact } from './fact';

/** What isolates, by the handler or the usual name of a RuntimeClass. */
const RUNTIMES: ReadonlyArray<readonly [pattern: RegExp, name: string]> = [
  [/^(gvisor|runsc)\b/, 'gVisor'], [/^kata\b/, 'Kata Containers'],
];
const DIGEST = /@sha256:[0-9a-f]{4,}$/;

/** Facts about the Pods of a Sandbox or template; `kind` decides about defaults of the controller. @internal */
export function podFacts(spec: any, kind: string, handlerOf: (runtimeClass: string) => string | undefined): PostureFact[] {
  return [isolation(spec, handlerOf), podSecurity(spec), token(spec, kind), host(spec)];
}

/** Facts about what the containers bring. @internal */
export function containerFacts(spec: any, volumeClaims: readonly any[]): PostureFact[] {
  return [secrets(spec), images(spec), limits(spec), storage(spec, volumeClaims)];
}

function list(value: unknown): any[] {
  return Array.isArray(value) ? value : [];
}

function containersOf(spec: any): any[] {
  return [...list(spec.initContainers), ...list(spec.containers)];
}

/** `cpu 1` alone where there is one container, else with its name. */
function named(containers: readonly any[], container: any, text: string): string {
  return containers.length === 1 ? text : `${container.name}: ${text}`;
}

function isolation(spec: any, handlerOf: (runtimeClass: string) => string | undefined): PostureFact {
  const name: string | undefined = spec.runtimeClassName;
  if (!name) {
    return fact('isolation', ['none: ordinary containers, which share the kernel of the node'], { concern: PostureConcern.RISK });
  }
  const runtime = RUNTIMES.find(([pattern]) => pattern.test(handlerOf(name) ?? name))?.[1];
  const nodes = Object.entries(spec.nodeSelector ?? {}).map(([key, value]) => `${key}=${value}`).sort();
  return fact('isolation', [
    runtime ? `${runtime} (RuntimeClass ${name})` : `RuntimeClass ${name}, of which it is not known whether it isolates`,
    ...(nodes.length > 0 ? [`on nodes with ${nodes.join(', ')}`] : []),
  ], { concern: runtime ? PostureConcern.NONE : PostureConcern.NOTICE });
}

function podSecurity(spec: any): PostureFact {
  const { level, because } = podSecurityOf(spec);
  const next = POD_SECURITY_LEVELS[POD_SECURITY_LEVELS.indexOf(level) - 1];
  return fact('pod-security', [level, ...[...because].sort().map(each => `${next} forbids ${each}`)], {
    isDefault: level === 'restricted',
    concern: level === 'restricted' ? PostureConcern.NONE : level === 'baseline' ? PostureConcern.NOTICE : PostureConcern.RISK,
  });
}

function token(spec: any, kind: string): PostureFact {
  const account = spec.serviceAccountName ?? 'default';
  // The controller mounts none for a template that says nothing; for a Sandbox that says nothing, Kubernetes decides.
  const isMounted = spec.automountServiceAccountToken ?? kind === 'Sandbox';
  const projected = list(spec.volumes).flatMap(volume => list(volume?.projected?.sources).filter(source => source?.serviceAccountToken)
    .map(({ serviceAccountToken: { audience } }) => (audience ? `for the audience ${audience}, in volume ${volume.name}` : `for the API server, in volume ${volume.name}`)));
  const items = [
    ...(isMounted ? [spec.automountServiceAccountToken === undefined
      ? `of ServiceAccount ${account}, unless that forbids it: automountServiceAccountToken is not set` : `of ServiceAccount ${account}, for the API server`] : []),
    ...projected.map(each => `of ServiceAccount ${account}, ${each}`),
  ];
  return fact('token', items, { concern: isMounted || projected.some(each => each.startsWith('for the API server')) ? PostureConcern.RISK
    : projected.length > 0 ? PostureConcern.NOTICE : PostureConcern.NONE });
}

function host(spec: any): PostureFact {
  const ports = containersOf(spec).flatMap(container => list(container.ports)).flatMap(port => (port?.hostPort ? [`port ${port.hostPort} of the node`] : []));
  const paths = list(spec.volumes).flatMap(volume => (volume?.hostPath ? [`folder ${volume.hostPath.path} of the node`] : []));
  const items = [
    ...(spec.hostNetwork ? ['network of the node: no NetworkPolicy applies'] : []),
    ...(spec.hostPID ? ['processes of the node'] : []),
    ...(spec.hostIPC ? ['shared memory of the node'] : []),
    ...ports, ...paths,
  ];
  return fact('host', items, { empty: 'no access', concern: items.length > 0 ? PostureConcern.RISK : PostureConcern.NONE });
}

function secrets(spec: any): PostureFact {
  const containers = containersOf(spec);
  const variables = containers.flatMap(container => [
    ...list(container.env).flatMap(variable => {
      const ref = variable?.valueFrom?.secretKeyRef;
      return ref ? [named(containers, container, `${variable.name} from Secret ${ref.name}, as variable`)] : [];
    }),
    ...list(container.envFrom).flatMap(source => source?.secretRef ?? [])
      .map(({ name }) => named(containers, container, `all keys of Secret ${name}, as variables`)),
  ]);
  const literals = containers.flatMap(container => list(container.env).filter(variable => SECRET_NAME.test(String(variable?.name)) && variable.value)
    .map(variable => named(containers, container, `${variable.name} has its value in the manifest`)));
  const mounts = containers.flatMap(container => list(container.volumeMounts).map(mount => [mount?.name, mount?.mountPath] as const));
  const files = list(spec.volumes).flatMap(volume => {
    const projected = list(volume?.projected?.sources).map(source => source?.secret?.name);
    const found = [volume?.secret?.secretName, ...projected].filter(name => name !== undefined);
    const path = mounts.find(([name]) => name === volume?.name)?.[1] ?? 'no path';
    const store = volume?.csi?.driver === 'secrets-store.csi.k8s.io' ? [`secrets store, as files at ${path}`] : [];
    return [...found.map(name => `Secret ${name}, as files at ${path}`), ...store];
  });
  const pulls = list(spec.imagePullSecrets).map(({ name }) => `Secret ${name}, for pulling images only`);
  return fact('secrets', [...literals, ...variables, ...files, ...pulls].sort(), {
    concern: literals.length > 0 ? PostureConcern.RISK : variables.length > 0 ? PostureConcern.NOTICE : PostureConcern.NONE,
  });
}

function images(spec: any): PostureFact {
  const containers = containersOf(spec);
  const all = [...new Set(containers.map(({ image }) => String(image)))];
  const loose = all.filter(image => !DIGEST.test(image));
  const tagOf = (image: string) => /:([^:/]+)$/.exec(image)?.[1] ?? 'latest';
  return fact('images', all.map(image => (DIGEST.test(image) ? `${image.replace(DIGEST, '')} by digest ${/sha256:([0-9a-f]{4,12})/.exec(image)![1]}`
    : `${image}, by tag: what '${tagOf(image)}' is can change`)).sort(), { concern: loose.length > 0 ? PostureConcern.NOTICE : PostureConcern.NONE });
}

function limits(spec: any): PostureFact {
  const containers = list(spec.containers);
  const items = containers.map(container => {
    const { requests = {}, limits: most = {} } = container.resources ?? {};
    const names = [...new Set(['cpu', 'memory', ...Object.keys(requests), ...Object.keys(most)])];
    return named(containers, container, names.map(name => {
      const [from, to] = [requests[name] ?? most[name], most[name]];
      return `${name} ${from === undefined ? 'without limit' : to === undefined ? `${from}, no limit` : from === to ? from : `${from} to ${to}`}`;
    }).join('; '));
  });
  const isOpen = containers.some(container => container.resources?.limits?.memory === undefined);
  return fact('limits', items, { isDefault: false, concern: isOpen ? PostureConcern.NOTICE : PostureConcern.NONE });
}

function storage(spec: any, volumeClaims: readonly any[]): PostureFact {
  const containers = containersOf(spec);
  const kept = volumeClaims.map(claim => `${claim?.metadata?.name}, ${claim?.spec?.resources?.requests?.storage ?? 'of any size'}, kept until the Sandbox is deleted`);
  const shared = list(spec.volumes).flatMap(volume => (volume?.persistentVolumeClaim ? [`PersistentVolumeClaim ${volume.persistentVolumeClaim.claimName}`] : []));
  const writable = containers.filter(container => container.securityContext?.readOnlyRootFilesystem !== true);
  const root = containers.length === 0 || writable.length === 0 ? ['root file system read-only'] : [];
  return fact('storage', [...kept, ...shared, ...root].sort());
}
