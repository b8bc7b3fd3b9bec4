import * as fc from 'fast-check';
import { Quantity } from '../src/checks/quantity';

/** A quantity as an exact fraction, computed in another way than the class does: unit by unit, with no common scale. */
interface Fraction { readonly top: bigint; readonly bottom: bigint }

const UNITS: Record<string, Fraction> = {
  '': { top: 1n, bottom: 1n },
  n: { top: 1n, bottom: 1_000_000_000n },
  u: { top: 1n, bottom: 1_000_000n },
  m: { top: 1n, bottom: 1_000n },
  k: { top: 1_000n, bottom: 1n },
  M: { top: 1_000_000n, bottom: 1n },
  G: { top: 1_000_000_000n, bottom: 1n },
  T: { top: 1_000_000_000_000n, bottom: 1n },
  P: { top: 1_000_000_000_000_000n, bottom: 1n },
  E: { top: 1_000_000_000_000_000_000n, bottom: 1n },
  Ki: { top: 1n << 10n, bottom: 1n },
  Mi: { top: 1n << 20n, bottom: 1n },
  Gi: { top: 1n << 30n, bottom: 1n },
  Ti: { top: 1n << 40n, bottom: 1n },
  Pi: { top: 1n << 50n, bottom: 1n },
  Ei: { top: 1n << 60n, bottom: 1n },
};
for (let exponent = -18; exponent <= 18; exponent++) {
  const power = 10n ** BigInt(Math.abs(exponent));
  const value = exponent < 0 ? { top: 1n, bottom: power } : { top: power, bottom: 1n };
  UNITS[`e${exponent}`] = value;
  UNITS[`E${exponent >= 0 ? '+' : ''}${exponent}`] = value;
}

interface Amount { readonly text: string; readonly exact: Fraction }

const digits = fc.stringMatching(/^[0-9]{1,12}$/);
const amount: fc.Arbitrary<Amount> = fc.record({
  plus: fc.constantFrom('', '+'),
  number: fc.oneof(
    digits.map(whole => ({ text: whole, top: BigInt(whole), places: 0 })),
    digits.map(whole => ({ text: `${whole}.`, top: BigInt(whole), places: 0 })),
    digits.map(fraction => ({ text: `.${fraction}`, top: BigInt(fraction), places: fraction.length })),
    fc.tuple(digits, digits).map(([whole, fraction]) => ({ text: `${whole}.${fraction}`, top: BigInt(whole + fraction), places: fraction.length })),
  ),
  unit: fc.constantFrom(...Object.keys(UNITS)),
}).map(({ plus, number, unit }) => ({
  text: `${plus}${number.text}${unit}`,
  exact: { top: number.top * UNITS[unit].top, bottom: 10n ** BigInt(number.places) * UNITS[unit].bottom },
}));

/** In nano units, rounded up as Kubernetes does. */
const nanos = ({ top, bottom }: Fraction) => (top * 1_000_000_000n + bottom - 1n) / bottom;

test('amounts compare as their exact values do', () => {
  fc.assert(fc.property(amount, amount, (a, b) => {
    expect(Quantity.tryParse(a.text)!.exceeds(Quantity.tryParse(b.text)!)).toBe(nanos(a.exact) > nanos(b.exact));
  }), { numRuns: 2000 });
});

test('one amount in different words is one amount', () => {
  for (const words of [['1', '1000m', '1e0', '1.000', '+1', '1000000000n', '.001k'], ['1Gi', '1024Mi', '1073741824', '1048576Ki'], ['0', '0Gi', '.0', '0e5']]) {
    const parsed = words.map(text => Quantity.tryParse(text)!);
    for (const one of parsed) {
      expect(parsed.some(other => one.exceeds(other))).toBe(false);
    }
  }
});

test('zero and whole amounts are recognized', () => {
  fc.assert(fc.property(amount, ({ text, exact }) => {
    const quantity = Quantity.tryParse(text)!;
    expect(quantity.isZero).toBe(exact.top === 0n);
    expect(quantity.isWhole).toBe(nanos(exact) % 1_000_000_000n === 0n);
  }), { numRuns: 1000 });
});

test('what is smaller than a nano unit is rounded up, never to nothing', () => {
  expect(Quantity.tryParse('1e-18')!.isZero).toBe(false);
  expect(Quantity.tryParse('0.1n')!.exceeds(Quantity.tryParse('1n')!)).toBe(false);
});

test.each([
  '', ' ', '-1', '-0', '1 Gi', ' 1', '1\n', '1gi', '1K', '1ki', '1kB', '1GB', 'Gi', '.', '+', 'e3', '1e', '1e+', '1e1.5', '1Gi5', '1,5', '0x10', '1_000', 'NaN', 'Infinity',
  '١', '1e19', '1E-19',
])('%j is no quantity', text => {
  expect(Quantity.tryParse(text)).toBeUndefined();
});

test('what Kubernetes would not take as a quantity in a manifest is none here', () => {
  // The pattern of the CRDs, which allows negative numbers and more exponents.
  const pattern = /^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$/;
  fc.assert(fc.property(fc.stringMatching(/^[-+.0-9eEkKMGmni]{0,6}$/), text => {
    fc.pre(Quantity.tryParse(text) !== undefined);
    expect(text).toMatch(pattern);
  }), { numRuns: 2000 });
});
