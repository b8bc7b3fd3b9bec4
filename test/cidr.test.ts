import { BlockList } from 'node:net';
import * as fc from 'fast-check';
import { Cidr, cidr } from '../src/network/cidr';
import { METADATA_SERVERS, SPECIAL_IPV4, SPECIAL_IPV6 } from '../src/generated/semantics.gen';

const parse = (text: string): Cidr => {
  const parsed = Cidr.tryParse(text);
  if (!parsed) {
    throw new Error(`${text}: ${cidr(text)}`);
  }
  return parsed;
};

const ipv4Text = (value: bigint): string => [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 255n).join('.');
const ipv6Text = (value: bigint): string => [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map(shift => ((value >> shift) & 0xffffn).toString(16)).join(':');

/** An address and a prefix length of one family; IPv6 with many zero groups, and never IPv4-mapped. */
const ipv4Parts = fc.record({ bits: fc.constant(32), value: fc.bigInt(0n, 2n ** 32n - 1n), prefix: fc.nat(32) });
const ipv6Parts = fc.record({
  bits: fc.constant(128),
  value: fc.array(fc.oneof(fc.constantFrom(0n, 0n, 1n, 0xffffn), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 })
    .map(groups => groups.reduce((all, group) => (all << 16n) | group)).filter(value => value >> 32n !== 0xffffn),
  prefix: fc.nat(128),
});
const network = fc.oneof(ipv4Parts, ipv6Parts).map(({ bits, value, prefix }) => {
  const host = BigInt(bits - prefix);
  const first = (value >> host) << host;
  return { bits, prefix, first, text: `${bits === 32 ? ipv4Text(first) : ipv6Text(first)}/${prefix}` };
}).filter(({ bits, first }) => bits === 32 || first >> 32n !== 0xffffn);
/** Two networks that are often related. */
const pair = fc.tuple(network, network, fc.boolean(), fc.nat(128)).map(([a, b, related, length]) => {
  if (!related) {
    return [a.text, b.text];
  }
  const prefix = Math.min(length, a.bits);
  const host = BigInt(a.bits - prefix);
  const first = ((a.first + (2n ** BigInt(a.bits - a.prefix) - 1n)) >> host) << host;
  return [a.text, `${a.bits === 32 ? ipv4Text(first) : ipv6Text(first)}/${prefix}`];
}).filter(texts => texts.every(text => cidr(text) === undefined));

const addressOf = (text: string): string => text.split('/')[0];
const familyOf = (text: string): 'ipv4' | 'ipv6' => (text.includes(':') ? 'ipv6' : 'ipv4');
const lastOf = (parsed: Cidr): string => (parsed.bits === 32 ? ipv4Text(parsed.last) : ipv6Text(parsed.last));

describe('the notation', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255/32', '255.255.255.255/32'],
    ['::/0', '::/0'],
    ['2001:DB8:0:0::/32', '2001:db8::/32'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001/128', '2001:db8::1/128'],
    ['2001:db8:0:1:0:0:0:0/64', '2001:db8:0:1::/64'],
    ['1:0:0:2:0:0:3:4/128', '1::2:0:0:3:4/128'],
    ['1:0:2:3:4:5:6:7/128', '1:0:2:3:4:5:6:7/128'],
    ['64:ff9b::192.0.2.33/128', '64:ff9b::c000:221/128'],
  ])('%s is %s', (text, canonical) => {
    expect(cidr(text)).toBeUndefined();
    expect(String(parse(text))).toBe(canonical);
  });

  const grammar = "write the first address and the prefix length of a network: '10.0.0.0/8', 'fd00::/8'";
  test.each([
    ['', grammar],
    ['internet', grammar],
    ['10.0.0.0/', grammar],
    ['10.0.0.0/eight', grammar],
    ['10.0.0.0/+8', grammar],
    ['10.0.0.0/255.0.0.0', grammar],
    ['10.0.0.0/8/8', grammar],
    ['10.0.0/8', grammar],
    ['256.0.0.0/8', grammar],
    [' 10.0.0.0/8', grammar],
    ['fe80::%eth0/64', grammar],
    ['fd00:::/8', grammar],
    ['10.1.2.3', "add the prefix length: '10.1.2.3/32' is this address alone"],
    ['fd00::1', "add the prefix length: 'fd00::1/128' is this address alone"],
    ['10.0.0.0/33', 'use a prefix length from 0 to 32'],
    ['fd00::/129', 'use a prefix length from 0 to 128'],
    ['010.0.0.0/8', "some programs read leading zeros as octal: write '10.0.0.0/8'"],
    ['10.00.0.0/08', "some programs read leading zeros as octal: write '10.0.0.0/8'"],
    ['fd00::/08', "some programs read leading zeros as octal: write 'fd00::/8'"],
    ['10.1.2.3/8', "bits are set behind the prefix: write '10.0.0.0/8' for the network, or '10.1.2.3/32' for the address"],
    ['fd00::1/8', "bits are set behind the prefix: write 'fd00::/8' for the network, or 'fd00::1/128' for the address"],
    ['::ffff:10.0.0.0/104', "API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '10.0.0.0/8'"],
    ['::ffff:a00:1/128', "API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '10.0.0.1/32'"],
    ['::ffff:0:0/96', "API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '0.0.0.0/0'"],
    ['::ffff:10.0.0.1/64', "API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '10.0.0.1/32'"],
  ])('%j is refused', (text, remedy) => {
    expect(cidr(text)).toBe(remedy);
    expect(Cidr.tryParse(text)).toBeUndefined();
  });

  test('printing and parsing again gives the same network', () => {
    fc.assert(fc.property(network, ({ text, first, prefix }) => {
      const once = parse(text);
      const again = parse(String(once));
      expect([once.first, once.prefix]).toEqual([first, prefix]);
      expect([again.first, again.prefix, String(again)]).toEqual([first, prefix, String(once)]);
    }));
  });

  test('IPv6 addresses are printed as URLs print them', () => {
    fc.assert(fc.property(network.filter(({ bits }) => bits === 128), ({ text }) => {
      expect(`[${addressOf(String(parse(text)))}]`).toBe(new URL(`http://[${addressOf(text)}]/`).hostname);
    }));
  });

  test('any text is either a network or has a remedy', () => {
    const alphabet = fc.constantFrom(...'0123456789abf.:/%');
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string({ unit: alphabet, maxLength: 20 })), text => {
      expect(Cidr.tryParse(text) === undefined).toBe(cidr(text) !== undefined);
    }));
  });
});

