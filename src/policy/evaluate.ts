import { AddressSet } from './address-set';
import type { Namespaces, PodGroup } from './pods';
import type { Direction, NamespacedPolicy, Peer, PolicyRule, PortRange, TierPolicy } from './policies';
import type { PolicyIndex } from './policy-index';
import { every, selects, some, type Truth } from './selectors';

/** The other end of a connection. @internal */
export type Target =
  /** Hosts that are no Pods of the cluster. */
  | { readonly kind: 'addresses'; readonly set: AddressSet }
  | { readonly kind: 'pods'; readonly pods: PodGroup };

/** Neighbouring ports of one protocol, of which no rule tells one from another. @internal */
export interface PortPoint {
  readonly protocol: string;
  readonly from: number;
  readonly to: number;
}

/** Addresses of a rule. @internal */
export interface Block {
  readonly set: AddressSet;
  /** Whether a Pod has one of them, as far as the ranges of Pods tell. */
  readonly pods: Truth;
}

/** What the manifests do not say. @internal */
export interface Surroundings {
  readonly namespaces: Namespaces;
  readonly podAddresses: AddressSet;
  readonly nodeAddresses?: AddressSet;

  /** Blocks of addresses in rules, by their text. */
  readonly blocks: Map<string, Block>;

  /** Ports of one protocol that an engine takes in one rule. */
  readonly maxPortsPerRule?: number;
}

/** Part of the targets, and the rule that decides for it. @internal */
export interface Decision {
  readonly set: AddressSet;
  readonly verdict: 'allowed' | 'denied' | 'unknown';
  readonly reason: string;
  readonly place?: string;
}

/** The policies of a set. @internal */
export interface PolicySet {
  readonly namespaced: PolicyIndex;
  readonly tiers: readonly TierPolicy[];
}

interface Match {
  readonly yes: AddressSet;
  readonly maybe: AddressSet;
}

/** Stands for Pods where sets are computed: they are selected together or not at all. */
const PODS = AddressSet.of('0.0.0.0/32');
const NONE: Match = { yes: AddressSet.EMPTY, maybe: AddressSet.EMPTY };

/** The set that stands for all of a target. @internal */
function universeOf(target: Target): AddressSet {
  return target.kind === 'addresses' ? target.set : PODS;
}

/** One question: which part of the target can connect, or be connected to, on a port. @internal */
export interface Question {
  readonly policies: PolicySet;
  readonly around: Surroundings;
  readonly subject: PodGroup;
  readonly direction: Direction;
  readonly target: Target;
  readonly point: PortPoint;
}

/**
 * What the policies decide about connections between a group of Pods and a target, in the order of the API: ClusterNetworkPolicies of
 * the tier Admin, then the union of all NetworkPolicies, then the tier Baseline, where the first matching rule of a tier decides.
 *
 * @internal
 */
export function decide(question: Question): Decision[] {
  const { subject, target } = question;
  if (subject.hostNetwork) {
    return [{ set: universeOf(target), verdict: 'allowed', reason: 'no policy applies to Pods on the host network', place: subject.place }];
  }
  const admin = firstMatches(question, 'Admin', universeOf(target));
  return [...admin.decisions, ...unionOfPolicies(question, admin.rest.union(admin.passed))].filter(({ set }) => !set.isEmpty);
}

/** What a tier decides, what it passes on, and what it says nothing about. */
interface TierResult {
  readonly decisions: Decision[];
  readonly passed: AddressSet;
  readonly rest: AddressSet;
}

/** Whether a cluster-wide policy applies to Pods. @internal */
export function tierSelects(policy: TierPolicy, { namespaces }: Surroundings, subject: PodGroup): Truth {
  return every([selects(policy.namespaces, namespaces.labelsOf(subject.namespace)), selects(policy.pods, subject)]);
}

function firstMatches(question: Question, tier: 'Admin' | 'Baseline', universe: AddressSet): TierResult {
  const { policies, around, subject, direction } = question;
  const decisions: Decision[] = [];
  let rest = universe;
  let passed = AddressSet.EMPTY;
  for (const policy of policies.tiers.filter(each => each.tier === tier)) {
    const selected = tierSelects(policy, around, subject);
    if (selected === 'no') {
      continue;
    }
    for (const rule of policy[direction]) {
      const match = matchOf(question, rule);
      const yes = selected === 'yes' ? rest.intersect(match.yes) : AddressSet.EMPTY;
      const maybe = rest.intersect(match.yes.union(match.maybe)).minus(yes);
      const reason = `${rule.source} (${rule.action})`;
      if (rule.action === 'Pass') {
        passed = passed.union(yes);
      } else {
        decisions.push({ set: yes, verdict: rule.action === 'Accept' ? 'allowed' : 'denied', reason, place: policy.place });
      }
      decisions.push({ set: maybe, verdict: 'unknown', reason: `whether it matches is not known: ${reason}`, place: policy.place });
      rest = rest.minus(yes).minus(maybe);
    }
  }
  return { decisions, passed, rest };
}

