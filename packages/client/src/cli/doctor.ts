import {
  CONDITION, EXTENSIONS_GROUP, GROUP, type KubeObject, LEASE, LEASES, ROUTER, SANDBOX_CLAIMS, SANDBOX_TEMPLATES, SANDBOX_WARM_POOLS, SANDBOXES,
  VERSION,
} from 'agent-sandbox-api';
import type { Command } from 'commander';
import { type Cluster, Reader } from 'agent-sandbox-kube';
import { type AnalysisSurroundings, type ClusterOptions, addClusterOptions, libraryOf, liveObjects, withCluster } from './analysis.js';
import { DEPLOYMENTS, RUNTIME_CLASSES, listOf } from './live-objects.js';
import { EXIT, harmless, print, withTask } from './output.js';

/** How a check came out. */
type Status = 'ok' | 'warning' | 'error' | 'unknown';

/** One thing that was looked at. */
export interface Diagnosis {
  /** What was looked at: `definitions`, `controller`, `network`, `runtime-classes`, and so on. */
  readonly check: string;
  readonly status: Status;
  readonly message: string;
  /** What to do. */
  readonly remedy?: string;
}

/** A lease that was not renewed for this long has no leader. */
const LEASE_GRACE_MS = 60_000;
/** A claim or pool that is younger is on its way. */
const GRACE_MS = 120_000;
/** Objects that a message names. */
const MOST_NAMES = 5;

