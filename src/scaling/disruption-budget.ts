import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { checkProps, checkTreeAtSynth, integer, placed, Problems } from '../checks';
import { LABEL, nameHash } from '../generated/vocabulary.gen';
import { checkObject, identityOf, inDifferentNamespaces, type ISandboxTemplate, objectMetadata, type ObjectMetadataProps } from '../objects';

/** Whether Pods that are running but not ready may be evicted. */
export enum UnhealthyPodEvictionPolicy {
  /** Only while the budget is met; the default of Kubernetes. A sandbox that never gets ready can then block a drain. */
  IF_HEALTHY_BUDGET = 'IfHealthyBudget',

  /** Always: only ready sandboxes are protected. */
  ALWAYS_ALLOW = 'AlwaysAllow',
}

/** More than any number of Pods: an eviction would always leave fewer. */
const ALL = 2 ** 31 - 1;

/** Which sandboxes to protect, and how many of them. */
export interface SandboxDisruptionBudgetProps extends ObjectMetadataProps {
  /** Template of the claimed sandboxes to protect. */
  readonly template: ISandboxTemplate;

  /**
   * Name of the object.
   *
   * @default - the construct's id
   */
  readonly name?: string;

  /**
   * Namespace of the object. A budget protects the sandboxes of its own namespace only.
   *
   * @default - the namespace of the chart
   */
  readonly namespace?: string;

  /**
   * Number of claimed sandboxes that stay up when nodes are drained: a whole number from 0 to 2147483647. Percentages
   * do not work, because Kubernetes would have to ask the owner of the Pods for a scale and Sandboxes have none.
   *
   * @default - all of them (2147483647): each sandbox holds work of its own, and none can replace another. Draining a
   * node then waits until its sandboxes have ended
   */
  readonly minAvailable?: number;

  /**
   * Whether Pods that are running but not ready may be evicted.
   *
   * @default - UnhealthyPodEvictionPolicy.IF_HEALTHY_BUDGET (the API server's)
   */
  readonly unhealthyPodEvictionPolicy?: UnhealthyPodEvictionPolicy;
}

/**
 * A PodDisruptionBudget (`policy/v1`) for the claimed sandboxes of a template: voluntary disruptions, such as the drain
 * of a node or the work of the cluster autoscaler, have to leave them alone. Idle sandboxes of warm pools are not
 * protected: the pool replaces them.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxDisruptionBudget extends Construct {
  /** Name of the object. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the object unless `name` is set
   * @param props the budget
   */
  public constructor(scope: Construct, id: string, props: SandboxDisruptionBudgetProps) {
    super(...placed('SandboxDisruptionBudget', scope, id));
    checkProps(this.node.path, 'SandboxDisruptionBudgetProps', props);
    const { template } = props;
    const identity = identityOf(this, id, props);
    this.name = identity.name;
    this.namespace = identity.namespace;

    const problems = Problems.of(this.node.path);
    checkObject(problems, identity, props);
    checkAmount(problems, props);
    problems.throwIfAny();

    // Claims of another namespace use the template under its full name.
    const foreign = inDifferentNamespaces(template.namespace, this.namespace);
    new ApiObject(this, 'Resource', {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: objectMetadata(identity, props),
      spec: {
        minAvailable: props.minAvailable ?? ALL,
        selector: {
          matchLabels: { [LABEL.templateRefHash]: nameHash(foreign ? `${template.namespace}/${template.name}` : template.name) },
          matchExpressions: [{ key: LABEL.warmPool, operator: 'DoesNotExist' }],
        },
        unhealthyPodEvictionPolicy: props.unhealthyPodEvictionPolicy,
      },
    });
    checkTreeAtSynth(this);
  }
}

/** The type of the props says the same, but not to JavaScript, nor to a cast. */
function checkAmount(problems: Problems, props: SandboxDisruptionBudgetProps): void {
  const { minAvailable, maxUnavailable } = props as { readonly minAvailable?: unknown; readonly maxUnavailable?: unknown };
  if (maxUnavailable !== undefined) {
    problems.add('maxUnavailable', maxUnavailable,
      'Kubernetes counts it from the scale of the owner, and Sandboxes have none, so that nothing could ever be evicted: use minAvailable');
  }
  if (typeof minAvailable === 'string') {
    problems.add('minAvailable', minAvailable,
      'Kubernetes counts percentages from the scale of the owner, and Sandboxes have none: use a whole number');
  } else {
    problems.check('minAvailable', minAvailable as number | undefined, integer(0));
  }
}
