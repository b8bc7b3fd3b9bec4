import type { Duration } from 'cdk8s';
import type * as l1 from '../../imports';
import { checkCalls, integer, labelValue, Problems, qualifiedName, wholeSeconds } from '../checks';
import { checkTolerations } from './isolation';

/** What a taint of a node does to Pods that do not tolerate it. */
export enum TaintEffect {
  /** They are not scheduled there; those that run there stay. */
  NO_SCHEDULE = 'NoSchedule',

  /** They are scheduled elsewhere if possible. */
  PREFER_NO_SCHEDULE = 'PreferNoSchedule',

  /** They are not scheduled there, and those that run there are evicted. */
  NO_EXECUTE = 'NoExecute',
}

/** Which taints of a key are tolerated. */
export interface TolerationOptions {
  /**
   * Value of the taint.
   *
   * @default - any value
   */
  readonly value?: string;

  /**
   * Effect of the taint.
   *
   * @default - any effect
   */
  readonly effect?: TaintEffect;

  /**
   * Time after which a Pod is evicted although it tolerates the taint: whole seconds. Needs `TaintEffect.NO_EXECUTE`.
   *
   * @default - never
   */
  readonly evictAfter?: Duration;
}

/** Tolerations of taints, for the prop `tolerations`. */
export class Tolerations {
  /**
   * Tolerates a taint: `Tolerations.taint('nvidia.com/gpu', { effect: TaintEffect.NO_SCHEDULE })`.
   *
   * @param key key of the taint
   * @param options value and effect
   * @throws if the key, value or time is not well-formed
   */
  public static taint(key: string, options: TolerationOptions = {}): l1.Toleration {
    const problems = Problems.of('Tolerations.taint');
    const { value, effect } = options;
    const tolerationSeconds = wholeSeconds(problems, 'evictAfter', options.evictAfter, 0);
    if (tolerationSeconds !== undefined && effect !== TaintEffect.NO_EXECUTE) {
      problems.add('evictAfter', `${tolerationSeconds}s`, 'only a taint of effect TaintEffect.NO_EXECUTE evicts: set the effect or leave it out');
    }
    problems.check('key', key, qualifiedName);
    problems.check('value', value, labelValue);
    problems.throwIfAny();
    return { key, operator: value === undefined ? 'Exists' : 'Equal', value, effect, tolerationSeconds };
  }

  /**
   * Tolerates every taint of an effect, or every taint there is. For Pods that must run on each node.
   *
   * @param effect effect of the taints; undefined is any
   */
  public static everyTaint(effect?: TaintEffect): l1.Toleration {
    const toleration: l1.Toleration = { operator: 'Exists', effect };
    checkTolerations(Problems.of('Tolerations.everyTaint'), 'effect', [toleration]);
    return toleration;
  }

  private constructor() {}
}
checkCalls(Tolerations);

/** What a label of a node must be like, for the props `requiredNodes` and `preferredNodes`. Values are immutable. */
export class NodeRule {
  /**
   * The label has one of these values.
   *
   * @param key key of the label
   * @param values at least one
   * @throws if the key or a value is not well-formed
   */
  public static isIn(key: string, ...values: string[]): NodeRule {
    return new NodeRule('NodeRule.isIn', key, 'In', values, true);
  }

  /**
   * The label has none of these values, or is not there.
   *
   * @param key key of the label
   * @param values at least one
   * @throws if the key or a value is not well-formed
   */
  public static isNotIn(key: string, ...values: string[]): NodeRule {
    return new NodeRule('NodeRule.isNotIn', key, 'NotIn', values, true);
  }

  /**
   * The label is there.
   *
   * @param key key of the label
   * @throws if the key is not well-formed
   */
  public static exists(key: string): NodeRule {
    return new NodeRule('NodeRule.exists', key, 'Exists');
  }

  /**
   * The label is not there.
   *
   * @param key key of the label
   * @throws if the key is not well-formed
   */
  public static doesNotExist(key: string): NodeRule {
    return new NodeRule('NodeRule.doesNotExist', key, 'DoesNotExist');
  }

  /**
   * The label is a whole number above another.
   *
   * @param key key of the label
   * @param bound whole number, which is not included
   * @throws if the key or the bound is not well-formed
   */
  public static greaterThan(key: string, bound: number): NodeRule {
    return NodeRule.compared('NodeRule.greaterThan', key, 'Gt', bound);
  }

  /**
   * The label is a whole number below another.
   *
   * @param key key of the label
   * @param bound whole number, which is not included
   * @throws if the key or the bound is not well-formed
   */
  public static lessThan(key: string, bound: number): NodeRule {
    return NodeRule.compared('NodeRule.lessThan', key, 'Lt', bound);
  }

  private static compared(where: string, key: string, operator: string, bound: number): NodeRule {
    const problems = Problems.of(where);
    problems.check('bound', bound, value => (Number.isSafeInteger(value) ? undefined : 'use a whole number'));
    problems.throwIfAny();
    return new NodeRule(where, key, operator, [String(bound)]);
  }

  private constructor(
    where: string,
    private readonly key: string,
    private readonly operator: string,
    private readonly values?: readonly string[],
    areLabels = false,
    /** How much it counts among `preferredNodes`, 1 to 100. */
    public readonly weight: number = 1,
  ) {
    const problems = Problems.of(where);
    problems.check('key', key, qualifiedName);
    problems.check('weight', weight, integer(1, 100));
    if (values?.length === 0) {
      problems.add('values', [], 'name at least one value');
    }
    (areLabels ? values ?? [] : []).forEach((value, index) => problems.check(`values[${index}]`, value, labelValue));
    problems.throwIfAny();
  }

