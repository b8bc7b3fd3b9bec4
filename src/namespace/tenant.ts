import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { checkCalls, checkProps, checkTreeAtSynth, integer, placed, Problems, Quantity } from '../checks';
import { USER_RULES } from '../generated/rights.gen';
import { ClaimOverrides, SandboxTemplate, type SandboxTemplateProps, type SandboxWarmPool, type UpdateStrategy } from '../kinds';
import type { IServiceAccount, ObjectMetadataProps } from '../objects';
import type { RuntimeClassOverhead } from '../pod';
import { SandboxDisruptionBudget, type WarmPoolAutoscalingOptions } from '../scaling';
import { podAmounts } from './pod-amounts';
import { type PodSecurityLevel, SandboxNamespace, type SandboxNamespaceQuota } from './sandbox-namespace';

/** A template and its pool, with as many claims as may be served at the same time. */
export interface TenantPool {
  /** Name of the template and of the pool, unique in the tenant. */
  readonly name: string;

  /** The template. Its containers must name `cpu` and `memory`, as the quota is computed from them. */
  readonly template: SandboxTemplateProps;

  /** Sandboxes that may be claimed at the same time: 0 to 100000. */
  readonly claims: number;

  /**
   * Number of idle Sandboxes: 0 to 100000. Not together with `autoscale`.
   *
   * @default 1
   */
  readonly replicas?: number;

  /**
   * Lets a HorizontalPodAutoscaler set the number of idle Sandboxes. The quota counts its maximum.
   *
   * @default - a fixed number of idle Sandboxes
   */
  readonly autoscale?: WarmPoolAutoscalingOptions;

  /**
   * What happens to idle Sandboxes when the template changes.
   *
   * @default - UpdateStrategy.ON_REPLENISH (the controller's)
   */
  readonly updateStrategy?: UpdateStrategy;

  /**
   * What the RuntimeClass adds to the requests and limits of each Pod, which counts in quotas.
   *
   * @default - nothing
   */
  readonly overhead?: RuntimeClassOverhead;
}

/** A tenant: its pools, the users that may claim from them, and upper bounds. */
export interface TenantProps extends ObjectMetadataProps {
  /**
   * Name of the namespace: a DNS label that does not begin with `kube-`.
   *
   * @default - the construct's id
   */
  readonly name?: string;

  /** Templates and pools, at least one. */
  readonly pools: TenantPool[];

  /**
   * Pods that do not meet this level of the Pod Security Standards are refused.
   *
   * @default PodSecurityLevel.RESTRICTED
   */
  readonly enforce?: PodSecurityLevel;

  /**
   * Upper bounds of the tenant. Pools that need more are an error; the quota is the need of the pools.
   *
   * @default - no bound
   */
  readonly maximum?: SandboxNamespaceQuota;

  /**
   * Whether PodDisruptionBudgets protect Sandboxes that are claimed from voluntary evictions, such as those of a node that is drained.
   *
   * @default true
   */
  readonly protectClaimed?: boolean;

  /**
   * Names of users, as the API server authenticates them, who may claim sandboxes and connect to them, and nothing else.
   *
   * @default - none
   */
  readonly users?: string[];

  /**
   * Names of groups whose members may claim sandboxes and connect to them, and nothing else. Groups that everyone is in, such as
   * `system:authenticated`, are refused.
   *
   * @default - none
   */
  readonly groups?: string[];

  /**
   * Service accounts that may claim sandboxes and connect to them, and nothing else. Those of cdk8s-plus that do not say their namespace are
   * in that of the tenant.
   *
   * @default - none
   */
  readonly serviceAccounts?: IServiceAccount[];
}

const MOST = 100_000;
const RBAC = 'rbac.authorization.k8s.io';
const ROLE = 'sandbox-user';

/** Groups that are not those of a tenant. */
const EVERYONE: readonly string[] = ['system:authenticated', 'system:unauthenticated', 'system:serviceaccounts', 'system:masters', 'system:nodes'];

