import * as fc from 'fast-check';
import {
  absolutePath, bytes, dns1035Label, dnsLabel, dnsSubdomain, envName, integer, labelValue, oneOf, portName, portNumber, qualifiedName, quantity, time,
} from '../src/checks/rules';

/** Short strings of the characters that matter to names, with the odd one that does not belong. */
const nameLike = fc.oneof(fc.stringMatching(/^[a-bA-B0-1._\-/ ]{0,8}$/), fc.string({ maxLength: 5 }), fc.constantFrom('é', 'a\n', '\u0000', 'a b'));

/** A name checked character by character, without a regular expression. */
function madeOf(value: string, inside: string, ends: string, max: number): boolean {
  const all = [...value];
  return all.length > 0 && value.length <= max && all.every(char => inside.includes(char)) && ends.includes(all[0]) && ends.includes(all.at(-1)!);
}

const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
const ALNUM = LOWER + LOWER.toUpperCase() + DIGITS;
const isLabel = (value: string) => madeOf(value, `${LOWER}${DIGITS}-`, LOWER + DIGITS, 63);
const isSubdomain = (value: string) => value.length <= 253 && value.split('.').every(part => madeOf(part, `${LOWER}${DIGITS}-`, LOWER + DIGITS, 253));
const isLabelValue = (value: string) => value === '' || madeOf(value, `${ALNUM}-_.`, ALNUM, 63);

test.each<[string, (value: string) => string | undefined, (value: string) => boolean]>([
  ['DNS labels', dnsLabel, isLabel],
  ['names of Services', dns1035Label, value => isLabel(value) && LOWER.includes(value[0])],
  ['DNS subdomains', dnsSubdomain, isSubdomain],
  ['values of labels', labelValue, isLabelValue],
  ['keys of labels', qualifiedName, value => {
    const parts = value.split('/');
    return parts.length <= 2 && parts.at(-1) !== '' && isLabelValue(parts.at(-1)!) && (parts.length === 1 || isSubdomain(parts[0]));
  }],
  ['names of variables', envName, value => [...value].every(char => `${ALNUM}-_.`.includes(char)) && value !== '' && !DIGITS.includes(value[0]) && value !== '.' && !value.startsWith('..')],
])('%s are recognized', (_, rule, model) => {
  fc.assert(fc.property(nameLike, value => {
    expect(rule(value) === undefined).toBe(model(value));
  }), { numRuns: 2000 });
});

test.each<[(value: string) => string | undefined, number]>([[dnsLabel, 63], [dns1035Label, 63], [labelValue, 63], [qualifiedName, 63], [dnsSubdomain, 253], [portName, 15]])(
  '%p ends at its length', (rule, max) => {
    expect(rule('a'.repeat(max))).toBeUndefined();
    expect(rule('a'.repeat(max + 1))).toBeDefined();
  });

test.each([['http', true], ['a-1', true], ['1a', true], ['80', false], ['a--b', false], ['-a', false], ['HTTP', false], ['a_b', false], ['', false]])(
  'the name of a port %j is good: %s', (value, good) => {
    expect(portName(value) === undefined).toBe(good);
  });

test.each([[1, true], [65535, true], [0, false], [65536, false], [1.5, false], [NaN, false], [-1, false]])('the port %d is good: %s', (value, good) => {
  expect(portNumber(value) === undefined).toBe(good);
});

test('whole numbers have bounds of their own, or those of 32 bits', () => {
  expect(integer(0)(2147483647)).toBeUndefined();
  expect(integer(0)(2147483648)).toBe('use a whole number from 0 to 2147483647');
  expect(integer(1, 3)(0)).toBe('use a whole number from 1 to 3');
  expect(integer(0)(0.5)).toBeDefined();
});

test('values of an enumeration are listed', () => {
  expect(oneOf('a', 'b')('a')).toBeUndefined();
  expect(oneOf('a', 'b', 'c')('d')).toBe("use 'a', 'b' or 'c'");
});

test('bytes come whole', () => {
  expect(['1', '0', '512Mi', '1.5Gi', '0.5k', '1e3', '1000m'].map(bytes)).toEqual(Array(7).fill(undefined));
  expect(bytes('512m')).toBe("bytes come whole: write '512Mi' or '512M' for millions of them ('m' is a thousandth)");
  expect(bytes('lots')).toBe(quantity('lots'));
});

describe('times', () => {
  const pad = (value: number, length = 2) => String(value).padStart(length, '0');
  const parts = fc.record({
    year: fc.integer({ min: 1000, max: 9999 }), month: fc.integer({ min: 0, max: 13 }), day: fc.integer({ min: 0, max: 32 }),
    hour: fc.integer({ min: 0, max: 24 }), minute: fc.integer({ min: 0, max: 60 }), second: fc.integer({ min: 0, max: 60 }),
  });

  /** Whether Date, given the parts, comes back with the same: it carries what does not exist over to the next unit. */
  function exists({ year, month, day, hour, minute, second }: { year: number; month: number; day: number; hour: number; minute: number; second: number }): boolean {
    const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
    return date.toISOString() === `${pad(year, 4)}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}.000Z`;
  }

  test('exist if the calendar has them', () => {
    fc.assert(fc.property(parts, fc.constantFrom('Z', '+00:00', '-08:00', '+05:45', '.5Z', '.123456789+14:00'), (value, zone) => {
      const text = `${pad(value.year, 4)}-${pad(value.month)}-${pad(value.day)}T${pad(value.hour)}:${pad(value.minute)}:${pad(value.second)}${zone}`;
      expect(time(text) === undefined).toBe(exists(value));
    }), { numRuns: 3000 });
  });

  test('that Date writes are good', () => {
    fc.assert(fc.property(fc.date({ min: new Date('1000-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }), date => {
      expect(time(date.toISOString())).toBeUndefined();
    }));
  });

  test.each([
    '', '2027-01-31', '17:00:00Z', '2027-01-31 17:00:00Z', '2027-01-31T17:00Z', '2027-1-31T17:00:00Z', '2027-01-31T17:00:00z', '2027-01-31T17:00:00+0530',
    '2027-01-31T17:00:00,5Z', '2027-01-31T17:00:00.Z', '2027-01-31T17:00:00Z\n', ' 2027-01-31T17:00:00Z', '+12027-01-31T17:00:00Z', '31/01/2027',
  ])('%j is refused for its form', text => {
    expect(time(text)).toBe("write date, time and zone as in RFC 3339: '2027-01-31T17:00:00Z'");
  });

  test('without zone are refused with the way out', () => {
    expect(time('2027-01-31T17:00:00')).toBe("add a zone, or it would mean another time on every machine: '2027-01-31T17:00:00Z'");
  });

  test.each(['2027-02-29T00:00:00Z', '2100-02-29T00:00:00Z', '2027-04-31T00:00:00Z', '2027-01-31T24:00:00Z', '2027-01-31T17:00:00+24:00', '2027-01-31T17:00:00+05:60'])(
    '%s does not exist', text => {
      expect(time(text)).toBe("there is no such time: check day, hour and zone, for example '2027-01-31T17:00:00Z'");
    });

  test.each(['2028-02-29T00:00:00Z', '2000-02-29T23:59:59-23:59'])('%s exists', text => {
    expect(time(text)).toBeUndefined();
  });
});

test.each([['/', true], ['/workspace', true], ['workspace', false], ['', false], ['/a:b', false], ['C:\\', false]])('the path %j is absolute: %s', (path, good) => {
  expect(absolutePath(path) === undefined).toBe(good);
});
