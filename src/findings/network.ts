import { lazily } from '../checks';
import { METADATA_SERVERS, SPECIAL_RANGES } from '../generated/semantics.gen';
import { ROUTER } from '../generated/vocabulary.gen';
import { Cidr } from '../network';
import { AddressSet, NetworkEndpoint, NetworkModel, Reachability } from '../policy';
import { FindingSeverity } from './finding';
import { blueprints, listOf } from './pods';
import type { Rule, Subject, World } from './world';

/** Rules of one object: of a NetworkPolicy, or of the policy in a template. */
interface Rules {
  readonly subject: Subject;
  /** Path of the policy: `spec` or `spec.networkPolicy`. */
  readonly path: string;
  readonly spec: any;
}

interface SpecialSet {
  readonly cidr: string;
  readonly use: string;
  readonly set: AddressSet;
}

const FAMILIES = lazily(() => [['IPv4', AddressSet.of('0.0.0.0/0')], ['IPv6', AddressSet.of('::/0')]] as const);
const SPECIAL = lazily((): readonly SpecialSet[] => SPECIAL_RANGES.map(({ cidr, use }) => ({ cidr, use, set: AddressSet.of(cidr) })));
/** More public addresses than any network that is named on purpose: those of a quarter of a family. */
const WIDE = lazily(() => {
  const isPublic = AddressSet.ALL.minus(AddressSet.of(...SPECIAL().map(({ cidr }) => cidr)));
  return ['0.0.0.0/2', '64.0.0.0/2', '128.0.0.0/2', '2000::/4', '3000::/4'].map(part => AddressSet.of(part).intersect(isPublic));
});
const REMEDY = 'use SandboxNetwork.publicInternet(), or allow the addresses that are needed';

function policiesOf(world: World): Rules[] {
  return [
    ...world.of('NetworkPolicy').map(subject => ({ subject, path: 'spec', spec: subject.spec })),
    ...world.of('SandboxTemplate').filter(each => each.isOurs && each.spec.networkPolicy && each.spec.networkPolicyManagement !== 'Unmanaged')
      .map(subject => ({ subject, path: 'spec.networkPolicy', spec: subject.spec.networkPolicy })),
  ];
}

/** Whether the rules are those of Pods of a Sandbox or template, and not of other programs. */
function isOfSandboxes(world: World, { subject }: Rules): boolean {
  return subject.isOurs || sharedOf(world).model._selectedBy(subject.manifest).some(({ pods, selected }) => pods.isSandbox && selected === 'yes');
}

/** Addresses that an egress rule allows, and what is asked about them. Equal blocks share one of these. */
interface Reached {
  readonly set: AddressSet;
  /** Whether these are most public addresses of a part of the internet, in however many blocks. */
  readonly isWide: boolean;
  /** A family of which every address is among these. */
  readonly family?: string;
  /** Special ranges that are open, in whole or in part, where public ones are. */
  readonly special: readonly SpecialSet[];
}

function reachedOf(set: AddressSet): Reached {
  const isWide = WIDE().some(part => set.contains(part));
  const special = isWide ? SPECIAL().filter(range => !range.set.intersect(set).isEmpty) : [];
  return { set, isWide, special, family: FAMILIES().find(([, all]) => set.contains(all))?.[0] };
}

/** An egress rule of sandboxes. */
interface Egress {
  readonly rules: Rules;
  readonly field: string;
  readonly rule: any;
  readonly reached: Reached;
}

/** Each egress rule of sandboxes, with the addresses that its blocks allow; without peers that is every address. */
function egressOf(world: World): Egress[] {
  const known = new Map<string, Reached>();
  const ofSandboxes = policiesOf(world).filter(each => listOf(each.spec.egress).length > 0 && isOfSandboxes(world, each));
  return ofSandboxes.flatMap(rules => listOf(rules.spec.egress).map((rule, index) => {
    const blocks = listOf(rule?.to).flatMap(peer => peer?.ipBlock ?? []);
    const text = listOf(rule?.to).length === 0 ? 'every address' : JSON.stringify(blocks);
    const reached = known.get(text) ?? reachedOf(listOf(rule?.to).length === 0 ? AddressSet.ALL
      : blocks.map(addressesOf).reduce((set, each) => set.union(each), AddressSet.EMPTY));
    known.set(text, reached);
    return { rules, field: `${rules.path}.egress[${index}]`, rule, reached };
  }));
}

