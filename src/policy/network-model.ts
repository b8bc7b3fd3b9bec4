import type { Construct } from 'constructs';
import { append, checkCalls, integer, portNumber, Problems } from '../checks';
import { SPECIAL_RANGES } from '../generated/semantics.gen';
import { cidr, ClusterDns, type NetworkPort } from '../network';
import { AddressSet } from './address-set';
import { type ConnectedAddresses, type ConnectedPods, type Connections, describePort, podsOfPeer } from './connections';
import { destinations } from './destinations';
import { decide, type Decision, type PolicySet, type PortPoint, portPoints, type Surroundings, type Target, tierSelects } from './evaluate';
import { Likeness } from './likeness';
import { type Manifest, manifestsOf, placed, type PlacedManifest } from './manifests';
import { answerOf, both, type IsolationAnswer, type NetworkAnswer, type NetworkMatrixRow, Reachability, type ReachedRange, strongest } from './network-answer';
import { NetworkEndpoint } from './network-endpoint';
import { type NetworkModelProps, ServiceTranslation } from './network-model-props';
import { type Direction, isTemplate, namespacedPolicies, outcomeOf, type Peer, tierPolicies } from './policies';
import { Namespaces, type PodGroup, podGroups } from './pods';
import { PolicyIndex, type Selected } from './policy-index';
import { selects } from './selectors';

const PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
const POD_CIDRS = SPECIAL_RANGES.filter(({ pods }) => pods).map(each => each.cidr);
const KUBELET_PORT = 10250;
/** Stands for every namespace that is not that of the subject. */
const OTHER_NAMESPACE = '(another namespace)';

/**
 * What sandboxes can reach and what can reach them, worked out from manifests: NetworkPolicies, the policies that the controller derives
 * from SandboxTemplates, and ClusterNetworkPolicies (`policy.networking.k8s.io`). Nothing is sampled: addresses and ports are computed as
 * sets. Answers hold for a network plugin that implements the API as specified, and see Pods after Service translation.
 */
export class NetworkModel {
  /**
   * The model of an app or a chart.
   *
   * @param scope the app, chart or construct
   * @param props facts about the cluster
   * @throws if a CIDR is not well-formed
   */
  public static of(scope: Construct, props: NetworkModelProps = {}): NetworkModel {
    return new NetworkModel(manifestsOf(scope), props);
  }

  /**
   * The model of manifests: parsed YAML, `Testing.synth(chart)`, or the objects of a cluster.
   *
   * @param manifests objects of Kubernetes; lists are opened
   * @param props facts about the cluster
   * @throws if a CIDR is not well-formed
   */
  public static ofManifests(manifests: any[], props: NetworkModelProps = {}): NetworkModel {
    return new NetworkModel(placed(manifests), props);
  }

  /** The model of objects with their places; objects without a kind or a name are left out. @internal */
  public static _ofPlaced(manifests: readonly PlacedManifest[], props: NetworkModelProps = {}): NetworkModel {
    return new NetworkModel(manifests.filter(({ manifest: { apiVersion, kind, metadata } }) =>
      typeof apiVersion === 'string' && typeof kind === 'string' && typeof metadata?.name === 'string'), props);
  }

  private readonly groups: readonly PodGroup[];
  private readonly policies: PolicySet;
  private readonly around: Surroundings;
  private readonly services: readonly PlacedManifest[];
  private readonly groupsByManifest = new Map<Manifest, PodGroup[]>();
  private readonly groupsByObject = new Map<string, PodGroup[]>();
  private readonly groupsByNamespace = new Map<string | undefined, PodGroup[]>();
  private readonly likeness: Likeness;
  /** Answers that objects with equal policies share. */
  private readonly shared = new Map<string, unknown>();
  private readonly others = new Map<string | undefined, PodGroup>();