describe('containment', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8', true],
    ['10.0.0.0/8', '10.255.255.255/32', true],
    ['10.0.0.0/8', '11.0.0.0/32', false],
    ['10.1.0.0/16', '10.0.0.0/8', false],
    ['0.0.0.0/0', '::/0', false],
    ['::/0', '0.0.0.0/0', false],
    ['fc00::/7', 'fd00:ec2::254/128', true],
  ])('%s holds %s: %s', (outer, inner, expected) => {
    expect(parse(outer).contains(parse(inner))).toBe(expected);
  });

  test('agrees with the block lists of Node', () => {
    let inside = 0;
    fc.assert(fc.property(pair, ([outer, inner]) => {
      const list = new BlockList();
      list.addSubnet(addressOf(outer), Number(outer.split('/')[1]), familyOf(outer));
      const other = parse(inner);
      const expected = familyOf(outer) === familyOf(inner)
        && list.check(addressOf(inner), familyOf(inner)) && list.check(lastOf(other), familyOf(inner));
      inside += expected ? 1 : 0;
      expect(parse(outer).contains(other)).toBe(expected);
    }), { numRuns: 500, seed: 1 });
    expect(inside).toBeGreaterThan(50);
  });
});

describe('coverage', () => {
  const halves = (block: string): Cidr[] => {
    const parsed = parse(block);
    const text = parsed.bits === 32 ? ipv4Text : ipv6Text;
    const prefix = parsed.prefix + 1;
    return [parsed.first, parsed.first + 2n ** BigInt(parsed.bits - prefix)].map(first => parse(`${text(first)}/${prefix}`));
  };

  test.each(['0.0.0.0/0', '::/0', '10.0.0.0/8', 'fd00::/8'])('%s is covered by its halves, in any order, and not by one of them', block => {
    const [low, high] = halves(block);
    expect(parse(block).isCoveredBy([low, high])).toBe(true);
    expect(parse(block).isCoveredBy([high, low, low])).toBe(true);
    expect(parse(block).isCoveredBy([low])).toBe(false);
    expect(parse(block).isCoveredBy([high])).toBe(false);
  });

  test('a network is covered by what holds it, and not by another family', () => {
    expect(parse('10.0.0.0/8').isCoveredBy([parse('0.0.0.0/0')])).toBe(true);
    expect(parse('0.0.0.0/0').isCoveredBy([parse('::/0')])).toBe(false);
    expect(parse('0.0.0.0/0').isCoveredBy([])).toBe(false);
  });

  test('the parts of any partition cover a network, and all but one of them do not', () => {
    // far from the IPv4-mapped addresses, whose networks cannot be written
    const roomy = network.filter(({ bits, prefix, first }) => prefix <= bits - 8 && (bits === 32 || first >> 48n !== 0n));
    fc.assert(fc.property(roomy, fc.array(fc.nat(20), { maxLength: 7 }), fc.nat(), ({ text }, splits, drop) => {
      const parts = splits.reduce<Cidr[]>((all, at) => {
        const index = at % all.length;
        return [...all.slice(0, index), ...halves(String(all[index])), ...all.slice(index + 1)];
      }, [parse(text)]).reverse();
      expect(parse(text).isCoveredBy(parts)).toBe(true);
      expect(parse(text).isCoveredBy(parts.filter((_, index) => index !== drop % parts.length))).toBe(false);
    }));
  });

  test('compact lists hold the same addresses, in ascending order, without overlaps', () => {
    fc.assert(fc.property(fc.array(pair, { maxLength: 6 }), pairs => {
      const all = pairs.flat().map(parse);
      const compact = Cidr.compact(all);
      expect(all.every(each => compact.some(kept => kept.contains(each)))).toBe(true);
      expect(compact.every(kept => all.some(each => String(each) === String(kept)))).toBe(true);
      compact.slice(1).forEach((kept, index) => {
        const before = compact[index];
        expect(before.bits < kept.bits || (before.bits === kept.bits && before.last < kept.first)).toBe(true);
      });
    }));
  });
});