/**
 * A tenant of a cluster: a namespace that enforces a Pod Security level and denies all traffic by default, templates with their pools and
 * disruption budgets, a quota and container limits that are computed from these pools, and a role for people and programs that may claim
 * sandboxes, connect to them, and do nothing else.
 *
 * The quota has room for all idle and all claimed Sandboxes. Pods that are about to end still count, so a tenant at its limit waits for them.
 *
 * @throws if a prop is not well-formed, or if the pools need more than `maximum`; the error names every such prop, its value and the remedy
 */
export class Tenant extends Construct {
  /** Name of the namespace. */
  public readonly namespace: string;

  /** What the pools need: the quota of the namespace. */
  public readonly quota: SandboxNamespaceQuota;

  private readonly pools = new Map<string, SandboxWarmPool>();

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the namespace unless `name` is set
   * @param props the tenant
   */
  public constructor(scope: Construct, id: string, props: TenantProps) {
    super(...placed('Tenant', scope, id));
    checkProps(this.node.path, 'TenantProps', props);
    this.namespace = props.name ?? id;
    const problems = Problems.of(this.node.path);
    checkPools(problems, props);
    checkSubjects(problems, props);
    problems.throwIfAny();

    const templates = props.pools.map(({ name, template }) => new SandboxTemplate(this, name, { ...template, namespace: this.namespace }));
    const needs = new Needs();
    props.pools.forEach((pool, index) => needs.add(problems.at(`pools[${index}]`), pool, templates[index]));
    this.quota = needs.quota();
    checkMaximum(problems, props.maximum, needs);
    problems.throwIfAny();

    const namespace = new SandboxNamespace(this, 'Namespace', {
      name: this.namespace, enforce: props.enforce, quota: this.quota, containerLimits: { max: needs.largestContainer() },
      labels: props.labels, annotations: props.annotations,
    });
    props.pools.forEach((pool, index) => this.addPool(pool, templates[index], props));
    this.addRole(props);
    // Policy, quota and limits first: no Pod must run without them.
    this.node.findAll().filter(ApiObject.isApiObject).filter(object => object.node.scope !== namespace).forEach(object =>
      object.addDependency(...namespace.node.children));
    checkTreeAtSynth(this);
  }

  /**
   * The pool of a name, for claims: `tenant.pool('python').claim('ticket-42')`.
   *
   * @param name name of one of the pools
   * @throws if there is none of this name
   */
  public pool(name: string): SandboxWarmPool {
    const pool = this.pools.get(name);
    if (!pool) {
      const problems = Problems.of(this.node.path);
      problems.add('pool', name, `the tenant has no pool of this name: use one of ${[...this.pools.keys()].join(', ')}`);
      problems.throwIfAny();
    }
    return pool!;
  }

  private addPool({ name, replicas, autoscale, updateStrategy }: TenantPool, template: SandboxTemplate, { protectClaimed }: TenantProps): void {
    const pool = template.addWarmPool(name, { replicas: autoscale ? undefined : replicas ?? 1, updateStrategy });
    if (autoscale) {
      pool.autoscale(autoscale);
    }
    if (protectClaimed ?? true) {
      new SandboxDisruptionBudget(template, 'budget', { template, name, namespace: this.namespace });
    }
    this.pools.set(name, pool);
  }

  private addRole({ users = [], groups = [], serviceAccounts = [] }: TenantProps): void {
    const subjects = [
      ...users.map(name => ({ kind: 'User', apiGroup: RBAC, name })),
      ...groups.map(name => ({ kind: 'Group', apiGroup: RBAC, name })),
      ...serviceAccounts.map(account => ({
        kind: 'ServiceAccount', name: account.name, namespace: namespaceOf(account) ?? this.namespace,
      })),
    ];
    if (subjects.length === 0) {
      return;
    }
    const metadata = { name: ROLE, namespace: this.namespace };
    const rules = USER_RULES.user.map(({ apiGroups, resources, verbs }) => ({ apiGroups, resources, verbs }));
    new ApiObject(this, 'Role', { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata, rules });
    new ApiObject(this, 'RoleBinding', { apiVersion: `${RBAC}/v1`, kind: 'RoleBinding', metadata, roleRef: { apiGroup: RBAC, kind: 'Role', name: ROLE }, subjects });
  }
}
checkCalls(Tenant);

