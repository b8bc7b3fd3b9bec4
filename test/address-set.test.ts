import * as fc from 'fast-check';
import { AddressSet } from '../src/policy/address-set';

/** Networks within 16 addresses, so that sets can be counted address by address. */
const network = fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 28, max: 32 })).map(([host, prefix]) => `10.0.0.${(host >> (32 - prefix)) << (32 - prefix)}/${prefix}`);
const networks = fc.array(network, { maxLength: 6 });
const ADDRESSES = Array.from({ length: 16 }, (_, host) => `10.0.0.${host}/32`);
const members = (set: AddressSet) => ADDRESSES.filter(address => set.contains(AddressSet.of(address)));

test('union, intersection and difference are those of the addresses', () => {
  fc.assert(fc.property(networks, networks, (a, b) => {
    const [left, right] = [AddressSet.of(...a), AddressSet.of(...b)];
    const [inLeft, inRight] = [members(left), members(right)];
    expect(members(left.union(right))).toEqual(ADDRESSES.filter(each => inLeft.includes(each) || inRight.includes(each)));
    expect(members(left.intersect(right))).toEqual(inLeft.filter(each => inRight.includes(each)));
    expect(members(left.minus(right))).toEqual(inLeft.filter(each => !inRight.includes(each)));
  }));
});

test('the networks of a set are the fewest, and make the same set', () => {
  fc.assert(fc.property(networks, networks, (a, b) => {
    const set = AddressSet.of(...a).minus(AddressSet.of(...b));
    const cidrs = set.toCidrs();
    expect(AddressSet.of(...cidrs).equals(set)).toBe(true);
    // Two neighbours that could be one network would be one.
    cidrs.slice(1).forEach((cidr, index) => expect(AddressSet.of(cidrs[index], cidr).toCidrs()).toHaveLength(2));
  }));
});

test('everything without the special ranges is exact in both families', () => {
  const set = AddressSet.ALL.minus(AddressSet.of('10.0.0.0/8', 'fc00::/7'));
  expect(set.toCidrs()).toEqual([
    '0.0.0.0/5', '8.0.0.0/7', '11.0.0.0/8', '12.0.0.0/6', '16.0.0.0/4', '32.0.0.0/3', '64.0.0.0/2', '128.0.0.0/1',
    '::/1', '8000::/2', 'c000::/3', 'e000::/4', 'f000::/5', 'f800::/6', 'fe00::/7',
  ]);
  expect(AddressSet.ALL.toCidrs()).toEqual(['0.0.0.0/0', '::/0']);
});

test('bits behind the prefix do not count, as in network plugins', () => {
  expect(AddressSet.of('10.1.2.3/8').toCidrs()).toEqual(['10.0.0.0/8']);
});

test('an example is the lowest address', () => {
  expect(AddressSet.of('10.0.0.0/8', 'fd00::/8').example).toBe('10.0.0.0');
  expect(AddressSet.of('fd00::/8').example).toBe('fd00::');
  expect(AddressSet.EMPTY.example).toBeUndefined();
});
