import { parseLabelSelector } from '../src/selector.js';

test.each([
  ['', {}, true],
  ['a=1', { a: '1' }, true],
  ['a==1', { a: '2' }, false],
  ['a=', { a: '' }, true],
  ['a!=1', {}, true],
  ['a!=1', { a: '1' }, false],
  ['a', { a: '' }, true],
  ['a', {}, false],
  ['!a', {}, true],
  ['! a', { a: '1' }, false],
  ['a in (1, 2)', { a: '2' }, true],
  ['a in (1,2)', {}, false],
  ['a notin (1,2)', {}, true],
  ['a notin (1,2)', { a: '1' }, false],
  ['a in (1,2),b!=3 , example.com/c', { 'a': '1', 'example.com/c': 'x' }, true],
  ['a in (1,2),b!=3', { a: '1', b: '3' }, false],
  ['constructor', {}, false],
])('"%s" on %j: %s', (selector, labels, expected) => expect(parseLabelSelector(selector)(labels as Record<string, string>)).toBe(expected));

test('no labels at all are like empty ones', () => expect(parseLabelSelector('!a')(undefined)).toBe(true));

test.each(['a=(1)', 'a in 1', '!a=1', 'a<1', 'a b'])('"%s" is refused', selector => {
  expect(() => parseLabelSelector(selector)).toThrow(`label selector "${selector}"`);
});
