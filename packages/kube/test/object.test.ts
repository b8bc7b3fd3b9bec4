import * as fc from 'fast-check';
import { controllerOf, keyOf, parseKey } from 'agent-sandbox-api';
import { compareResourceVersions, deepFreeze } from '../src/object.js';

describe('compareResourceVersions', () => {
  test('agrees with the order of numbers of any length', () => {
    const version = fc.bigInt(1n, 10n ** 30n);
    fc.assert(fc.property(version, version, (a, b) => {
      expect(Math.sign(compareResourceVersions(String(a), String(b))!)).toBe(a < b ? -1 : a > b ? 1 : 0);
    }));
  });

  test.each([[undefined, '1'], ['1', undefined], ['', '1'], ['abc', '1'], ['1', '01'], [undefined, undefined]])('%p and %p have no order', (a, b) => {
    expect(compareResourceVersions(a, b)).toBeUndefined();
  });
});

test('parseKey is the inverse of keyOf', () => {
  expect(parseKey(keyOf({ namespace: 'team', name: 'a.b' }))).toEqual({ namespace: 'team', name: 'a.b' });
  expect(parseKey(keyOf({ metadata: { name: 'node-1' } }))).toEqual({ name: 'node-1' });
});

test('controllerOf finds the reference that is marked, among others', () => {
  const reference = (uid: string, controller?: boolean) => ({ apiVersion: 'v1', kind: 'A', name: 'a', uid, controller });
  expect(controllerOf({ metadata: { ownerReferences: [reference('1'), reference('2', true)] } })?.uid).toBe('2');
  expect(controllerOf({ metadata: { ownerReferences: [reference('1')] } })).toBeUndefined();
});

test('deepFreeze reaches into lists and objects', () => {
  const frozen = deepFreeze({ list: [{ value: 1 }] });
  expect(() => frozen.list[0].value = 2).toThrow(TypeError);
});
