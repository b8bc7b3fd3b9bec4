import { Cidr } from '../network';

/** First and last address. */
type Interval = readonly [bigint, bigint];
type Bits = 32 | 128;

const FAMILIES: readonly Bits[] = [32, 128];

/**
 * A set of IPv4 and IPv6 addresses: sorted intervals that neither overlap nor touch. Values are immutable.
 *
 * @internal
 */
export class AddressSet {
  public static readonly EMPTY = new AddressSet(new Map());

  /** All IPv4 and IPv6 addresses. */
  public static readonly ALL = AddressSet.of('0.0.0.0/0', '::/0');

  /** The addresses of networks in CIDR notation. A text that is no network contributes nothing. */
  public static of(...cidrs: readonly string[]): AddressSet {
    const networks = cidrs.flatMap(text => AddressSet.parse(text) ?? []);
    const intervals = (bits: Bits) => networks.filter(each => each.bits === bits).map(({ first, last }): Interval => [first, last]);
    return new AddressSet(new Map(FAMILIES.map(bits => [bits, merged(intervals(bits))])));
  }

  /** As policies are read by engines: bits behind the prefix do not count. */
  private static parse(text: string): Cidr | undefined {
    const [address, length] = text.split('/');
    const exact = Cidr.tryParse(text);
    const single = exact ?? Cidr.tryParse(`${address}/${address.includes(':') ? 128 : 32}`);
    return exact ?? (single && /^\d+$/.test(length) && Number(length) <= single.bits ? Cidr.of(single.bits, single.first, Number(length)) : undefined);
  }

  private constructor(private readonly intervals: ReadonlyMap<Bits, readonly Interval[]>) {}

  public get isEmpty(): boolean {
    return FAMILIES.every(bits => this.of(bits).length === 0);
  }

  public union(other: AddressSet): AddressSet {
    return this.isEmpty ? other : other.isEmpty ? this : this.combine(other, (a, b) => merged([...a, ...b]));
  }

  public intersect(other: AddressSet): AddressSet {
    return this.isEmpty || other.isEmpty ? AddressSet.EMPTY : this.combine(other, common);
  }

  public minus(other: AddressSet): AddressSet {
    return this.isEmpty || other.isEmpty ? this : this.combine(other, difference);
  }

  /** Whether all addresses of `other` are in this set. */
  public contains(other: AddressSet): boolean {
    return other.minus(this).isEmpty;
  }

  public equals(other: AddressSet): boolean {
    return this.contains(other) && other.contains(this);
  }

  /** One address of the set, the lowest; undefined for the empty set. */
  public get example(): string | undefined {
    for (const bits of FAMILIES) {
      const [first] = this.of(bits);
      if (first) {
        return Cidr.of(bits, first[0], bits).toString().split('/')[0];
      }
    }
    return undefined;
  }

  /** The fewest networks that make up the set, in ascending order, IPv4 first. */
  public toCidrs(): string[] {
    return FAMILIES.flatMap(bits => this.of(bits).flatMap(interval => networksOf(bits, interval)));
  }

  private of(bits: Bits): readonly Interval[] {
    return this.intervals.get(bits) ?? [];
  }

  private combine(other: AddressSet, operation: (a: readonly Interval[], b: readonly Interval[]) => Interval[]): AddressSet {
    return new AddressSet(new Map(FAMILIES.map(bits => [bits, operation(this.of(bits), other.of(bits))])));
  }
}

function merged(intervals: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (const [first, last] of [...intervals].sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0))) {
    const previous = result[result.length - 1];
    if (previous && first <= previous[1] + 1n) {
      result[result.length - 1] = [previous[0], last > previous[1] ? last : previous[1]];
    } else {
      result.push([first, last]);
    }
  }
  return result;
}

function common(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const first = a[i][0] > b[j][0] ? a[i][0] : b[j][0];
    const last = a[i][1] < b[j][1] ? a[i][1] : b[j][1];
    if (first <= last) {
      result.push([first, last]);
    }
    if (a[i][1] < b[j][1]) {
      i++;
    } else {
      j++;
    }
  }
  return result;
}

function difference(a: readonly Interval[], b: readonly Interval[]): Interval[] {
  const result: Interval[] = [];
  let j = 0;
  for (const [first, last] of a) {
    let next = first;
    while (j < b.length && b[j][1] < first) {
      j++;
    }
    for (let k = j; k < b.length && b[k][0] <= last; k++) {
      if (b[k][0] > next) {
        result.push([next, b[k][0] - 1n]);
      }
      next = b[k][1] + 1n;
    }
    if (next <= last) {
      result.push([next, last]);
    }
  }
  return result;
}

/** Cuts an interval into the largest aligned networks. */
function networksOf(bits: Bits, [first, last]: Interval): string[] {
  const result: string[] = [];
  for (let next = first; next <= last;) {
    let prefix = bits as number;
    while (prefix > 0) {
      const larger = Cidr.of(bits, next, prefix - 1);
      if (larger.first !== next || larger.last > last) {
        break;
      }
      prefix--;
    }
    const network = Cidr.of(bits, next, prefix);
    result.push(network.toString());
    next = network.last + 1n;
  }
  return result;
}
