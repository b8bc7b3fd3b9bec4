import { append } from '../checks';
import { LABEL } from '../generated/vocabulary.gen';
import type { Manifest } from './manifests';
import type { NamespacedPolicy } from './policies';
import type { PodGroup } from './pods';
import { selects, type Truth } from './selectors';

/** A policy that may select Pods. @internal */
export interface Selecting {
  readonly policy: NamespacedPolicy;
  readonly selected: Truth;
}

/** Pods that a policy may select. @internal */
export interface Selected {
  readonly pods: PodGroup;
  readonly selected: Truth;
}

/** Policies of a namespace by one label that they all need: key, value, policies. */
interface Shelf {
  readonly byLabel: Map<string, Map<string, NamespacedPolicy[]>>;
  readonly others: NamespacedPolicy[];
  /** Of the policies for one Sandbox by its name, those whose Sandbox is not in the set. */
  readonly open: NamespacedPolicy[];
}

function emptyShelf(): Shelf {
  return { byLabel: new Map(), others: [], open: [] };
}

/**
 * The NetworkPolicies of a set, found by the Pods that they select. Most policies select one object by a label of its own, so that looking at
 * each policy for each object would take time that grows with the square of the set.
 *
 * @internal
 */
export class PolicyIndex {
  private readonly shelves = new Map<string | undefined, Shelf>();
  private readonly selecting = new WeakMap<PodGroup, readonly Selecting[]>();
  private selected: Map<Manifest, Selected[]> | undefined;

  public constructor(policies: readonly NamespacedPolicy[], private readonly groups: readonly PodGroup[]) {
    const taken = new Set(groups.filter(({ manifest }) => manifest?.kind === 'Sandbox')
      .map(({ namespace, labels }) => `${namespace ?? ''}/${labels[LABEL.sandboxNameHash]}`));
    for (const policy of policies) {
      const shelf = this.shelves.get(policy.namespace) ?? emptyShelf();
      this.shelves.set(policy.namespace, shelf);
      const [label] = Object.entries(policy.pods.matchLabels ?? {});
      if (label === undefined) {
        shelf.others.push(policy);
        continue;
      }
      const [key, value] = label;
      const values = shelf.byLabel.get(key) ?? new Map<string, NamespacedPolicy[]>();
      shelf.byLabel.set(key, values);
      append(values, value, policy);
      if (key === LABEL.sandboxNameHash && !taken.has(`${policy.namespace ?? ''}/${value}`)) {
        shelf.open.push(policy);
      }
    }
  }

  /** The policies that may select a group of Pods, in the order of the manifests. */
  public of(pods: PodGroup): readonly Selecting[] {
    let found = this.selecting.get(pods);
    if (!found) {
      found = this.candidates(pods)
        .map(policy => ({ policy, selected: selects(policy.pods, pods) }))
        .filter(({ selected }) => selected !== 'no')
        .sort((a, b) => a.policy.position - b.policy.position);
      this.selecting.set(pods, found);
    }
    return found;
  }

  /** The Pods of the set that a NetworkPolicy, or the policy of a template, may select. */
  public selectedBy(manifest: Manifest): readonly Selected[] {
    if (!this.selected) {
      this.selected = new Map();
      for (const pods of this.groups) {
        this.of(pods).forEach(({ policy, selected }) => append(this.selected!, policy.manifest, { pods, selected }));
      }
    }
    return this.selected.get(manifest) ?? [];
  }

  private candidates(pods: PodGroup): NamespacedPolicy[] {
    const shelf = this.shelves.get(pods.namespace);
    return shelf === undefined ? [] : [...shelf.others, ...[...shelf.byLabel].flatMap(([key, values]) => {
      const value = Object.prototype.hasOwnProperty.call(pods.labels, key) ? pods.labels[key] : undefined;
      if (value !== undefined || !pods.mayHave(key)) {
        return value === undefined ? [] : values.get(value) ?? [];
      }
      // A Sandbox of a template cannot have the name of another Sandbox.
      return key === LABEL.sandboxNameHash && pods.manifest?.kind === 'SandboxTemplate' ? shelf.open : [...values.values()].flat();
    })];
  }
}
