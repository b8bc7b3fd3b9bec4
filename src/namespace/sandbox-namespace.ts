import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { checkProps, checkTreeAtSynth, cpu, dnsLabel, integer, memory, placed, Problems, qualifiedName, Quantity, quantity, storage } from '../checks';
import { EXTENSIONS_GROUP, GROUP } from '../generated/vocabulary.gen';
import { checkKeys, checkLabels, ClusterScopedObject, type ObjectMetadataProps } from '../objects';

/** The levels of the Pod Security Standards. */
export enum PodSecurityLevel {
  /** No restrictions. */
  PRIVILEGED = 'privileged',

  /** Refuses known ways to privileges on the node. */
  BASELINE = 'baseline',

  /** Refuses everything that hardened Pods do without. Templates and Sandboxes of this library meet it by default. */
  RESTRICTED = 'restricted',
}

/** What all objects of a namespace may use together. Each value is optional; what is left out is not limited. */
export interface SandboxNamespaceQuota {
  /**
   * Number of Pods that have not ended.
   *
   * @default - not limited
   */
  readonly pods?: number;

  /**
   * Number of Sandboxes: claimed, idle in warm pools, and those without a template. Kubernetes learns to count a new kind
   * about half a minute after its definition was installed; until then it refuses every Sandbox of the namespace.
   *
   * @default - not limited
   */
  readonly sandboxes?: number;

  /**
   * Number of SandboxClaims.
   *
   * @default - not limited
   */
  readonly sandboxClaims?: number;

  /**
   * Number of SandboxTemplates.
   *
   * @default - not limited
   */
  readonly sandboxTemplates?: number;

  /**
   * Number of SandboxWarmPools.
   *
   * @default - not limited
   */
  readonly sandboxWarmPools?: number;

  /**
   * Number of PersistentVolumeClaims.
   *
   * @default - not limited
   */
  readonly persistentVolumeClaims?: number;

  /**
   * Sum of the storage that PersistentVolumeClaims request, as a quantity: `'500Gi'`.
   *
   * @default - not limited
   */
  readonly requestsStorage?: string;

  /**
   * Sum of the CPU that Pods request, as a quantity. Pods without a CPU request are then refused, so give defaults with
   * `containerLimits`.
   *
   * @default - not limited
   */
  readonly requestsCpu?: string;

  /**
   * Sum of the memory that Pods request, as a quantity. Pods without a memory request are then refused.
   *
   * @default - not limited
   */
  readonly requestsMemory?: string;

  /**
   * Sum of the CPU limits of Pods, as a quantity. Pods without a CPU limit are then refused.
   *
   * @default - not limited
   */
  readonly limitsCpu?: string;

  /**
   * Sum of the memory limits of Pods, as a quantity. Pods without a memory limit are then refused.
   *
   * @default - not limited
   */
  readonly limitsMemory?: string;

  /**
   * Any other resource by its name in a ResourceQuota, with its quantity: `{ 'requests.nvidia.com/gpu': '4' }`.
   *
   * @default - none
   */
  readonly others?: { [resource: string]: string };
}

/** Amounts of the resources of a container. */
export interface ContainerAmounts {
  /**
   * CPU, as a quantity: `'500m'`.
   *
   * @default - none
   */
  readonly cpu?: string;

  /**
   * Memory, as a quantity: `'512Mi'`.
   *
   * @default - none
   */
  readonly memory?: string;

  /**
   * Space in the file systems of the container, its logs and its `emptyDir` volumes, as a quantity: `'1Gi'`.
   *
   * @default - none
   */
  readonly ephemeralStorage?: string;
}

/** What a container may ask for, and what it gets if it asks for nothing. */
export interface SandboxNamespaceContainerLimits {
  /**
   * Requests of containers that have none.
   *
   * @default - those of `defaultLimit` (the API server's)
   */
  readonly defaultRequest?: ContainerAmounts;

  /**
   * Limits of containers that have none.
   *
   * @default - those of `max` (the API server's)
   */
  readonly defaultLimit?: ContainerAmounts;

  /**
   * Smallest requests.
   *
   * @default - none
   */
  readonly min?: ContainerAmounts;

  /**
   * Largest limits.
   *
   * @default - none
   */
  readonly max?: ContainerAmounts;
}

/** A namespace for sandboxes. */
export interface SandboxNamespaceProps extends ObjectMetadataProps {
  /**
   * Name of the namespace: a DNS label that does not begin with `kube-`.
   *
   * @default - the construct's id
   */
  readonly name?: string;

  /**
   * Pods that do not meet this level of the Pod Security Standards are refused.
   *
   * @default PodSecurityLevel.RESTRICTED
   */
  readonly enforce?: PodSecurityLevel;

  /**
   * Pods that do not meet this level are noted in the audit log.
   *
   * @default PodSecurityLevel.RESTRICTED
   */
  readonly audit?: PodSecurityLevel;

  /**
   * The API server warns about each new Pod that does not meet this level.
   *
   * @default PodSecurityLevel.RESTRICTED
   */
  readonly warn?: PodSecurityLevel;