  private constructor(manifests: readonly PlacedManifest[], private readonly props: NetworkModelProps) {
    const problems = Problems.of('NetworkModel');
    for (const prop of ['podCidrs', 'nodeCidrs', 'apiServerCidrs', 'serviceCidrs'] as const) {
      props[prop]?.forEach((value, index) => problems.check(`${prop}[${index}]`, value, cidr));
    }
    problems.check('apiServerPort', props.apiServerPort, portNumber);
    problems.check('maxPortsPerRule', props.maxPortsPerRule, integer(1));
    problems.throwIfAny();
    this.groups = podGroups(manifests);
    this.policies = { namespaced: new PolicyIndex(namespacedPolicies(manifests, this.groups), this.groups), tiers: tierPolicies(manifests) };
    this.services = manifests.filter(({ manifest }) => manifest.kind === 'Service');
    for (const group of this.groups) {
      const { kind, metadata } = group.manifest!;
      append(this.groupsByManifest, group.manifest!, group);
      append(this.groupsByObject, keyOf(kind, metadata.namespace, metadata.name), group);
      append(this.groupsByNamespace, group.namespace, group);
    }
    this.around = {
      namespaces: new Namespaces(manifests),
      podAddresses: AddressSet.of(...props.podCidrs ?? POD_CIDRS),
      nodeAddresses: props.nodeCidrs && AddressSet.of(...props.nodeCidrs),
      maxPortsPerRule: props.maxPortsPerRule,
      blocks: new Map(),
    };
    this.likeness = new Likeness(this.policies, this.around, new Set([OTHER_NAMESPACE, ...this.dnsTargets().flatMap(target => (target.kind === 'pods' ? target.pods.namespace ?? [] : []))]));
  }

  /** The sandboxes of the set, as endpoints: templates and Sandboxes without a template, in the order of the manifests. */
  public sandboxes(): NetworkEndpoint[] {
    const seen = new Set<Manifest>();
    return this.groups.filter(({ isSandbox, manifest }) => isSandbox && !seen.has(manifest!) && seen.add(manifest!)).map(({ manifest }) => {
      const { kind, metadata: { name, namespace } } = manifest!;
      return kind === 'Sandbox' ? NetworkEndpoint.sandbox(name, namespace) : NetworkEndpoint.template(name, namespace);
    });
  }

  /**
   * Whether a connection is possible. Both ends count where they are Pods: the egress of the one and the ingress of the other.
   *
   * @param from what connects: Pods, or addresses of hosts outside of the cluster
   * @param to what they connect to
   * @param port the port; undefined is the usual port of a named destination, and any port otherwise
   * @throws if `from` or `to` is an object that is not in the set
   */
  public canReach(from: NetworkEndpoint, to: NetworkEndpoint, port?: NetworkPort): NetworkAnswer {
    if (to?._query.kind === 'service') {
      return this.reachesService(from, to, port);
    }
    if (to?._query.kind === 'nodes' && this.props.nodesAllowed) {
      return { reachability: Reachability.ALLOWED, reasons: ['the network plugin lets Pods connect to nodes'], places: [] };
    }
    const target = this.targetOf(to);
    if (from?._query.kind === 'addresses') {
      const source: Target = { kind: 'addresses', set: from._query.set };
      return strongest(target.targets.flatMap(each => (each.kind === 'addresses' ? [] : this.pointsOf(port, target.ports, each.pods)
        .map(point => answerOf(source, this.decisions(each.pods, 'ingress', source, point)))))) ?? {
        reachability: Reachability.UNKNOWN, reasons: ['neither end is a Pod of the cluster'], places: [],
      };
    }
    const answers = this.groupsOf('from', from).flatMap(subject => target.targets.flatMap(each =>
      this.pointsOf(port, target.ports, subject, ...podsOf(each)).map(point => this.connection(subject, each, point, target.isOneOf))));
    return strongest(answers);
  }

  /**
   * What can connect to a sandbox: each group of Pods in the set, the other Pods of its namespace, and hosts outside of the cluster.
   *
   * @param to the sandbox
   * @param port the port; undefined is any
   * @returns name of the source to answer
   * @throws if the sandbox is not in the set
   */
  public whoCanReach(to: NetworkEndpoint, port?: NetworkPort): { [source: string]: NetworkAnswer } {
    const result: { [source: string]: NetworkAnswer } = {};
    const targets = this.groupsOf('to', to);
    const ask = (name: string, source: Target) => {
      result[name] = strongest(targets.flatMap(target => this.pointsOf(port, [], target, ...podsOf(source)).map(point => (source.kind === 'pods'
        ? this.connection(source.pods, { kind: 'pods', pods: target }, point, false)
        : answerOf(source, this.decisions(target, 'ingress', source, point))))));
    };
    for (const group of this.groups) {
      ask(group.object, { kind: 'pods', pods: group });
    }
    for (const namespace of new Set(targets.map(target => target.namespace))) {
      ask(`other Pods of ${namespace ?? 'its namespace'}`, { kind: 'pods', pods: this.otherPodsOf(namespace) });
    }
    ask('hosts outside of the cluster', { kind: 'addresses', set: AddressSet.ALL });
    return result;
  }