function forEachEgress(world: World, visit: (rules: Rules, field: string, rule: any, reached: Reached) => void): void {
  const shared = sharedOf(world);
  shared.egress ??= egressOf(world);
  shared.egress.forEach(({ rules, field, rule, reached }) => visit(rules, field, rule, reached));
}

function addressesOf({ cidr, except }: any): AddressSet {
  return AddressSet.of(String(cidr)).minus(AddressSet.of(...listOf(except).map(String)));
}

function forEachBlock(world: World, visit: (rules: Rules, field: string, block: any) => void): void {
  for (const rules of policiesOf(world)) {
    for (const [direction, key] of [['ingress', 'from'], ['egress', 'to']]) {
      listOf(rules.spec[direction]).forEach((rule, index) => listOf(rule?.[key]).forEach((peer, at) =>
        visit(rules, `${rules.path}.${direction}[${index}].${key}[${at}]`, peer)));
    }
  }
}

/** What several rules of a world share: its model, and the NetworkPolicies by their manifests. */
interface Shared {
  readonly model: NetworkModel;
  readonly policies: ReadonlyMap<unknown, Subject>;
  egress?: readonly Egress[];
}

const known = new WeakMap<World, Shared>();

function sharedOf(world: World): Shared {
  let shared = known.get(world);
  if (!shared) {
    shared = { model: modelOf(world), policies: new Map(world.of('NetworkPolicy').map(policy => [policy.manifest, policy])) };
    known.set(world, shared);
  }
  return shared;
}

/** Of objects that are not as the API wants them there is no model; the rules for fields find these. */
function modelOf(world: World): NetworkModel {
  try {
    return NetworkModel._ofPlaced(world.subjects.map(({ manifest, place }) => ({ manifest, place })));
  } catch {
    return NetworkModel.ofManifests([]);
  }
}

/** NetworkPolicies of the namespace of a template or Sandbox that select its Pods for certain, without the one that is its own. */
function selecting(world: World, blueprint: Subject): Subject[] {
  const { model, policies } = sharedOf(world);
  const own = `sandbox-${blueprint.name}`;
  return model._policiesOf(blueprint.manifest).flatMap(manifest => policies.get(manifest) ?? [])
    .filter(policy => policy.namespaceKey === blueprint.namespaceKey && policy.name !== own);
}

const typesOf = (spec: any): string[] => spec.policyTypes ?? ['Ingress', ...(listOf(spec.egress).length > 0 ? ['Egress'] : [])];
const isUnmanaged = ({ spec }: Subject) => spec.networkPolicyManagement === 'Unmanaged';

const hasRouterLabels = (labels: any) => Object.entries(ROUTER.labels).every(([key, value]) => labels?.[key] === value);