function unionOfPolicies(question: Question, universe: AddressSet): Decision[] {
  const { policies, subject, direction } = question;
  if (universe.isEmpty) {
    return [];
  }
  const selecting = policies.namespaced.of(subject).filter(({ policy }) => policy.directions.includes(direction));
  if (selecting.length === 0) {
    return baseline(question, universe);
  }
  const certain = selecting.filter(({ selected }) => selected === 'yes').map(({ policy }) => policy);
  return certain.length > 0
    ? isolated(question, universe, certain, selecting.map(({ policy }) => policy))
    : perhapsIsolated(question, universe, selecting.map(({ policy }) => policy));
}

/** Some policies certainly select the Pods, so what no rule allows is denied. */
function isolated(question: Question, universe: AddressSet, certain: readonly NamespacedPolicy[], all: readonly NamespacedPolicy[]): Decision[] {
  const { direction } = question;
  const decisions: Decision[] = [];
  const possible: Decision[] = [];
  let rest = universe;
  const settle = ({ set, ...decision }: Decision) => {
    decisions.push({ ...decision, set: rest.intersect(set) });
    rest = rest.minus(set);
  };
  const seen = new Set<string>();
  for (const policy of all) {
    const applies = certain.includes(policy);
    const content = `${applies} ${policy.content[direction]}`;
    if (rest.isEmpty || seen.has(content)) {
      continue;
    }
    seen.add(content);
    for (const { source, ...rule } of policy[direction]) {
      const { yes, maybe } = matchOf(question, { source, ...rule }, policy);
      if (applies) {
        settle({ set: yes, verdict: 'allowed', reason: source, place: policy.place });
      }
      possible.push(applies
        ? { set: maybe, verdict: 'unknown', reason: `whether it matches is not known: ${source}`, place: policy.place }
        : { set: yes.union(maybe), verdict: 'unknown', reason: `whether it applies to these Pods is not known: ${source}`, place: policy.place });
    }
  }
  possible.forEach(settle);
  settle({
    set: rest, verdict: 'denied',
    reason: `no ${direction} rule of ${certain.map(({ source }) => source).join(', ')} matches`, place: certain[0].place,
  });
  return decisions;
}

/** Each policy may or may not select the Pods: what all of them allow, and what is allowed without any, is allowed. */
function perhapsIsolated(question: Question, universe: AddressSet, policies: readonly NamespacedPolicy[]): Decision[] {
  const allowedBy = (policy: NamespacedPolicy) =>
    policy[question.direction].reduce((all, rule) => all.union(matchOf(question, rule, policy).yes), AddressSet.EMPTY);
  const open = baseline(question, universe)
    .filter(({ verdict }) => verdict === 'allowed')
    .reduce((all, { set }) => all.union(set), AddressSet.EMPTY);
  const allowed = policies.reduce((set, policy) => set.intersect(allowedBy(policy)), open);
  const names = policies.map(({ source }) => source).join(', ');
  return [
    { set: allowed, verdict: 'allowed', reason: `allowed by each of ${names}, whichever apply` },
    { set: universe.minus(allowed), verdict: 'unknown', reason: `whether these apply to these Pods is not known: ${names}`, place: policies[0].place },
  ];
}

function baseline(question: Question, universe: AddressSet): Decision[] {
  const { decisions, passed, rest } = firstMatches(question, 'Baseline', universe);
  const { direction, subject } = question;
  return [...decisions, {
    set: rest.union(passed), verdict: 'allowed', reason: `no NetworkPolicy restricts the ${direction} of these Pods`, place: subject.place,
  }];
}

/** The part of the targets that a rule matches on a port. `policy` is the NetworkPolicy of the rule, if it has one. */
function matchOf(question: Question, rule: PolicyRule, policy?: NamespacedPolicy): Match {
  const { direction, subject, target, point } = question;
  const listening = direction === 'ingress' ? subject : target.kind === 'pods' ? target.pods : undefined;
  const port = some((rule.ports ?? [{ protocol: point.protocol }]).map(each => portMatches(each, point, listening)));
  if (port === 'no') {
    return NONE;
  }
  const parts = rule.peers === undefined
    ? [{ yes: universeOf(target), maybe: AddressSet.EMPTY }]
    : rule.peers.map(peer => peerMatches(question, peer, policy));
  const yes = parts.reduce((set, part) => set.union(part.yes), AddressSet.EMPTY);
  const maybe = parts.reduce((set, part) => set.union(part.maybe), AddressSet.EMPTY).minus(yes);
  return port === 'yes' && !exceedsLimit(rule, point, question.around) ? { yes, maybe } : { yes: AddressSet.EMPTY, maybe: yes.union(maybe) };
}