  /**
   * All addresses outside of the cluster that a sandbox can reach, as sets. Neighbouring ports with the same addresses are one entry.
   *
   * @param from the sandbox
   * @throws if it is not in the set
   */
  public reaches(from: NetworkEndpoint): ReachedRange[] {
    return this.connected(this.groupsOf('from', from), 'egress').map(({ set, ...range }) => ({ ...range, cidrs: set.toCidrs() }));
  }

  /** Every sandbox of the set against every named destination, the name servers, the API server, the nodes and the Pods of other sandboxes. */
  public matrix(): NetworkMatrixRow[] {
    return this.sandboxes().map(sandbox => {
      const groups = this.groupsOf('from', sandbox);
      const manifest = groups[0].manifest!;
      return { sandbox: sandbox.description, policy: isTemplate(manifest) ? outcomeOf(manifest) : 'own', cells: { ...this.cellsOf(sandbox, groups) } };
    });
  }

  private cellsOf(sandbox: NetworkEndpoint, groups: readonly PodGroup[]): { readonly [destination: string]: string } {
    return this.once('cells', groups, 'egress', () => {
      const cells: { [destination: string]: string } = {
        'cluster-dns': this.reachesDns(groups).reachability,
        'api-server': this.canReach(sandbox, NetworkEndpoint.apiServer()).reachability,
        'kubelet': this.canReach(sandbox, NetworkEndpoint.nodes()).reachability,
        'pods-of-own-namespace': this.canReachPods(groups, 'own').reachability,
        'pods-of-other-namespaces': this.canReachPods(groups, 'other').reachability,
      };
      destinations().forEach(({ name }) => (cells[name] = this.canReach(sandbox, NetworkEndpoint.named(name)).reachability));
      return cells;
    });
  }

  /** What is the same for all Pods that the policies decide the same about. It must not name objects. */
  private once<T>(question: string, groups: readonly PodGroup[], direction: Direction, answer: () => T): T {
    const key = `${question} ${direction} ${groups.map(group => this.likeness.of(group, direction)).join(' + ')}`;
    if (!this.shared.has(key)) {
      this.shared.set(key, answer());
    }
    return this.shared.get(key) as T;
  }

  /**
   * Whether the Pods of two namespaces cannot connect to each other, in either direction: those of the set, and any others.
   *
   * @param a one namespace
   * @param b the other namespace
   */
  public isolatedFrom(a: string, b: string): IsolationAnswer {
    for (const [from, to] of [[a, b], [b, a]]) {
      const sources = this.groups.filter(group => group.namespace === from && group.isSandbox);
      const targets = [...this.groups.filter(group => group.namespace === to), this.otherPodsOf(to)];
      for (const source of sources) {
        for (const target of targets) {
          for (const point of this.pointsOf(undefined, [], source, target)) {
            const answer = this.connection(source, { kind: 'pods', pods: target }, point, false);
            if (answer.reachability !== Reachability.DENIED) {
              return { isolated: false, counterexample: `${source.object} to ${target.object}, ${describePoint(point)}: ${answer.reachability}: ${answer.reasons.join('; ')}` };
            }
          }
        }
      }
    }
    return { isolated: true };
  }

