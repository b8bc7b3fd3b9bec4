import { isIPv4, isIPv6 } from 'node:net';

const GRAMMAR = "write the first address and the prefix length of a network: '10.0.0.0/8', 'fd00::/8'";
/** `api.example.com`, `*.example.com`, `https:`: what an address never looks like. */
const HOST_NAME = /^https?:$|^(\*\.)?([a-z\d]([-a-z\d]*[a-z\d])?\.)+[a-z]{2,}(:\d+)?$/i;
// The upper 96 bits of IPv4 addresses in IPv6 notation, ::ffff:0:0/96.
const MAPPED = 0xffffn;

/**
 * A network in CIDR notation. Own code: node:net checks addresses, but neither masks nor prints them, and a library would
 * have to be bundled into this package.
 *
 * @internal
 */
export class Cidr {
  /** The network that `text` denotes, or undefined where the rule `cidr` finds something wrong with it. */
  public static tryParse(text: string): Cidr | undefined {
    const read = Cidr.read(text);
    return typeof read === 'string' ? undefined : read;
  }

  /** The networks of `all` without those that lie in others of them, in ascending order. */
  public static compact(all: readonly Cidr[]): Cidr[] {
    const kept: Cidr[] = [];
    for (const cidr of [...all].sort(ascending)) {
      if (!kept.some(other => other.contains(cidr))) {
        kept.push(cidr);
      }
    }
    return kept;
  }

  /** The network, or what to do about the text. */
  public static read(text: string): Cidr | string {
    const [address, length, ...more] = text.split('/');
    const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : undefined;
    if (bits !== undefined && length === undefined) {
      return `add the prefix length: '${text}/${bits}' is this address alone`;
    }
    if (bits === undefined && HOST_NAME.test(address)) {
      return 'NetworkPolicies know addresses, not host names: write the address of the host, or let the sandbox connect to a proxy that knows names';
    }
    if (bits === undefined || more.length > 0 || !/^(0|[1-9]\d*)$/.test(length)) {
      const unpadded = withoutLeadingZeros(text);
      return unpadded !== text && Cidr.read(unpadded) !== GRAMMAR ? `some programs read leading zeros as octal: write '${unpadded}'` : GRAMMAR;
    }
    const prefix = Number(length);
    if (prefix > bits) {
      return `use a prefix length from 0 to ${bits}`;
    }
    const value = bits === 32 ? parseIPv4(address) : parseIPv6(address);
    if (bits === 128 && value >> 32n === MAPPED) {
      const plain = Cidr.of(32, value & 0xffffffffn, prefix < 96 ? 32 : prefix - 96);
      return `API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '${plain}'`;
    }
    const cidr = Cidr.of(bits, value, prefix);
    return cidr.first === value ? cidr
      : `bits are set behind the prefix: write '${cidr}' for the network, or '${Cidr.of(bits, value, bits)}' for the address`;
  }

  /** The IPv4 network that the addresses of an IPv6 network embed after the given number of bits. */
  public static embedded(cidr: Cidr, before: number, prefix: number): Cidr {
    return Cidr.of(32, (cidr.first >> BigInt(128 - before - 32)) & 0xffffffffn, prefix);
  }

  /** The network of a prefix length that holds an address. */
  public static of(bits: 32 | 128, address: bigint, prefix: number): Cidr {
    return new Cidr(bits, masked(address, bits, prefix), prefix);
  }

  private constructor(
    /** Length of an address: 32 in IPv4, 128 in IPv6. */
    public readonly bits: 32 | 128,
    /** The first address. */
    public readonly first: bigint,
    /** The prefix length. */
    public readonly prefix: number,
  ) {}

  /** IPv4 or IPv6, for messages. */
  public get family(): string {
    return this.bits === 32 ? 'IPv4' : 'IPv6';
  }

  /** The last address. */
  public get last(): bigint {
    return this.first + (1n << BigInt(this.bits - this.prefix)) - 1n;
  }

  /** Whether all addresses of `other` are in this network; networks of two families have none in common. */
  public contains(other: Cidr): boolean {
    return this.bits === other.bits && this.prefix <= other.prefix && masked(other.first, this.bits, this.prefix) === this.first;
  }

  /** Whether all addresses of this network are in `parts`, taken together. */
  public isCoveredBy(parts: readonly Cidr[]): boolean {
    let next = this.first;
    for (const part of parts.filter(each => each.bits === this.bits).sort(ascending)) {
      if (part.first > next) {
        break;
      }
      next = part.last >= next ? part.last + 1n : next;
    }
    return next > this.last;
  }

  /** The canonical form: in IPv6 that of RFC 5952. */
  public toString(): string {
    return `${this.bits === 32 ? formatIPv4(this.first) : formatIPv6(this.first)}/${this.prefix}`;
  }
}

/** The rule for networks in policies. @internal */
export function cidr(value: string): string | undefined {
  const read = Cidr.read(value);
  return typeof read === 'string' ? read : undefined;
}

/** IPv4 first, then by address, then the larger network first. */
function ascending(a: Cidr, b: Cidr): number {
  return a.bits - b.bits || (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefix - b.prefix);
}

function masked(value: bigint, bits: number, prefix: number): bigint {
  const host = BigInt(bits - prefix);
  return (value >> host) << host;
}

/** Decimal numbers only: leading zeros do not change the meaning of hexadecimal groups of IPv6. */
function withoutLeadingZeros(text: string): string {
  return text.includes(':') ? text.replace(/([./])0+(?=\d)/g, '$1') : text.replace(/(^|[./])0+(?=\d)/g, '$1');
}

function parseIPv4(text: string): bigint {
  return text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIPv6(text: string): bigint {
  const cut = text.lastIndexOf(':') + 1;
  const tail = text.slice(cut);
  const low = tail.includes('.') ? parseIPv4(tail) : undefined;
  const plain = low === undefined ? text : `${text.slice(0, cut)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [left, right] = plain.split('::').map(half => (half ? half.split(':') : []));
  const groups = right === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}

function formatIPv4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 0xffn).join('.');
}

function formatIPv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  let start = 0;
  let length = 1; // a single zero is not shortened
  for (let from = 0; from < 8; from++) {
    const end = groups.findIndex((group, index) => index >= from && group !== '0');
    const zeros = (end < 0 ? 8 : end) - from;
    if (zeros > length) {
      [start, length] = [from, zeros];
    }
  }
  return length === 1 ? groups.join(':') : `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}
