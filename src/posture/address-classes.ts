import { createHash } from 'node:crypto';
import { lazily } from '../checks';
import { GLOBAL_UNICAST_IPV6, METADATA_SERVERS, SPECIAL_RANGES } from '../generated/semantics.gen';
import { AddressSet, type ConnectedAddresses } from '../policy';

/** A class of addresses with one purpose. @internal */
export interface AddressClass {
  readonly name: string;
  readonly set: AddressSet;
  /** Whether sandboxes have no business there, unless it was chosen. */
  readonly isSensitive: boolean;
}

const usedFor = (...uses: readonly string[]) => AddressSet.of(...SPECIAL_RANGES.filter(({ use }) => uses.includes(use)).map(({ cidr }) => cidr));

const FAMILIES = lazily(() => ({ ipv4: AddressSet.of('0.0.0.0/0'), ipv6: AddressSet.of('::/0') }));

/** Classes by name; an address is in the first that has it. */
function named(): ReadonlyArray<readonly [name: string, set: AddressSet, isSensitive: boolean]> {
  /** IPv4 in the clothes of IPv6. */
  const mapped = AddressSet.of('::ffff:0:0/96');
  return [
    ['metadata servers of clouds', AddressSet.of(...METADATA_SERVERS.map(({ cidr }) => cidr)), true],
    ['private addresses', usedFor('private', 'unique local', 'site-local (deprecated)'), true],
    ['link-local addresses', usedFor('link-local'), true],
    ['shared addresses', usedFor('shared'), true],
    ['loopback addresses', usedFor('this host', 'loopback', 'unspecified, loopback, and IPv4-compatible'), true],
    ['translation to IPv4', usedFor('NAT64', 'local NAT64', '6to4', '6to4 relay (deprecated)', 'protocol assignments, Teredo among them').union(mapped), true],
    ['reserved addresses', AddressSet.of(...SPECIAL_RANGES.map(({ cidr }) => cidr)).union(mapped), false],
    ['public internet, IPv4', FAMILIES().ipv4, false],
    ['public internet, IPv6', AddressSet.of(GLOBAL_UNICAST_IPV6), false],
    ['unassigned IPv6 addresses', FAMILIES().ipv6, false],
  ];
}

/** All addresses, in classes that do not overlap. @internal */
export const addressClasses = lazily((): readonly AddressClass[] => named().map(([name, set, isSensitive], index, all) => ({
  name, isSensitive, set: all.slice(0, index).reduce((rest, [, earlier]) => rest.minus(earlier), set),
})));

/** Networks that a line lists at most. */
const MOST_NETWORKS = 3;
/** @internal */
export const EVERY_ADDRESS = 'every address';
const EVERY_PORT = 'TCP 0-65535,UDP 0-65535,SCTP 0-65535';

/** What is connected, in words: one line for each class of addresses and its ports. @internal */
export interface ConnectedClass {
  readonly text: string;
  /** Whether a whole class is meant in which sandboxes have no business, or a metadata server of a cloud. */
  readonly isRisk: boolean;
}

interface Ports {
  readonly protocol: string;
  readonly from: number;
  readonly to: number;
}

/** Many sandboxes share one answer of the model. */
const known = new WeakMap<readonly ConnectedAddresses[], readonly ConnectedClass[]>();

/** Addresses and ports, in classes. @internal */
export function classesOf(addresses: readonly ConnectedAddresses[]): readonly ConnectedClass[] {
  const classes = known.get(addresses) ?? worked(addresses);
  known.set(addresses, classes);
  return classes;
}

function worked(addresses: readonly ConnectedAddresses[]): ConnectedClass[] {
  const byClass = new Map<string, { readonly isRisk: boolean; readonly certain: boolean; readonly ports: Ports[] }>();
  for (const { set, certain, protocol, fromPort, toPort } of addresses) {
    for (const { name, isRisk } of partsOf(set)) {
      const key = `${certain}${name}`;
      const known = byClass.get(key) ?? { isRisk, certain, ports: [] };
      const last = known.ports[known.ports.length - 1];
      const continues = last?.protocol === protocol && last.to + 1 === fromPort;
      known.ports.splice(known.ports.length - (continues ? 1 : 0), 1, { protocol, from: continues ? last.from : fromPort, to: toPort });
      byClass.set(key, known);
    }
  }
  return [...byClass].map(([key, { ports, isRisk, certain }]) => ({
    isRisk, text: `${key.slice(String(certain).length)}${onPorts(ports.map(({ protocol, from, to }) => `${protocol} ${from === to ? from : `${from}-${to}`}`))}${certain ? '' : ' (not certain)'}`,
  }));
}

/** ` on TCP 443`; nothing for every port. @internal */
export function onPorts(ports: readonly string[]): string {
  return ports.length === 0 || ports.join(',') === EVERY_PORT ? '' : ` on ${ports.join(', ')}`;
}

function partsOf(set: AddressSet): { readonly name: string; readonly isRisk: boolean }[] {
  if (set.equals(AddressSet.ALL)) {
    return [{ name: EVERY_ADDRESS, isRisk: true }];
  }
  const whole = [['every IPv4 address', FAMILIES().ipv4], ['every IPv6 address', FAMILIES().ipv6]] as const;
  const families = whole.filter(([, family]) => set.contains(family));
  const rest = families.reduce((left, [, family]) => left.minus(family), set);
  return [
    ...families.map(([name]) => ({ name, isRisk: true })),
    ...addressClasses().flatMap(({ name, set: all, isSensitive }) => {
      const part = rest.intersect(all);
      return part.isEmpty ? [] : [describePart(name, part, all, isSensitive)];
    }),
  ];
}

/** Whole classes have a name; of parts the networks are listed, as far as they are few. */
function describePart(name: string, part: AddressSet, all: AddressSet, isSensitive: boolean): { readonly name: string; readonly isRisk: boolean } {
  if (part.equals(all)) {
    return { name, isRisk: isSensitive };
  }
  const only = part.intersect(FAMILIES().ipv4).isEmpty ? 'IPv6' : part.intersect(FAMILIES().ipv6).isEmpty ? 'IPv4' : undefined;
  const comparable = all.intersect(only === undefined ? AddressSet.ALL : only === 'IPv4' ? FAMILIES().ipv4 : FAMILIES().ipv6);
  const [cidrs, missing] = [part.toCidrs(), comparable.minus(part).toCidrs()];
  if (missing.length === 0) {
    return { name: `${name}, ${only}`, isRisk: isSensitive };
  }
  if (cidrs.length > MOST_NETWORKS && missing.length <= MOST_NETWORKS) {
    return { name: `${name} except ${missing.join(', ')}`, isRisk: isSensitive };
  }
  return {
    name: cidrs.length <= MOST_NETWORKS ? `${cidrs.join(', ')} (${name})`
      // Which networks these are is in the manifest; that they change has to show.
      : `${cidrs.length} networks of ${name} (#${createHash('sha256').update(cidrs.join()).digest('hex').slice(0, 6)})`,
    isRisk: isSensitive && all === addressClasses()[0].set,
  };
}