  /** By the address of a Service: to its Pods, or, where plugins look before translation, to its own address first. */
  private reachesService(from: NetworkEndpoint, to: NetworkEndpoint, port: NetworkPort | undefined): NetworkAnswer {
    const { name, namespace } = to._query as { readonly name: string; readonly namespace?: string };
    const found = this.services.find(({ manifest: { metadata } }) => metadata.name === name && metadata.namespace === namespace);
    if (!found) {
      const problems = Problems.of('NetworkModel');
      problems.add('to', to.description, 'the set has no such Service');
      problems.throwIfAny();
    }
    const { place, manifest: { spec } } = found!;
    const asked = port?._toPolicyPort();
    const ports: any[] = (spec?.ports ?? []).filter((each: any) =>
      asked === undefined || ((each.protocol ?? 'TCP') === String(asked.protocol ?? 'TCP') && each.port === asked.port?.value));
    if (ports.length === 0) {
      return { reachability: Reachability.DENIED, reasons: [`${to.description} has no such port`], places: [place] };
    }
    const behind = this.groups.filter(group => group.namespace === namespace && spec?.selector && selects({ matchLabels: spec.selector }, group) === 'yes');
    if (behind.length === 0) {
      return { reachability: Reachability.UNKNOWN, reasons: [`the set has no Pods behind ${to.description}`], places: [place] };
    }
    const own = typeof spec?.clusterIP === 'string' && spec.clusterIP !== 'None' ? [`${spec.clusterIP}/${spec.clusterIP.includes(':') ? 128 : 32}`] : undefined;
    const address: Target = { kind: 'addresses', set: own ? AddressSet.of(...own) : AddressSet.of(...this.props.serviceCidrs ?? POD_CIDRS) };
    return strongest(this.groupsOf('from', from).flatMap(subject => ports.flatMap(each => behind.flatMap(pods => {
      const protocol: string = each.protocol ?? 'TCP';
      const point = (number: number): PortPoint => ({ protocol, from: number, to: number });
      const named = pods.ports.find(declared => declared.name === each.targetPort && declared.protocol === protocol)?.port;
      const inner = typeof each.targetPort === 'string' ? named : each.targetPort ?? each.port;
      if (inner === undefined) {
        return [];
      }
      if (this.props.serviceTranslation !== ServiceTranslation.BEFORE || spec?.clusterIP === 'None') {
        return [this.connection(subject, { kind: 'pods', pods }, point(inner), false)];
      }
      const source: Target = { kind: 'pods', pods: subject };
      return [both(
        answerOf(address, this.decisions(subject, 'egress', address, point(each.port)), !own),
        answerOf(source, this.decisions(pods, 'ingress', source, point(inner))),
      )];
    })))) ?? { reachability: Reachability.DENIED, reasons: [`no Pod behind ${to.description} declares its port`], places: [place] };
  }

  /** The Pods of an object. @internal */
  public _groupsAt(manifest: Manifest): readonly PodGroup[] {
    return this.groupsByManifest.get(manifest) ?? [];
  }

  /** The objects whose NetworkPolicies certainly select Pods of an object. @internal */
  public _policiesOf(manifest: Manifest): Manifest[] {
    return [...new Set(this._groupsAt(manifest).flatMap(group => this.policies.namespaced.of(group))
      .flatMap(({ policy, selected }) => (selected === 'yes' ? policy.manifest : [])))];
  }

  /** The Pods that a NetworkPolicy may select. @internal */
  public _selectedBy(policy: Manifest): readonly Selected[] {
    return this.policies.namespaced.selectedBy(policy);
  }

  /** Whether the Pods of an object reach the API server, and the kubelets. @internal */
  public _reachesControlPlane(manifest: Manifest, sandbox: NetworkEndpoint): { readonly apiServer: Reachability; readonly nodes: Reachability } {
    return this.once('control plane', this._groupsAt(manifest), 'egress', () => ({
      apiServer: this.canReach(sandbox, NetworkEndpoint.apiServer()).reachability,
      nodes: this.canReach(sandbox, NetworkEndpoint.nodes()).reachability,
    }));
  }

  /** The Pods in a namespace. @internal */
  public _groupsIn(namespace: string | undefined): readonly PodGroup[] {
    return this.groupsByNamespace.get(namespace) ?? [];
  }

