import { AddressSet } from './address-set';
import type { Decision, Target } from './evaluate';

/** Whether a connection is possible. */
export enum Reachability {
  /** A rule, or the absence of any policy, allows it. */
  ALLOWED = 'allowed',

  /** A policy applies and no rule of it allows the connection. */
  DENIED = 'denied',

  /** The manifests do not decide it: the reasons name the missing facts. */
  UNKNOWN = 'unknown',
}

/** Whether a connection is possible, and why. */
export interface NetworkAnswer {
  /** The answer. */
  readonly reachability: Reachability;

  /** The rules, or the lack of rules, that decide; each names its object. */
  readonly reasons: string[];

  /** Construct paths, or positions in the list of manifests, of the objects that decide. */
  readonly places: string[];

  /** An address for which the answer holds, if the question was about addresses. */
  readonly example?: string;
}

/** Addresses outside of the cluster that a sandbox reaches on some ports. */
export interface ReachedRange {
  /** TCP, UDP or SCTP. */
  readonly protocol: string;

  /** The first port. */
  readonly fromPort: number;

  /** The last port. */
  readonly toPort: number;

  /** The addresses as the fewest networks in CIDR notation, IPv4 first. */
  readonly cidrs: string[];

  /** False where the manifests do not decide whether the connection is possible. */
  readonly certain: boolean;
}

/** One sandbox of the matrix. */
export interface NetworkMatrixRow {
  /** The object: `SandboxTemplate agents/python`. */
  readonly sandbox: string;

  /** What becomes of its policy: `controller default`, `deny all`, `ingress only`, `egress only`, `custom`, `unmanaged`, or `own` for a Sandbox without a template. */
  readonly policy: string;

  /** Destination to `allowed`, `denied` or `unknown`. */
  readonly cells: { [destination: string]: string };
}

/** Whether two tenants are isolated from each other. */
export interface IsolationAnswer {
  /** True only if every connection between the two is denied. */
  readonly isolated: boolean;

  /** A connection that is possible or not known to be impossible, with the rule; absent if isolated. */
  readonly counterexample?: string;
}

/**
 * One answer for a target. Of several addresses, one that is reached is enough; where the target is one unknown address of them, all
 * have to be.
 *
 * @internal
 */
export function answerOf(target: Target, decisions: readonly Decision[], isOneOf = false): NetworkAnswer {
  const of = (verdict: Decision['verdict']) => decisions.filter(decision => decision.verdict === verdict);
  const [allowed, unknown, denied] = [of('allowed'), of('unknown'), of('denied')];
  const partly = isOneOf && allowed.length > 0 && unknown.length + denied.length > 0;
  const [deciding, certain] = allowed.length > 0
    ? [allowed, Reachability.ALLOWED]
    : unknown.length > 0 ? [unknown, Reachability.UNKNOWN] : [denied, Reachability.DENIED];
  const reasons = deciding.map(({ reason }) => reason);
  return {
    reachability: partly ? Reachability.UNKNOWN : certain,
    reasons: [...new Set(partly ? ['its address is not known, and only some addresses are allowed', ...reasons] : reasons)],
    places: [...new Set(deciding.flatMap(({ place }) => place || []))],
    example: target.kind === 'addresses' ? deciding.reduce((set, each) => set.union(each.set), AddressSet.EMPTY).example : undefined,
  };
}

/** Egress of the one end and ingress of the other. @internal */
export function both(egress: NetworkAnswer, ingress: NetworkAnswer): NetworkAnswer {
  const ends = [egress, ingress];
  const order = [Reachability.DENIED, Reachability.UNKNOWN, Reachability.ALLOWED];
  const weakest = order.find(each => ends.some(({ reachability }) => reachability === each))!;
  const deciding = ends.filter(({ reachability }) => reachability === weakest);
  return {
    reachability: weakest,
    reasons: [...new Set(deciding.flatMap(({ reasons }) => reasons))],
    places: [...new Set(deciding.flatMap(({ places }) => places))],
  };
}

/** The answer of which the most is possible; undefined if there is none. @internal */
export function strongest(answers: readonly NetworkAnswer[]): NetworkAnswer {
  const order = [Reachability.ALLOWED, Reachability.UNKNOWN, Reachability.DENIED];
  return order.flatMap(each => answers.find(({ reachability }) => reachability === each) ?? [])[0];
}