function namespaceOf(account: IServiceAccount): string | undefined {
  const object = Construct.isConstruct(account) ? account.node.defaultChild : undefined;
  return object && ApiObject.isApiObject(object) ? object.metadata.namespace : undefined;
}

function checkPools(problems: Problems, { pools }: TenantProps): void {
  if (pools.length === 0) {
    problems.add('pools', [], 'a tenant has at least one pool');
  }
  problems.unique(index => `pools[${index}].name`, pools.map(({ name }) => name), 'name each pool of a tenant differently');
  pools.forEach(({ claims, replicas, autoscale, template }, index) => {
    const at = problems.at(`pools[${index}]`);
    at.check('claims', claims, integer(0, MOST));
    at.check('replicas', replicas, integer(0, MOST));
    if (autoscale && replicas !== undefined) {
      at.add('replicas', replicas, 'the autoscaler sets the number: leave it out');
    }
    if (template.name !== undefined) {
      at.add('template.name', template.name, 'the template has the name of the pool: leave it out');
    }
    if (template.namespace !== undefined) {
      at.add('template.namespace', template.namespace, 'the template is in the namespace of the tenant: leave it out');
    }
    if (template.claimableFrom?.length) {
      at.add('template.claimableFrom', template.claimableFrom, "a tenant's templates are for the tenant alone: leave it out");
    }
  });
}

function checkSubjects(problems: Problems, { users = [], groups = [] }: TenantProps): void {
  users.forEach((user, index) => {
    if (user.startsWith('system:serviceaccount:')) {
      problems.add(`users[${index}]`, user, 'name it in serviceAccounts');
    }
  });
  groups.forEach((group, index) => {
    if (EVERYONE.includes(group)) {
      problems.add(`groups[${index}]`, group, 'these are not the people of one tenant: name a group of its own');
    }
  });
  problems.unique(index => `users[${index}]`, users, 'list it once');
  problems.unique(index => `groups[${index}]`, groups, 'list it once');
}

/** What the pools need together, and each of them. */
class Needs {
  private readonly resources = new Map<string, { readonly total: Quantity; readonly parts: string[] }>();
  private readonly counts = { sandboxes: 0, sandboxClaims: 0, persistentVolumeClaims: 0 };
  private readonly parts: Record<keyof Needs['counts'], string[]> = { sandboxes: [], sandboxClaims: [], persistentVolumeClaims: [] };
  private readonly largest = new Map<string, Quantity>();
  private claimsBringVolumes = false;