  /**
   * Version of the Pod Security Standards: `latest`, or a version of Kubernetes such as `v1.34`. An upgrade of the
   * cluster can make `latest` stricter.
   *
   * @default - not emitted: the API server's, which is `latest` unless configured otherwise
   */
  readonly podSecurityVersion?: string;

  /**
   * Whether a NetworkPolicy denies all traffic, in both directions, of every Pod of the namespace. The policies of
   * templates and Sandboxes add what is allowed; Pods of `SandboxNetwork.unmanaged()` need a policy of their own.
   *
   * @default true
   */
  readonly defaultDeny?: boolean;

  /**
   * What all objects of the namespace may use together: a ResourceQuota.
   *
   * @default - not limited
   */
  readonly quota?: SandboxNamespaceQuota;

  /**
   * What a container may ask for, and what it gets if it asks for nothing: a LimitRange.
   *
   * @default - not limited
   */
  readonly containerLimits?: SandboxNamespaceContainerLimits;
}

const POD_SECURITY = 'pod-security.kubernetes.io/';
const POD_SECURITY_VERSION = /^(latest|v1\.(0|[1-9]\d*))$/;

/** Names in a ResourceQuota. */
const COUNTS = {
  pods: 'pods',
  sandboxes: `count/sandboxes.${GROUP}`,
  sandboxClaims: `count/sandboxclaims.${EXTENSIONS_GROUP}`,
  sandboxTemplates: `count/sandboxtemplates.${EXTENSIONS_GROUP}`,
  sandboxWarmPools: `count/sandboxwarmpools.${EXTENSIONS_GROUP}`,
  persistentVolumeClaims: 'persistentvolumeclaims',
} as const;
const AMOUNTS = {
  requestsStorage: 'requests.storage',
  requestsCpu: 'requests.cpu',
  requestsMemory: 'requests.memory',
  limitsCpu: 'limits.cpu',
  limitsMemory: 'limits.memory',
} as const;

/** Names without a domain that a ResourceQuota knows besides those above. */
const STANDARD_RESOURCES: readonly string[] = [
  'cpu', 'memory', 'ephemeral-storage', 'requests.ephemeral-storage', 'limits.ephemeral-storage', 'configmaps', 'replicationcontrollers',
  'resourcequotas', 'secrets', 'services', 'services.loadbalancers', 'services.nodeports',
];
const HUGE_PAGES = /^(requests\.)?hugepages-/;

/** Names in a LimitRange. */
const CONTAINER_RESOURCES = { cpu: 'cpu', memory: 'memory', ephemeralStorage: 'ephemeral-storage' } as const;

/** Amounts of a LimitRange from the smallest to the largest, by prop and by name on the wire. */
const CONTAINER_AMOUNTS = [
  ['min', 'min'],
  ['defaultRequest', 'defaultRequest'],
  ['defaultLimit', 'default'],
  ['max', 'max'],
] as const;

/**
 * A namespace for sandboxes that is closed until something is allowed: Pod Security *restricted*, no traffic in either
 * direction, and a quota and container limits where asked. Objects inside carry the namespace; where a whole chart
 * belongs into it, give the chart the same namespace.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxNamespace extends Construct {
  /** Name of the namespace. */
  public readonly name: string;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the namespace unless `name` is set
   * @param props the namespace
   */
  public constructor(scope: Construct, id: string, props: SandboxNamespaceProps = {}) {
    super(...placed('SandboxNamespace', scope, id));
    checkProps(this.node.path, 'SandboxNamespaceProps', props);
    this.name = props.name ?? id;

    const problems = Problems.of(this.node.path);
    checkIdentity(problems, this.name, props);
    const hard = props.quota && quotaOf(problems.at('quota'), props.quota);
    const limits = props.containerLimits && limitsOf(problems.at('containerLimits'), props.containerLimits);
    problems.throwIfAny();

    const namespace = new ClusterScopedObject(this, 'Resource', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: this.name, labels: { ...props.labels, ...podSecurityLabels(props) }, annotations: props.annotations },
    });
    const inside = (childId: string, apiVersion: string, kind: string, name: string, spec: any) =>
      new ApiObject(this, childId, { apiVersion, kind, metadata: { name, namespace: this.name }, spec }).addDependency(namespace);
    if (props.defaultDeny ?? true) {
      // Naming a direction without a rule for it denies it.
      inside('DefaultDeny', 'networking.k8s.io/v1', 'NetworkPolicy', 'default-deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    }
    if (hard) {
      inside('Quota', 'v1', 'ResourceQuota', 'quota', { hard });
    }
    if (limits) {
      inside('ContainerLimits', 'v1', 'LimitRange', 'container-limits', { limits: [{ type: 'Container', ...limits }] });
    }
    checkTreeAtSynth(this);
  }
}