  /**
   * The same rule with another weight, for `preferredNodes`: nodes get the sum of the weights of the rules that they meet.
   *
   * @param weight 1 to 100; without it, 1
   * @throws if the weight is out of bounds
   */
  public withWeight(weight: number): NodeRule {
    return new NodeRule('NodeRule.withWeight', this.key, this.operator, this.values, false, weight);
  }

  /** @internal */
  public get _requirement(): l1.NodeSelectorRequirement {
    return { key: this.key, operator: this.operator, values: this.values && [...this.values] };
  }
}
checkCalls(NodeRule);

/** How strictly Pods are spread, and which. */
export interface PodSpreadOptions {
  /**
   * By how many Pods the fullest place may differ from the emptiest: at least 1.
   *
   * @default 1
   */
  readonly maxSkew?: number;

  /**
   * Whether a Pod waits if there is no place that keeps the skew. Otherwise the scheduler only prefers such places.
   *
   * @default false
   */
  readonly required?: boolean;

  /**
   * Labels of the Pods that are counted, in the namespace of the Pod.
   *
   * @default - templates: the Pods of the template; Sandboxes: Pods with the same `podLabels`
   */
  readonly labels?: { [key: string]: string };
}

/** How Pods are spread over the parts of a cluster, for the prop `spread`. Values are immutable. */
export class PodSpread {
  /**
   * Over nodes.
   *
   * @param options how strictly, and which Pods
   * @throws if an option is not well-formed
   */
  public static overNodes(options: PodSpreadOptions = {}): PodSpread {
    return new PodSpread('PodSpread.overNodes', 'kubernetes.io/hostname', options);
  }

  /**
   * Over zones.
   *
   * @param options how strictly, and which Pods
   * @throws if an option is not well-formed
   */
  public static overZones(options: PodSpreadOptions = {}): PodSpread {
    return new PodSpread('PodSpread.overZones', 'topology.kubernetes.io/zone', options);
  }

  /**
   * Over nodes that differ in the value of a label.
   *
   * @param key key of the label
   * @param options how strictly, and which Pods
   * @throws if the key or an option is not well-formed
   */
  public static overLabel(key: string, options: PodSpreadOptions = {}): PodSpread {
    return new PodSpread('PodSpread.overLabel', key, options);
  }

  private constructor(where: string, private readonly topologyKey: string, private readonly options: PodSpreadOptions) {
    const problems = Problems.of(where);
    problems.check('key', topologyKey, qualifiedName);
    problems.check('maxSkew', options.maxSkew, integer(1));
    for (const [key, value] of Object.entries(options.labels ?? {})) {
      problems.check('labels key', key, qualifiedName);
      problems.check(`labels['${key}']`, value, labelValue);
    }
    if (options.labels && Object.keys(options.labels).length === 0) {
      problems.add('labels', {}, 'name at least one label, or leave it out');
    }
    problems.throwIfAny();
  }

  /** The constraint of a Pod; `own` selects the Pods that it is one of. @internal */
  public _constraint(problems: Problems, prop: string, own: { readonly [key: string]: string } | undefined): l1.TopologySpreadConstraint {
    const { maxSkew = 1, required, labels = own } = this.options;
    if (labels === undefined) {
      problems.add(`${prop}.labels`, undefined, 'say which Pods are counted: give the labels, or podLabels to the Sandboxes');
    }
    return {
      maxSkew,
      topologyKey: this.topologyKey,
      whenUnsatisfiable: required ? 'DoNotSchedule' : 'ScheduleAnyway',
      labelSelector: { matchLabels: { ...labels } },
    };
  }
}
checkCalls(PodSpread);

/**
 * The affinity of a Pod, with the rules for nodes that have props of their own.
 *
 * @internal
 */
export function nodeAffinity(
  problems: Problems,
  props: { readonly affinity?: l1.Affinity; readonly requiredNodes?: readonly NodeRule[]; readonly preferredNodes?: readonly NodeRule[] },
): l1.Affinity | undefined {
  const { affinity, requiredNodes = [], preferredNodes = [] } = props;
  if (requiredNodes.length === 0 && preferredNodes.length === 0) {
    return affinity;
  }
  if (affinity?.nodeAffinity) {
    problems.add('affinity.nodeAffinity', affinity.nodeAffinity, `${requiredNodes.length > 0 ? 'requiredNodes' : 'preferredNodes'} sets it too: set it in one place`);
  }
  requiredNodes.forEach(({ weight }, index) => {
    if (weight !== 1) {
      problems.add(`requiredNodes[${index}].weight`, weight, 'a node must meet all of these rules: leave withWeight out, or move the rule to preferredNodes');
    }
  });
  return {
    ...affinity,
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: requiredNodes.length > 0
        ? { nodeSelectorTerms: [{ matchExpressions: requiredNodes.map(rule => rule._requirement) }] } : undefined,
      preferredDuringSchedulingIgnoredDuringExecution: preferredNodes.length > 0
        ? preferredNodes.map(rule => ({ weight: rule.weight, preference: { matchExpressions: [rule._requirement] } })) : undefined,
    },
  };
}
