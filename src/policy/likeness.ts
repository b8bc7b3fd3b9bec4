import { type PolicySet, type Surroundings, tierSelects } from './evaluate';
import type { Direction, PolicyRule } from './policies';
import type { PodGroup } from './pods';
import { selects } from './selectors';

/**
 * Keys of Pods: two groups have the same key if the policies decide the same about them, whatever the names of policies, objects and namespaces.
 * Sets of manifests have many objects and few different policies, so most answers are worked out once for many objects.
 *
 * @internal
 */
export class Likeness {
  /** @param named namespaces that questions name: in these, Pods are not like those of others */
  public constructor(private readonly policies: PolicySet, private readonly around: Surroundings, private readonly named: ReadonlySet<string>) {}

  /** The key of Pods for questions of a direction about addresses, Pods of their own namespace, or Pods of a namespace that is named or unknown. */
  public of(subject: PodGroup, direction: Direction): string {
    const { hostNetwork, namespace, ports } = subject;
    if (hostNetwork) {
      return 'host network';
    }
    const own = this.around.namespaces.labelsOf(namespace);
    const truths = (rules: readonly PolicyRule[]) => rules.flatMap(({ peers = [] }) => peers)
      .flatMap(({ namespaces }) => (namespaces ? selects(namespaces, own) : [])).join();
    const policies = this.policies.namespaced.of(subject).filter(({ policy }) => policy.directions.includes(direction))
      .map(({ policy, selected }) => `${selected} ${policy.content[direction]} ${truths(policy[direction])}`);
    return [
      namespace === undefined || this.named.has(namespace) ? namespace : '*',
      ...(direction === 'ingress' ? [JSON.stringify(ports)] : []),
      ...new Set(policies),
      ...this.policies.tiers.map((policy, index) => `tier ${index} ${tierSelects(policy, this.around, subject)} ${truths(policy[direction])}`),
    ].join('; ');
  }
}
