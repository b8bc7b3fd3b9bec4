import { Problems, describe as line } from '../src/checks/problems';
import { messageOf } from './helpers';

test('one problem is a line: where, prop, value, remedy', () => {
  const problems = Problems.of('app/box');
  problems.add('port', 0, 'use a whole number from 1 to 65535');
  expect(messageOf(() => problems.throwIfAny())).toBe('app/box: port is 0: use a whole number from 1 to 65535');
});

test('several problems are counted and listed', () => {
  const problems = Problems.of('app/box');
  problems.add('a', 1, 'first');
  problems.add('b', 2, 'second');
  expect(messageOf(() => problems.throwIfAny())).toBe('2 problems:\n  app/box: a is 1: first\n  app/box: b is 2: second');
});

test('no problem is no error', () => {
  expect(() => Problems.of('app/box').throwIfAny()).not.toThrow();
});

test.each<[unknown, string]>([
  ['text', "prop is 'text': remedy"],
  ['', "prop is '': remedy"],
  [0, 'prop is 0: remedy'],
  [NaN, 'prop is NaN: remedy'],
  [-Infinity, 'prop is -Infinity: remedy'],
  [false, 'prop is false: remedy'],
  [null, 'prop is null: remedy'],
  [[], 'prop is []: remedy'],
  [{ a: [1, 'b'] }, 'prop is {"a":[1,"b"]}: remedy'],
  [undefined, 'prop: remedy'],
])('the value %p is shown as it is written', (value, shown) => {
  expect(line('', 'prop', value, 'remedy')).toBe(shown);
});

test('props below another are named with it', () => {
  const problems = Problems.of('box');
  const inner = problems.at('containers[0]');
  inner.add('name', 'A', 'x');
  inner.at('env').add("['B']", 'C', 'y');
  inner.add('', 'D', 'z');
  problems.add('name', 'E', 'w');
  expect(problems.all()).toEqual([
    "box: containers[0].name is 'A': x", "box: containers[0].env['B'] is 'C': y", "box: containers[0] is 'D': z", "box: name is 'E': w",
  ]);
});

test('a rule applies to values that are there', () => {
  const problems = Problems.of('box');
  const rule = (value: number) => (value > 1 ? undefined : 'use more');
  problems.check('a', undefined, rule);
  problems.check('b', 2, rule);
  problems.check('c', 1, rule);
  expect(problems.all()).toEqual(['box: c is 1: use more']);
});

test('each repetition is a problem, and the first of a kind is none', () => {
  const problems = Problems.of('box');
  problems.unique(index => `list[${index}]`, ['a', 'b', 'a', 'a'], 'once');
  expect(problems.all()).toEqual(["box: list[2] is 'a': once", "box: list[3] is 'a': once"]);
});

test('the list that is handed out is a copy', () => {
  const problems = Problems.of('box');
  problems.all().push('x');
  expect(problems.all()).toEqual([]);
});