  /** Everything that the Pods of an object can connect to, or that can connect to them. @internal */
  public _connections(manifest: Manifest, direction: Direction): Connections {
    const groups = this._groupsAt(manifest);
    const pods = new Map<string, ConnectedPods>();
    const add = (peer: Peer | undefined, namespace: string | undefined, ports: readonly string[], certain: boolean) => {
      const found = podsOfPeer(peer, namespace);
      const known = found && pods.get(found.pods);
      if (found) {
        const all = known === undefined ? ports : known.ports.length === 0 || ports.length === 0 ? [] : [...new Set([...known.ports, ...ports])];
        pods.set(found.pods, { ...found, ports: [...all].sort(), certain: certain || (known?.certain ?? false) });
      }
    };
    for (const group of groups) {
      const selecting = this.policies.namespaced.of(group).filter(({ policy }) => policy.directions.includes(direction));
      if (group.hostNetwork || !selecting.some(({ selected }) => selected === 'yes')) {
        add(undefined, group.namespace, [], group.hostNetwork || selecting.length === 0);
      }
      for (const { policy, selected } of group.hostNetwork ? [] : selecting) {
        for (const rule of policy[direction]) {
          (rule.peers ?? [undefined]).forEach(peer => add(peer, group.namespace, (rule.ports ?? []).map(describePort), selected === 'yes'));
        }
      }
    }
    const tiers = this.policies.tiers.filter(policy => groups.some(group => tierSelects(policy, this.around, group) !== 'no'));
    return {
      addresses: this.once('addresses', groups, direction, () => this.connected(groups, direction)),
      pods: [...pods.values()].sort((a, b) => (a.pods < b.pods ? -1 : 1)),
      tiers: tiers.flatMap(policy => policy[direction].map(({ source, action }) => `${action} by ${source}`)),
    };
  }

  /** Addresses outside of the cluster, as sets. Neighbouring ports with the same addresses are one entry. */
  private connected(groups: readonly PodGroup[], direction: Direction): ConnectedAddresses[] {
    const target: Target = { kind: 'addresses', set: AddressSet.ALL };
    const result: ConnectedAddresses[] = [];
    for (const protocol of PROTOCOLS) {
      for (const certain of [true, false]) {
        let previous: ConnectedAddresses | undefined;
        for (const { from, to } of portPoints(this.policies, groups, protocol)) {
          const set = groups
            .flatMap(subject => this.decisions(subject, direction, target, { protocol, from, to }))
            .filter(({ verdict }) => verdict === (certain ? 'allowed' : 'unknown'))
            .reduce((all, each) => all.union(each.set), AddressSet.EMPTY);
          const continues: boolean = previous !== undefined && previous.toPort + 1 === from && previous.set.equals(set);
          if (continues) {
            result.pop();
          }
          previous = set.isEmpty ? undefined : { protocol, fromPort: continues ? previous!.fromPort : from, toPort: to, set, certain };
          if (previous) {
            result.push(previous);
          }
        }
      }
    }
    return result;
  }

  private canReachPods(groups: readonly PodGroup[], which: 'own' | 'other'): NetworkAnswer {
    return strongest(groups.flatMap(subject => {
      const pods = this.otherPodsOf(which === 'own' ? subject.namespace : OTHER_NAMESPACE);
      return this.pointsOf(undefined, [], subject).map(point => answerOf({ kind: 'pods', pods }, this.decisions(subject, 'egress', { kind: 'pods', pods }, point)));
    }));
  }

  /** Whether a sandbox reaches the name servers in the props of the model. */
  private reachesDns(groups: readonly PodGroup[]): NetworkAnswer {
    const { ports } = this.props.dns ?? ClusterDns.kubeDns();
    const targets = this.dnsTargets();
    return strongest(groups.flatMap(subject => targets.flatMap(target =>
      ports.flatMap(port => this.pointsOf(port, [], subject)).map(point => answerOf(target, this.decisions(subject, 'egress', target, point))))));
  }

  private dnsTargets(): Target[] {
    const { peer } = this.props.dns ?? ClusterDns.kubeDns();
    return peer._peers().map((each): Target => (each.ipBlock
      ? { kind: 'addresses', set: AddressSet.of(each.ipBlock.cidr) }
      : { kind: 'pods', pods: { ...unknownPods(each.namespaceSelector?.matchLabels?.['kubernetes.io/metadata.name']), labels: each.podSelector?.matchLabels ?? {}, mayHave: () => false } }));
  }

  /** Pods of a namespace of which no manifest tells. */
  private otherPodsOf(namespace: string | undefined): PodGroup {
    const pods = this.others.get(namespace) ?? unknownPods(namespace);
    this.others.set(namespace, pods);
    return pods;
  }