const CRDS = { group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition', plural: 'customresourcedefinitions', namespaced: false };
const WEBHOOKS = (['Validating', 'Mutating'] as const).map(type => ({
  group: 'admissionregistration.k8s.io', version: 'v1', kind: `${type}WebhookConfiguration`, plural: `${type.toLowerCase()}webhookconfigurations`, namespaced: false,
}));
const DAEMON_SETS = { group: 'apps', version: 'v1', kind: 'DaemonSet', plural: 'daemonsets', namespaced: true };
const NODES = { group: '', version: 'v1', kind: 'Node', plural: 'nodes', namespaced: false };

/** Network plugins by the names of their DaemonSets, and whether they enforce NetworkPolicies. */
const ENGINES: ReadonlyArray<readonly [pattern: RegExp, name: string, enforces: boolean | undefined]> = [
  [/^cilium$/, 'Cilium', true], [/^anetd$/, 'GKE Dataplane V2', true], [/^calico-node$/, 'Calico', true], [/^canal$|^rke2-canal$/, 'Canal', true],
  [/^antrea-agent$/, 'Antrea', true], [/^kube-router$/, 'kube-router', true], [/^ovnkube-node/, 'OVN-Kubernetes', true], [/^weave-net$/, 'Weave Net', true],
  [/^azure-npm$/, 'Azure NPM', true], [/^kube-network-policies$/, 'kube-network-policies', true],
  [/^aws-node$/, 'the Amazon VPC plugin, which enforces policies only where its network policy agent is enabled', undefined],
  [/^kindnet$/, 'kindnet, which enforces policies in later releases only', undefined],
  [/flannel/, 'Flannel, which enforces no policies', false],
];

/** Adds the command that looks at a cluster. */
export function addDoctor(program: Command, surroundings: AnalysisSurroundings, exit: (code: number) => void): void {
  addClusterOptions(program.command('doctor')
    .description('look at a cluster: definitions, controller, router, network plugin, runtime classes, stuck claims, drift; reads only'))
    .argument('[path...]', 'manifests that the cluster should be like')
    .option('--json', 'print JSON')
    .option('--strict', 'warnings fail as errors do')
    .action(async (paths: string[], options: ClusterOptions & { readonly json?: boolean; readonly strict?: boolean }) => {
      const found = await withCluster(options, surroundings, (cluster, namespace) =>
        withTask(surroundings, !options.json, `look at ${cluster.server}`, onText => diagnose(cluster, { namespace, onCheck: onText })));
      if (paths.length > 0) {
        found.push(await driftOf(paths, options, surroundings));
      }
      print(surroundings, options.json ?? false, found, () => found.flatMap(lineOf));
      const failed = found.some(({ status }) => status === 'error' || (options.strict === true && status !== 'ok'));
      exit(failed ? 1 : EXIT.ok);
    });
}

const MARKS: Readonly<Record<Status, string>> = { ok: 'ok     ', warning: 'warning', error: 'error  ', unknown: 'unknown' };

function lineOf({ check, status, message, remedy }: Diagnosis): string[] {
  return [`${MARKS[status]}  ${check}: ${message}`, ...(remedy === undefined ? [] : [`         ${remedy}`])];
}

async function driftOf(paths: readonly string[], options: ClusterOptions, surroundings: AnalysisSurroundings): Promise<Diagnosis> {
  const { objects } = await liveObjects({ ...options, allNamespaces: true, namespace: undefined }, surroundings);
  const { output, code } = (await libraryOf(surroundings)).main(['drift', '--', ...paths], { objects });
  return { check: 'drift', status: code === 0 ? 'ok' : code === 1 ? 'warning' : 'error', message: output.replace(/\n/g, '; '), ...(code === 1 && { remedy: 'apply the manifests, or take over what was changed' }) };
}

interface DiagnoseOptions {
  /** @default - all namespaces */
  readonly namespace?: string;
  /** @default - the time of the machine */
  readonly now?: number;
  /** Called with the name of each check before it runs. */
  readonly onCheck?: (check: string) => void;
}

/** What is well and what is not in a cluster. Reads only; what may not be read is `unknown`. */
export async function diagnose(cluster: Cluster, options: DiagnoseOptions = {}): Promise<Diagnosis[]> {
  const { namespace, now = Date.now(), onCheck = () => undefined } = options;
  const lists = new Lists(new Reader(cluster));
  const checks: ReadonlyArray<readonly [name: string, run: () => Promise<Diagnosis[]>]> = [
    ['server', () => server(cluster)],
    ['definitions', () => definitions(lists)],
    ['webhooks', () => webhooks(lists)],
    ['controller', () => controller(lists, now)],
    ['router', () => router(lists)],
    ['network', () => network(lists)],
    ['runtime-classes', () => runtimeClasses(lists, namespace)],
    ['pools', () => pools(lists, namespace, now)],
    ['claims', () => claims(lists, namespace, now)],
  ];
  const result: Diagnosis[] = [];
  for (const [name, run] of checks) {
    onCheck(name);
    try {
      result.push(...await run());
    } catch (error) {
      if (!(error instanceof Forbidden)) {
        throw error;
      }
      result.push({ check: name, status: 'unknown', message: `${error.message} may not be listed`, remedy: 'ask for the right to list them' });
    }
  }
  return result;
}

/** A kind that may not be read. */
class Forbidden extends Error {}

/** Lists of a cluster, each of which is read once, however many checks look at it. */
class Lists {
  private readonly known = new Map<string, Promise<any[]>>();

  constructor(private readonly reader: Reader) {}

  public all(resource: Parameters<typeof listOf>[1], namespace?: string): Promise<any[]> {
    const key = `${resource.plural}.${resource.group}/${namespace ?? ''}`;
    const list = this.known.get(key) ?? this.read(resource, namespace);
    this.known.set(key, list);
    return list;
  }

  private async read(resource: Parameters<typeof listOf>[1], namespace: string | undefined): Promise<any[]> {
    const found = await listOf(this.reader, resource, namespace);
    if (found === 'forbidden') {
      throw new Forbidden(resource.plural);
    }
    return found;
  }
}

async function server(cluster: Cluster): Promise<Diagnosis[]> {
  const { gitVersion, minor } = await cluster.request<{ gitVersion: string; minor: string }>({ verb: 'get', path: '/version' });
  const isOld = Number.parseInt(minor, 10) < 31;
  return [{ check: 'server', status: isOld ? 'error' : 'ok', message: `Kubernetes ${gitVersion}`, ...(isOld && { remedy: 'the API needs Kubernetes 1.31 or later' }) }];
}

async function definitions(lists: Lists): Promise<Diagnosis[]> {
  const wanted = [SANDBOXES, SANDBOX_TEMPLATES, SANDBOX_WARM_POOLS, SANDBOX_CLAIMS].map(({ plural, group }) => `${plural}.${group}`);
  const crds = (await lists.all(CRDS)).filter(({ spec }) => [GROUP, EXTENSIONS_GROUP].includes(spec.group));
  const missing = wanted.filter(name => !crds.some(({ metadata }) => metadata.name === name));
  if (missing.length > 0) {
    return [{ check: 'definitions', status: 'error', message: `missing: ${missing.join(', ')}`, remedy: 'install the definitions: AgentSandboxCrds, the chart, or install.yaml' }];
  }
  const result = crds.flatMap(definition);
  return result.length > 0 ? result : [{ check: 'definitions', status: 'ok', message: `all four kinds, stored as ${VERSION}` }];
}

/** What is not as it should be in one definition. */
function definition({ metadata: { name }, spec, status }: any): Diagnosis[] {
  const storage = spec.versions.find((version: any) => version.storage)?.name;
  const old = (status?.storedVersions ?? []).filter((version: string) => version !== VERSION);
  const result: Diagnosis[] = [];
  if (storage !== VERSION) {
    result.push({ check: 'definitions', status: 'error', message: `${name} stores ${storage}`, remedy: `apply the definitions of today, which store ${VERSION}` });
  }
  if (old.length > 0) {
    result.push({
      check: 'stored-versions', status: 'warning', message: `${name} may hold objects that are stored as ${old.join(', ')}`,
      remedy: 'write each of its objects once, then take the version out of status.storedVersions',
    });
  }
  if (spec.conversion?.strategy === 'Webhook') {
    result.push({
      check: 'webhooks', status: 'error',
      message: `${name} converts by a webhook of the original (${spec.conversion.webhook?.clientConfig?.service?.name ?? 'an address'})`,
      remedy: 'apply our definitions, which need none: docs/migrate-from-upstream.md',
    });
  }
  return result;
}

/** What the original's installation leaves behind. */
async function webhooks(lists: Lists): Promise<Diagnosis[]> {
  const found: string[] = [];
  for (const resource of WEBHOOKS) {
    for (const { kind, metadata, webhooks: hooks = [] } of await lists.all(resource)) {
      const groups = hooks.flatMap((hook: any) => hook.rules ?? []).flatMap((rule: any) => rule.apiGroups ?? []);
      if (groups.includes(GROUP) || groups.includes(EXTENSIONS_GROUP)) {
        found.push(`${kind} ${metadata.name}`);
      }
    }
  }
  return found.length === 0 ? [{ check: 'webhooks', status: 'ok', message: 'none for this API' }]
    : [{ check: 'webhooks', status: 'warning', message: `the API has webhooks that this controller does not need: ${few(found)}`, remedy: 'remove those of the original: with its controller gone they refuse every write' }];
}

async function controller(lists: Lists, now: number): Promise<Diagnosis[]> {
  const leases = (await lists.all(LEASES)).filter(({ metadata }) => metadata.name === LEASE);
  const live = leases.filter(({ spec }) => spec?.holderIdentity && now - Date.parse(spec.renewTime ?? '') < LEASE_GRACE_MS);
  if (live.length === 1) {
    return [{ check: 'controller', status: 'ok', message: `${live[0].spec.holderIdentity} leads, in ${live[0].metadata.namespace}` }];
  }
  return [live.length > 1
    ? { check: 'controller', status: 'error', message: `controllers lead in ${live.map(({ metadata }) => metadata.namespace).join(' and ')}: they work against each other`, remedy: 'remove one of the installations' }
    : { check: 'controller', status: 'error', message: leases.length > 0 ? 'its lease is not renewed: no controller runs' : 'no controller has run: there is no lease', remedy: 'install it (docs/guide/install.md), or look at the logs of its Pods' }];
}

async function router(lists: Lists): Promise<Diagnosis[]> {
  const routers = (await lists.all(DEPLOYMENTS)).filter(({ spec }) =>
    Object.entries(ROUTER.labels).every(([key, value]) => spec?.template?.metadata?.labels?.[key] === value));
  const ready = routers.filter(({ status }) => (status?.readyReplicas ?? 0) > 0);
  if (routers.length === 0) {
    return [{ check: 'router', status: 'warning', message: 'none', remedy: 'clients reach sandboxes from inside the cluster only' }];
  }
  const names = routers.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
  const elsewhere = routers.filter(({ metadata }) => metadata.namespace !== ROUTER.namespace);
  return [
    { check: 'router', status: ready.length > 0 ? 'ok' : 'error', message: `${few(names)}${ready.length > 0 ? '' : ': no replica is ready'}`, ...(ready.length === 0 && { remedy: 'look at the conditions of its Pods' }) },
    ...(elsewhere.length > 0 ? [{
      check: 'router', status: 'warning' as const, message: `the default network of templates lets a router in ${ROUTER.namespace} in, and ${few(elsewhere.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`))} is elsewhere`,
      remedy: 'say in the network of templates where the router is',
    }] : []),
  ];
}

async function network(lists: Lists): Promise<Diagnosis[]> {
  const names = (await lists.all(DAEMON_SETS)).map(({ metadata }) => metadata.name as string);
  const engines = ENGINES.filter(([pattern]) => names.some(name => pattern.test(name)));
  const enforcing = engines.filter(([, , enforces]) => enforces === true);
  if (enforcing.length > 0) {
    return [{ check: 'network', status: 'ok', message: `${enforcing.map(([, name]) => name).join(', ')} enforces NetworkPolicies, going by its DaemonSet` }];
  }
  const unsure = engines.map(([, name]) => name);
  const isOpen = engines.some(([, , enforces]) => enforces === false);
  return [{
    check: 'network', status: isOpen ? 'error' : 'unknown',
    message: unsure.length > 0 ? `found ${unsure.join('; ')}` : 'no DaemonSet of a network plugin that is known: it may be part of the nodes',
    remedy: 'make sure that NetworkPolicies are enforced: without that, every sandbox reaches everything',
  }];
}

async function runtimeClasses(lists: Lists, namespace: string | undefined): Promise<Diagnosis[]> {
  const [classes, nodes] = [await lists.all(RUNTIME_CLASSES), await lists.all(NODES)];
  const [templates, sandboxes] = [await lists.all(SANDBOX_TEMPLATES, namespace), await lists.all(SANDBOXES, namespace)];
  const wanted = new Map<string, string[]>();
  for (const { kind, metadata, spec } of [...templates, ...sandboxes]) {
    const name = spec?.podTemplate?.spec?.runtimeClassName;
    if (name) {
      wanted.set(name, [...wanted.get(name) ?? [], `${kind} ${metadata.namespace}/${metadata.name}`]);
    }
  }
  const matching = (selector: Record<string, string> = {}) =>
    nodes.filter(({ metadata }) => Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value)).length;
  const result = [...wanted].sort().map(([name, users]): Diagnosis => {
    const found = classes.find(({ metadata }) => metadata.name === name);
    if (!found) {
      return { check: 'runtime-classes', status: 'error', message: `there is no RuntimeClass ${name}, and ${few(users)} needs it`, remedy: 'define it: SandboxRuntimeClass; no Pod is made without' };
    }
    const count = matching(found.scheduling?.nodeSelector);
    return { check: 'runtime-classes', status: count > 0 ? 'ok' : 'error', message: `${name} (handler ${found.handler}): ${count} ${count === 1 ? 'node' : 'nodes'}`, ...(count === 0 && { remedy: 'no node has the labels that it selects: Pods stay unscheduled' }) };
  });
  return result.length > 0 ? result : [{ check: 'runtime-classes', status: 'ok', message: 'no template and no Sandbox names one' }];
}

async function pools(lists: Lists, namespace: string | undefined, now: number): Promise<Diagnosis[]> {
  const found = await lists.all(SANDBOX_WARM_POOLS, namespace);
  const short = found.filter(({ metadata, spec, status }) => (status?.readyReplicas ?? 0) < (spec?.replicas ?? 1) && isOlder(metadata, now));
  return [short.length === 0 ? { check: 'pools', status: 'ok', message: `${found.length} ${found.length === 1 ? 'pool is' : 'pools are'} full, or on the way` } : {
    check: 'pools', status: 'warning', message: few(short.map(({ metadata, spec, status }) => `${metadata.namespace}/${metadata.name} has ${status?.readyReplicas ?? 0} of ${spec?.replicas ?? 1} ready`)),
    remedy: 'look at the conditions of their Sandboxes: kubectl get sandboxes',
  }];
}

/** Claims that wait for longer than a cold start takes, with what they say, and what their Sandbox says. */
async function claims(lists: Lists, namespace: string | undefined, now: number): Promise<Diagnosis[]> {
  const found = await lists.all(SANDBOX_CLAIMS, namespace);
  const sandboxes = new Map((await lists.all(SANDBOXES, namespace)).map(each => [`${each.metadata.namespace}/${each.metadata.name}`, each]));
  const poolsBy = new Set((await lists.all(SANDBOX_WARM_POOLS, namespace)).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const stuck = found.filter(({ metadata, status }) => readyOf(status)?.status !== 'True' && isOlder(metadata, now));
  const reasons = stuck.map(({ metadata, spec, status }) => {
    const own = readyOf(status);
    const sandbox = sandboxes.get(`${metadata.namespace}/${status?.sandbox?.name ?? metadata.name}`);
    const inner = readyOf(sandbox?.status);
    const pool = spec?.warmPoolRef?.name;
    const said = [own, inner].flatMap(each => (each && each.status !== 'True' ? [[each.reason, each.message].filter(Boolean).join(': ')] : []));
    const why = pool && !poolsBy.has(`${metadata.namespace}/${pool}`) ? `there is no pool ${pool}`
      : [...new Set(said)].join('; ') || 'it has no condition: no controller has seen it';
    return `${metadata.namespace}/${metadata.name}: ${why}`;
  });
  return [reasons.length === 0 ? { check: 'claims', status: 'ok', message: `${found.length} ${found.length === 1 ? 'claim' : 'claims'}, none stuck` } : {
    check: 'claims', status: 'error', message: `${reasons.length} stuck: ${few(reasons, '; ')}`, remedy: 'mend what the reason names; a claim goes on by itself',
  }];
}

function readyOf(status: any): { readonly status: string; readonly reason?: string; readonly message?: string } | undefined {
  return (status?.conditions ?? []).find((condition: any) => condition.type === CONDITION.ready);
}

function isOlder({ creationTimestamp }: KubeObject['metadata'] & { readonly creationTimestamp?: string }, now: number): boolean {
  return creationTimestamp !== undefined && now - Date.parse(creationTimestamp) > GRACE_MS;
}

function few(names: readonly string[], separator = ', '): string {
  return names.length <= MOST_NAMES ? names.map(harmless).join(separator) : `${names.slice(0, MOST_NAMES).map(harmless).join(separator)} and ${names.length - MOST_NAMES} more`;
}