function checkIdentity(problems: Problems, name: string, props: SandboxNamespaceProps): void {
  problems.check(props.name === undefined ? 'name (the construct id)' : 'name', name, dnsLabel);
  if (name.startsWith('kube-')) {
    problems.add('name', name, "names that begin with 'kube-' belong to Kubernetes, whose Pods do not work under these restrictions: use another");
  }
  checkLabels(problems, 'labels', props.labels);
  checkKeys(problems, 'annotations', props.annotations);
  for (const [key, value] of Object.entries(props.labels ?? {}).filter(([label]) => label.startsWith(POD_SECURITY))) {
    problems.add(`labels['${key}']`, value, 'use the props enforce, audit, warn and podSecurityVersion');
  }
  problems.check('podSecurityVersion', props.podSecurityVersion, version =>
    POD_SECURITY_VERSION.test(version) ? undefined : "use 'latest' or a minor version of Kubernetes, such as 'v1.34'");
}

function podSecurityLabels(props: SandboxNamespaceProps): { [key: string]: string } {
  const labels: { [key: string]: string } = {};
  for (const mode of ['enforce', 'audit', 'warn'] as const) {
    labels[POD_SECURITY + mode] = props[mode] ?? PodSecurityLevel.RESTRICTED;
    if (props.podSecurityVersion !== undefined) {
      labels[`${POD_SECURITY}${mode}-version`] = props.podSecurityVersion;
    }
  }
  return labels;
}

function quotaOf(problems: Problems, quota: SandboxNamespaceQuota): { [resource: string]: string } {
  const hard: { [resource: string]: string } = {};
  for (const [prop, resource] of Object.entries(COUNTS)) {
    const count = quota[prop as keyof typeof COUNTS];
    problems.check(prop, count, integer(0));
    if (count !== undefined) {
      hard[resource] = String(count);
    }
  }
  for (const [prop, resource] of Object.entries(AMOUNTS)) {
    const amount = quota[prop as keyof typeof AMOUNTS];
    // Of all Pods together, so that a thousand cores can be meant.
    problems.check(prop, amount, resource.endsWith('memory') ? memory : resource.endsWith('storage') ? storage : quantity);
    if (amount !== undefined) {
      hard[resource] = amount;
    }
  }
  const own = new Map<string, string>([...Object.entries(COUNTS), ...Object.entries(AMOUNTS)].map(([prop, resource]) => [resource, prop]));
  for (const [resource, amount] of Object.entries(quota.others ?? {})) {
    const prop = `others['${resource}']`;
    if (own.has(resource)) {
      problems.add(prop, amount, `use the prop ${own.get(resource)}`);
    } else {
      problems.check('others key', resource, quotaResource);
      problems.check(prop, amount, resource.startsWith('count/') ? wholeNumber : quantity);
    }
    hard[resource] = amount;
  }
  if (Object.keys(hard).length === 0) {
    problems.add('', quota, 'limit at least one resource, or leave the quota out');
  }
  return hard;
}

function quotaResource(resource: string): string | undefined {
  if (resource.includes('/')) {
    return qualifiedName(resource);
  }
  return STANDARD_RESOURCES.includes(resource) || HUGE_PAGES.test(resource)
    ? undefined
    : `use a resource with a domain, such as 'requests.nvidia.com/gpu' or 'count/jobs.batch', or one of ${STANDARD_RESOURCES.join(', ')}`;
}

function wholeNumber(amount: string): string | undefined {
  return /^\d+$/.test(amount) ? undefined : "objects are counted: use a whole number, such as '10'";
}

function limitsOf(problems: Problems, limits: SandboxNamespaceContainerLimits): { [name: string]: { [resource: string]: string } } {
  const wire: { [name: string]: { [resource: string]: string } } = {};
  for (const [prop, resource] of Object.entries(CONTAINER_RESOURCES) as [keyof ContainerAmounts, string][]) {
    let smaller: { readonly prop: string; readonly text: string; readonly amount: Quantity } | undefined;
    for (const [name, wireName] of CONTAINER_AMOUNTS) {
      const text = limits[name]?.[prop];
      problems.check(`${name}.${prop}`, text, prop === 'cpu' ? cpu : prop === 'memory' ? memory : storage);
      if (text === undefined) {
        continue;
      }
      wire[wireName] = { ...wire[wireName], [resource]: text };
      const amount = Quantity.tryParse(text);
      if (amount && smaller?.amount.exceeds(amount)) {
        problems.add(`${name}.${prop}`, text, `it is less than ${smaller.prop}, '${smaller.text}': raise the one or lower the other`);
      }
      smaller = amount ? { prop: `${name}.${prop}`, text, amount } : smaller;
    }
  }
  if (Object.keys(wire).length === 0) {
    problems.add('', limits, 'name at least one amount, or leave the container limits out');
  }
  return withServerDefaults(wire);
}

type LimitAmounts = { [resource: string]: string };

/**
 * What the API server would set inside the list of limits, where client-side diffs would always show it: containers
 * that name no amount get the largest one as their limit, and their limit, or else the smallest amount, as request.
 */
function withServerDefaults(wire: { [name: string]: LimitAmounts }): { [name: string]: LimitAmounts } {
  const defaults: LimitAmounts = { ...wire.max, ...wire.default };
  const requests: LimitAmounts = { ...wire.min, ...defaults, ...wire.defaultRequest };
  return {
    ...wire,
    ...(Object.keys(defaults).length > 0 && { default: defaults }),
    ...(Object.keys(requests).length > 0 && { defaultRequest: requests }),
  };
}