export const NETWORK_RULES: readonly Rule[] = [
  {
    id: 'universal-range',
    severity: FindingSeverity.WARNING,
    summary: 'An egress rule allows every address of a family, in one range or in several.',
    check: (world, report) => forEachEgress(world, ({ subject }, field, rule, reached) => {
      const { family } = reached;
      if (family && !namesDnsOnly(rule)) {
        report(subject, field, undefined, `it reaches every ${family} address, private networks and metadata servers of clouds among them`, REMEDY);
      }
    }),
  },
  {
    id: 'forgotten-range',
    severity: FindingSeverity.WARNING,
    summary: 'An egress rule to the internet leaves a range open that is not public: private, link-local, shared, or one that leads to IPv4 by translation.',
    check: (world, report) => forEachEgress(world, ({ subject }, field, rule, reached) => {
      const left = reached.special;
      if (left.length > 0 && !namesDnsOnly(rule) && !reached.family) {
        const shown = left.slice(0, 4).map(({ cidr, use }) => `${cidr} (${use})`).join(', ');
        const credentials = METADATA_SERVERS.some(({ cidr }) => reached.set.contains(AddressSet.of(cidr))) ? '; metadata servers of clouds are among them' : '';
        report(subject, field, undefined, `it also reaches ${shown}${left.length > 4 ? ` and ${left.length - 4} more` : ''}${credentials}`,
          `except these, or ${REMEDY}`);
      }
    }),
  },
  {
    id: 'dns-to-anywhere',
    severity: FindingSeverity.WARNING,
    summary: 'An egress rule opens port 53 to any server: a way out for data, and for other protocols on that port.',
    check: (world, report) => forEachEgress(world, ({ subject }, field, rule, reached) => {
      if (reached.isWide && namesDnsOnly(rule)) {
        report(subject, field, undefined, 'it opens port 53 of the whole internet', 'name the name servers of the cluster: SandboxNetwork.dnsOnly()');
      }
    }),
  },
  {
    id: 'except-outside',
    severity: FindingSeverity.ERROR,
    summary: 'A range in `except` is not inside of the range that it is an exception of, such as one of the other family; the API server refuses it.',
    manifestsOnly: true,
    check: (world, report) => forEachBlock(world, ({ subject }, field, { ipBlock }) => {
      const block = ipBlock && Cidr.tryParse(String(ipBlock.cidr));
      for (const except of block ? listOf(ipBlock.except) : []) {
        const hole = Cidr.tryParse(String(except));
        if (!hole || hole.bits !== block!.bits || !block!.contains(hole) || hole.prefix === block!.prefix) {
          report(subject, `${field}.ipBlock.except`, except, `it is not a part of ${ipBlock.cidr}`, hole && hole.bits !== block!.bits ? 'write it in a block of its own family' : 'leave it out, or correct one of both');
        }
      }
    }),
  },
  {
    id: 'host-name-in-policy',
    severity: FindingSeverity.ERROR,
    summary: 'A NetworkPolicy names hosts, which it cannot know: it has addresses, Pods and namespaces only.',
    manifestsOnly: true,
    check: (world, report) => forEachBlock(world, ({ subject }, field, peer) => {
      const name = ['fqdn', 'dns', 'host', 'domainNames', 'toFQDNs'].find(key => peer?.[key] !== undefined);
      const text = peer?.ipBlock && !Cidr.tryParse(String(peer.ipBlock.cidr)) && /[g-z]/i.test(String(peer.ipBlock.cidr).replace(/\/\d+$/, ''));
      if (name !== undefined || text) {
        report(subject, text ? `${field}.ipBlock.cidr` : `${field}.${name}`, text ? peer.ipBlock.cidr : peer[name!], 'a NetworkPolicy does not resolve names',
          'allow the sandbox to connect to a proxy only, or use a policy of the network plugin');
      }
    }),
  },
  {
    id: 'ignored-rules',
    severity: FindingSeverity.WARNING,
    summary: 'A NetworkPolicy has rules for a direction that its `policyTypes` leave out: they have no effect.',
    manifestsOnly: true,
    check: (world, report) => {
      for (const subject of world.of('NetworkPolicy')) {
        for (const [type, key] of [['Ingress', 'ingress'], ['Egress', 'egress']]) {
          if (listOf(subject.spec[key]).length > 0 && !typesOf(subject.spec).includes(type)) {
            report(subject, 'spec.policyTypes', subject.spec.policyTypes, `the rules in spec.${key} have no effect, and ${key} is not restricted`, `add '${type}'`);
          }
        }
      }
    },
  },
  {
    id: 'network-widened',
    severity: FindingSeverity.WARNING,
    summary: 'Another NetworkPolicy selects the Pods of a template or Sandbox and allows more than its own network: policies add up.',
    check: (world, report) => {
      for (const blueprint of blueprints(world).filter(each => !isUnmanaged(each))) {
        for (const policy of selecting(world, blueprint)) {
          const more = ['ingress', 'egress'].find(key => listOf(policy.spec[key]).length > 0 && typesOf(policy.spec).some(type => type.toLowerCase() === key));
          if (more) {
            report(policy, `spec.${more}`, undefined, `it adds to the network of ${blueprint.title} (${blueprint.place}), which could not connect so far`,
              'write the peers in `network` of the template, or select other Pods');
          }
        }
      }
    },
  },
  {
    id: 'unmanaged-open',
    severity: FindingSeverity.WARNING,
    summary: 'A template is `Unmanaged`, and no NetworkPolicy of the app restricts both directions of its Pods.',
    check: (world, report) => {
      for (const template of world.of('SandboxTemplate').filter(each => each.isOurs && isUnmanaged(each))) {
        const types = selecting(world, template).flatMap(policy => typesOf(policy.spec));
        const open = ['Ingress', 'Egress'].filter(type => !types.includes(type));
        if (open.length > 0) {
          report(template, 'spec.networkPolicyManagement', 'Unmanaged', `nothing restricts the ${open.map(type => type.toLowerCase()).join(' and ')} of its Pods`,
            'use another network, or add a NetworkPolicy or a SandboxNamespace');
        }
      }
    },
  },
  {
    id: 'router-locked-out',
    severity: FindingSeverity.WARNING,
    summary: "A template's own ingress rules replace the controller's, and do not let the router in.",
    check: (world, report) => {
      const routers = world.of('Deployment').filter(({ spec }) => hasRouterLabels(spec.template?.metadata?.labels));
      const sources = routers.length > 0
        ? routers.map(({ name, namespace }) => NetworkEndpoint.workload('Deployment', name, namespace))
        : [NetworkEndpoint.pods({ ...ROUTER.labels }, ROUTER.namespace)];
      for (const template of world.of('SandboxTemplate').filter(each => each.isOurs && each.spec.networkPolicy && !isUnmanaged(each)
        && sharedOf(world).model._groupsAt(each.manifest).length > 0)) {
        const { ingress, egress } = template.spec.networkPolicy;
        // Two empty lists are meant: nothing gets in or out.
        const isMeant = Array.isArray(ingress) && ingress.length === 0;
        // A router that is looked for elsewhere is found by the rule router-namespace.
        const isElsewhere = listOf(ingress).flatMap(rule => listOf(rule?.from))
          .some(peer => peer?.namespaceSelector && hasRouterLabels(peer.podSelector?.matchLabels));
        const to = NetworkEndpoint.template(template.name, template.namespace);
        const answers = isMeant || isElsewhere ? [] : sources.map(source => sharedOf(world).model.canReach(source, to).reachability);
        if (answers.length > 0 && answers.every(answer => answer === Reachability.DENIED)) {
          const because = ingress === undefined && egress ? ': without ingress rules nothing can' : '';
          report(template, 'spec.networkPolicy.ingress', undefined, `the router cannot connect to its Pods${because}`,
            'add the router as a peer, as SandboxNetwork does, or write ingress: [] if nothing is to connect');
        }
      }
    },
  },
  {
    id: 'policy-selects-nothing',
    severity: FindingSeverity.WARNING,
    summary: 'A NetworkPolicy selects by labels of this API, and no Pod of the app has them.',
    check: (world, report) => {
      for (const policy of world.of('NetworkPolicy')) {
        const selector = policy.spec.podSelector ?? {};
        const keys = [...Object.keys(selector.matchLabels ?? {}), ...(selector.matchExpressions ?? []).map((each: any) => each.key)];
        const { model } = sharedOf(world);
        if (keys.some(key => /(^|\.)agents\.x-k8s\.io\//.test(String(key))) && model._groupsIn(policy.namespace).length > 0 && model._selectedBy(policy.manifest).length === 0) {
          report(policy, 'spec.podSelector', selector, 'no Sandbox or template of the app has Pods with these labels',
            'correct the labels, or say in `network` of the template what its Pods may connect to');
        }
      }
    },
  },
  {
    id: 'policy-not-enforced',
    severity: FindingSeverity.WARNING,
    summary: 'Pods on the host network: no NetworkPolicy applies to them.',
    check: (world, report) => {
      for (const blueprint of blueprints(world).filter(each => each.spec.podTemplate?.spec?.hostNetwork === true)) {
        report(blueprint, 'spec.podTemplate.spec.hostNetwork', true, 'no NetworkPolicy applies to its Pods, which have the addresses and the reach of the node', 'leave it out');
      }
    },
  },
  {
    id: 'dns-forgotten',
    severity: FindingSeverity.WARNING,
    summary: 'Sandboxes may connect to the internet, and no rule lets them resolve names.',
    check: (world, report) => {
      const wide = new Set<Subject>();
      forEachEgress(world, ({ subject }, _field, _rule, { isWide }) => isWide && wide.add(subject));
      for (const { subject, path, spec } of policiesOf(world).filter(each => wide.has(each.subject))) {
        const resolves = listOf(spec.egress).some(rule => listOf(rule?.ports).length === 0
          || rule.ports.some(({ port, endPort }: any) => port === undefined || port === 53 || port === 5353 || (port <= 53 && endPort >= 53)));
        const pod = subject.spec.podTemplate?.spec;
        if (!resolves && pod?.dnsPolicy !== 'None' && !pod?.hostAliases?.length) {
          report(subject, `${path}.egress`, undefined, 'no rule allows port 53, so no name can be resolved', 'allow the name servers of the cluster: SandboxNetwork.dnsOnly()');
        }
      }
    },
  },
];

function namesDnsOnly(rule: any): boolean {
  return listOf(rule?.ports).length > 0 && rule.ports.every(({ port, endPort }: any) => [53, 853, 5353].includes(port) && (endPort ?? port) === port);
}