  public add(problems: Problems, pool: TenantPool, { _blueprint: { podTemplate, volumeClaimTemplates = [] }, claimVolumes }: SandboxTemplate): void {
    const idle = pool.autoscale?.maxReplicas ?? pool.replicas ?? 1;
    const sandboxes = idle + pool.claims;
    this.count('sandboxes', sandboxes, pool);
    this.count('sandboxClaims', pool.claims, pool);
    this.count('persistentVolumeClaims', sandboxes * volumeClaimTemplates.length, pool);
    this.claimsBringVolumes ||= claimVolumes !== ClaimOverrides.DISALLOWED;

    const spec = podTemplate.spec!;
    (['sidecars', 'initContainers', 'containers'] as const).forEach(list => (pool.template[list] ?? []).forEach((container, index) => {
      const rendered = [...(spec.initContainers ?? []), ...spec.containers].find(({ name }) => name === (container.name ?? 'sandbox'));
      for (const resource of ['cpu', 'memory'] as const) {
        if (rendered?.resources?.limits?.[resource] === undefined) {
          problems.add(`template.${list}[${index}].${resource}`, undefined, 'say how much it may use: the quota of the tenant is computed from it');
        }
      }
    }));
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      for (const resource of ['cpu', 'memory']) {
        const limit = Quantity.tryParse(String(container.resources?.limits?.[resource]?.value ?? ''));
        const known = this.largest.get(resource);
        if (limit && (!known || limit.exceeds(known))) {
          this.largest.set(resource, limit);
        }
      }
    }
    for (const [side, amounts] of Object.entries(podAmounts(spec, pool.overhead))) {
      for (const [resource, amount] of Object.entries(amounts)) {
        // Kubernetes counts extended resources by their requests only.
        if (side === 'requests' || !resource.includes('/')) {
          this.amount(`${side}.${resource}`, amount, sandboxes, pool);
        }
      }
    }
    for (const volume of volumeClaimTemplates) {
      this.amount('requests.storage', Quantity.tryParse(String(volume.spec?.resources?.requests?.storage?.value))!, sandboxes, pool);
    }
  }

  public quota(): SandboxNamespaceQuota {
    const amount = (resource: string) => this.resources.get(resource)?.total.toString();
    const others = [...this.resources.keys()].filter(resource => !(Object.values(AMOUNT_PROPS) as string[]).includes(resource)).sort();
    return {
      sandboxes: this.counts.sandboxes,
      sandboxClaims: this.counts.sandboxClaims,
      ...(!this.claimsBringVolumes && { persistentVolumeClaims: this.counts.persistentVolumeClaims }),
      ...Object.fromEntries(Object.entries(AMOUNT_PROPS).flatMap(([prop, resource]) =>
        (amount(resource) === undefined || (prop === 'requestsStorage' && this.claimsBringVolumes) ? [] : [[prop, amount(resource)]]))),
      ...(others.length > 0 && { others: Object.fromEntries(others.map(resource => [resource, amount(resource)!])) }),
    };
  }

  public largestContainer(): { readonly cpu?: string; readonly memory?: string } {
    return { cpu: this.largest.get('cpu')?.toString(), memory: this.largest.get('memory')?.toString() };
  }

  /** Which pools need how much of a count or a resource of a quota. */
  public partsOf(key: string): string {
    return (this.parts[key as keyof Needs['parts']] ?? this.resources.get(key)?.parts ?? []).join(', ');
  }

  private count(key: keyof Needs['counts'], number: number, { name }: TenantPool): void {
    this.counts[key] += number;
    this.parts[key].push(`${name}: ${number}`);
  }

  private amount(resource: string, each: Quantity, times: number, { name }: TenantPool): void {
    const { total, parts } = this.resources.get(resource) ?? { total: Quantity.ZERO, parts: [] };
    this.resources.set(resource, { total: total.plus(each.times(times)), parts: [...parts, `${name}: ${times} x ${each}`] });
  }
}

const AMOUNT_PROPS = {
  requestsStorage: 'requests.storage', requestsCpu: 'requests.cpu', requestsMemory: 'requests.memory', limitsCpu: 'limits.cpu', limitsMemory: 'limits.memory',
} as const satisfies Partial<Record<keyof SandboxNamespaceQuota, string>>;

function checkMaximum(problems: Problems, maximum: SandboxNamespaceQuota | undefined, needs: Needs): void {
  const { others: needed = {}, ...quota } = needs.quota();
  const { others: most = {}, ...maxima } = maximum ?? {};
  const check = (prop: string, key: string, allowed: unknown, need: unknown) => {
    const [left, right] = [Quantity.tryParse(String(need)), Quantity.tryParse(String(allowed))];
    if (left && right && left.exceeds(right)) {
      problems.add(`maximum.${prop}`, allowed, `the pools need ${need} (${needs.partsOf(key)}): raise it, or make pools smaller`);
    }
  };
  for (const [prop, allowed] of Object.entries(maxima)) {
    // A Sandbox has one Pod.
    const key = prop === 'pods' ? 'sandboxes' : prop as keyof typeof quota;
    check(prop, AMOUNT_PROPS[key as keyof typeof AMOUNT_PROPS] ?? key, allowed, quota[key as keyof typeof quota]);
  }
  for (const [resource, allowed] of Object.entries(most)) {
    check(`others['${resource}']`, resource, allowed, needed[resource]);
  }
}