  private decisions(subject: PodGroup, direction: Direction, target: Target, point: PortPoint): Decision[] {
    return decide({ policies: this.policies, around: this.around, subject, direction, target, point });
  }

  private connection(from: PodGroup, target: Target, point: PortPoint, isOneOf: boolean): NetworkAnswer {
    const egress = answerOf(target, this.decisions(from, 'egress', target, point), isOneOf);
    if (target.kind === 'addresses') {
      return egress;
    }
    const source: Target = { kind: 'pods', pods: from };
    return both(egress, answerOf(source, this.decisions(target.pods, 'ingress', source, point)));
  }

  private groupsOf(role: string, endpoint: NetworkEndpoint): PodGroup[] {
    const query = endpoint?._query;
    if (query?.kind === 'pods') {
      return [{ ...unknownPods(query.namespace), ...query.labels, object: endpoint.description }];
    }
    const found = query?.kind === 'object' ? this.groupsByObject.get(keyOf(query.objectKind, query.namespace, query.name)) ?? [] : [];
    if (found.length === 0) {
      const problems = Problems.of('NetworkModel');
      problems.add(role, endpoint?.description, `no Pods of this set are meant: write one of ${this.groups.map(group => group.object).join(', ') || 'none: the set makes no Pods'}`);
      problems.throwIfAny();
    }
    return found;
  }

  private targetOf(endpoint: NetworkEndpoint): { readonly targets: Target[]; readonly ports: PortPoint[]; readonly isOneOf: boolean } {
    const query = endpoint?._query;
    const hosts = (set: AddressSet, ports: PortPoint[], isOneOf: boolean) => ({ targets: [{ kind: 'addresses', set } as Target], ports, isOneOf });
    switch (query?.kind) {
      case 'addresses':
        return hosts(query.set, query.port === undefined ? [] : [{ protocol: query.protocol ?? 'TCP', from: query.port, to: query.port }], false);
      case 'api server': {
        const port = this.props.apiServerPort ?? 6443;
        return hosts(AddressSet.of(...this.props.apiServerCidrs ?? ['0.0.0.0/0']), [{ protocol: 'TCP', from: port, to: port }], true);
      }
      case 'nodes':
        return hosts(AddressSet.of(...this.props.nodeCidrs ?? ['0.0.0.0/0']), [{ protocol: 'TCP', from: KUBELET_PORT, to: KUBELET_PORT }], true);
      default:
        return { targets: this.groupsOf('to', endpoint).map(pods => ({ kind: 'pods', pods })), ports: [], isOneOf: false };
    }
  }

  /** The ports that a question about Pods is about, cut so that no rule for them tells two ports of an entry apart. */
  private pointsOf(port: NetworkPort | undefined, usual: readonly PortPoint[], ...pods: readonly PodGroup[]): PortPoint[] {
    if (port === undefined && usual.length > 0) {
      return [...usual];
    }
    const asked = port?._toPolicyPort();
    const number = asked?.port?.value as number | string | undefined;
    const protocols = asked ? [String(asked.protocol ?? 'TCP')] : PROTOCOLS;
    return protocols.flatMap(protocol => portPoints(this.policies, pods, protocol).flatMap(point => {
      if (typeof number !== 'number') {
        return [point];
      }
      const from = Math.max(point.from, number);
      const to = Math.min(point.to, asked?.endPort ?? number);
      return from <= to ? [{ protocol, from, to }] : [];
    }));
  }
}

checkCalls(NetworkModel);

function keyOf(kind: string, namespace: string | undefined, name: string): string {
  return `${kind} ${namespace ?? ''}/${name}`;
}

function podsOf(target: Target): PodGroup[] {
  return target.kind === 'pods' ? [target.pods] : [];
}

/** Pods of which only the namespace is known. */
function unknownPods(namespace: string | undefined): PodGroup {
  return {
    object: `other Pods of ${namespace ?? 'the namespace'}`, place: '', namespace, labels: {}, mayHave: () => true, isSandbox: false, ports: [],
    hostNetwork: false,
  };
}

function describePoint({ protocol, from, to }: PortPoint): string {
  return `${protocol} ${from === to ? from : `${from}-${to}`}`;
}