describe('special ranges', () => {
  test.each([['IPv4', SPECIAL_IPV4], ['IPv6', SPECIAL_IPV6]])('%s ranges are of one family, canonical, ascending and do not overlap', (family, ranges) => {
    expect(ranges.map(range => parse(range).family)).toEqual(ranges.map(() => family));
    expect(Cidr.compact([...ranges].reverse().map(parse)).map(String)).toEqual(ranges);
  });

  // of the hand-written list, each with what makes it special
  test.each([
    ['127.0.0.1', 'loopback'], ['10.96.0.1', 'private'], ['172.31.255.255', 'private'], ['192.168.0.1', 'private'], ['0.0.0.0', 'this host'],
    ['169.254.169.254', 'metadata server'], ['169.254.20.10', 'name server of the node'], ['168.63.129.16', 'Azure'], ['100.100.100.200', 'metadata server'],
    ['192.0.0.192', 'metadata server'], ['198.19.0.1', 'benchmarks'], ['224.0.0.1', 'multicast'], ['255.255.255.255', 'broadcast'],
    ['::1', 'loopback'], ['fd00:ec2::254', 'metadata server'], ['fd20:ce::254', 'metadata server'], ['fe80::1', 'link-local'], ['fec0::1', 'site-local'],
    ['ff02::1', 'multicast'], ['64:ff9b::a00:1', 'NAT64'], ['64:ff9b:1::1', 'local NAT64'], ['2002:a00:1::', '6to4'], ['2001::1', 'Teredo'], ['100::1', 'discard'],
  ])('%s is special: %s', address => {
    const single = parse(`${address}/${address.includes(':') ? 128 : 32}`);
    expect([...SPECIAL_IPV4, ...SPECIAL_IPV6].some(range => parse(range).contains(single))).toBe(true);
  });

  test.each([
    '1.1.1.1', '8.8.8.8', '11.0.0.1', '100.128.0.1', '172.32.0.1', '192.0.1.1', '198.20.0.1', '223.255.255.255',
    '2606:4700:4700::1111', '2001:4860:4860::8888',
  ])('%s is public', address => {
    const single = parse(`${address}/${address.includes(':') ? 128 : 32}`);
    expect([...SPECIAL_IPV4, ...SPECIAL_IPV6].some(range => parse(range).contains(single))).toBe(false);
  });

  test('metadata servers are in the range that leaves them out, and the range is special', () => {
    for (const { cidr: address, range } of METADATA_SERVERS) {
      expect(parse(range).contains(parse(address))).toBe(true);
      expect([...SPECIAL_IPV4, ...SPECIAL_IPV6].some(special => parse(special).contains(parse(range)))).toBe(true);
    }
  });
});