/** Whether the rule has more ports than the engine takes, so that some of them are not enforced: which ones is not known. */
function exceedsLimit({ ports = [] }: PolicyRule, { protocol }: PortPoint, { maxPortsPerRule = Infinity }: Surroundings): boolean {
  return ports.filter(each => each.protocol === protocol).length > maxPortsPerRule;
}

function portMatches(range: PortRange, point: PortPoint, listening: PodGroup | undefined): Truth {
  if (range.protocol !== point.protocol) {
    return 'no';
  }
  if (range.name !== undefined) {
    // A name is looked up in the Pod that listens; a host outside of the cluster has none.
    return some((listening?.ports ?? [])
      .filter(port => port.name === range.name && port.protocol === point.protocol)
      .map(port => (port.port === point.from && port.port === point.to ? 'yes' : port.port >= point.from && port.port <= point.to ? 'maybe' : 'no')));
  }
  return range.from === undefined || (range.from <= point.from && point.to <= (range.to ?? range.from)) ? 'yes' : 'no';
}

function peerMatches({ around, target }: Question, peer: Peer, policy: NamespacedPolicy | undefined): Match {
  if (peer.unresolved) {
    const known = peer.unresolved === 'nodes' ? around.nodeAddresses : undefined;
    return target.kind === 'pods' ? NONE : { yes: AddressSet.EMPTY, maybe: known ? target.set.intersect(known) : target.set };
  }
  if (peer.cidrs) {
    const block = blockOf(around, peer);
    if (target.kind === 'addresses') {
      return { yes: target.set.intersect(block.set), maybe: AddressSet.EMPTY };
    }
    // Of the addresses of Pods that do not run yet, only the range is known.
    const selected = target.pods.addresses ? containedIn(block.set, target.pods.addresses) : block.pods;
    return selected === 'no' ? NONE : matchOfPods(selected);
  }
  if (target.kind === 'addresses') {
    return NONE;
  }
  const { pods } = target;
  if (pods.hostNetwork) {
    // Such a Pod has the address of its node; whether selectors match it differs between network plugins.
    return matchOfPods('maybe');
  }
  const inNamespace: Truth = peer.namespaces ? selects(peer.namespaces, around.namespaces.labelsOf(pods.namespace))
    : pods.namespace === policy?.namespace ? 'yes'
      : pods.namespace === undefined || policy?.namespace === undefined ? 'maybe' : 'no';
  return matchOfPods(every([inNamespace, selects(peer.pods ?? {}, pods)]));
}

/** The addresses of a peer, and whether Pods of which no address is known have them. Equal blocks are worked out once. */
function blockOf(around: Surroundings, { cidrs = [], except = [], block: text = '' }: Peer): Block {
  let block = around.blocks.get(text);
  if (!block) {
    const set = AddressSet.of(...cidrs).minus(AddressSet.of(...except));
    block = { set, pods: containedIn(set, around.podAddresses) };
    around.blocks.set(text, block);
  }
  return block;
}

function containedIn(set: AddressSet, addresses: AddressSet): Truth {
  return set.intersect(addresses).isEmpty ? 'no' : set.contains(addresses) ? 'yes' : 'maybe';
}

function matchOfPods(selected: Truth): Match {
  return { yes: selected === 'yes' ? PODS : AddressSet.EMPTY, maybe: selected === 'maybe' ? PODS : AddressSet.EMPTY };
}

/** The ports of a protocol, cut wherever a rule that applies to one of the groups begins or ends, or a port that one of them declares. @internal */
export function portPoints({ namespaced, tiers }: PolicySet, groups: readonly PodGroup[], protocol: string): PortPoint[] {
  const starts = new Set([0]);
  const cut = (from: number | undefined, to: number | undefined) => {
    if (from !== undefined) {
      starts.add(from);
      starts.add((to ?? from) + 1);
    }
  };
  for (const policy of [...groups.flatMap(group => namespaced.of(group).map(each => each.policy)), ...tiers]) {
    for (const range of [...policy.ingress, ...policy.egress].flatMap(rule => rule.ports ?? [])) {
      if (range.protocol === protocol) {
        cut(range.from, range.to);
      }
    }
  }
  groups.flatMap(group => group.ports).filter(port => port.protocol === protocol).forEach(port => cut(port.port, port.port));
  const sorted = [...starts].filter(start => start <= 65535).sort((a, b) => a - b);
  return sorted.map((from, index) => ({ protocol, from, to: (sorted[index + 1] ?? 65536) - 1 }));
}
