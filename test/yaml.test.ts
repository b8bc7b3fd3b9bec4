import { ApiObject, Yaml } from 'cdk8s';
import * as fc from 'fast-check';
import { parse } from 'yaml';
import { Sandbox } from '../src';
import { POD, testChart } from './helpers';

const LOOKS_LIKE_A_NUMBER = fc.oneof(
  fc.stringMatching(/^[-+]?0[obx]?[0-9a-f_]{1,4}$/), fc.stringMatching(/^[-+.]?[0-9_]{1,3}[.eE:]?[-+]?[0-9]{0,3}$/),
  fc.constantFrom('0o17', '-0o7', '1_000', '.inf', '-.Inf', '.NaN', '1e3', '0b1', '0x1F', '0777', '12:30', '2001-01-01', 'yes', 'No', 'on', 'y', 'null', '~', 'true', '', '=', '<<', '- 0o17', 'a: 0o17', '0o17\n0o17\n- 0o17'),
);

// Every construct of the library has this done, once for the whole program.
beforeAll(() => new Sandbox(testChart({ namespace: 'agents' }), 'box', POD));

test.each(['core', 'yaml-1.1'] as const)('a reader with the schema %s finds every string as it was', schema => {
  fc.assert(fc.property(fc.array(LOOKS_LIKE_A_NUMBER, { minLength: 1, maxLength: 5 }), texts => {
    const data = { list: texts, map: Object.fromEntries(texts.map((text, index) => [`key-${index}`, text])), keys: Object.fromEntries(texts.map(text => [text, { [text]: text }])), nested: [{ text: texts[0] }] };
    expect(parse(Yaml.stringify(data), { schema, version: schema === 'core' ? '1.2' : '1.1', merge: false })).toEqual(data);
  }), { numRuns: 300 });
});

test.each(['0o17', '0x1F', '1e3', 'null', '~', 'true', '.inf', '=', '0b1', '0777'])('the key %s stays a string', key => {
  const text = Yaml.stringify({ data: { [key]: 'x' } });
  expect(text).toBe(`data:\n  "${key}": x\n`);
  for (const schema of ['core', 'yaml-1.1'] as const) {
    expect(parse(text, { schema, version: schema === 'core' ? '1.2' : '1.1' })).toEqual({ data: { [key]: 'x' } });
  }
});

test('documents without such strings are handed on as they are, not as copies', () => {
  const document = { a: [{ b: 'text' }], c: { d: 1 } };
  const given: unknown[] = [];
  // The library yaml asks objects for this method.
  Object.defineProperty(document, 'toJSON', { enumerable: false, value(this: unknown) { given.push(this); return { a: 1 }; } });
  expect(Yaml.stringify(document)).toBe('a: 1\n');
  expect(given).toEqual([document]);
  expect(given[0]).toBe(document);
});

test('nothing else changes', () => {
  expect(Yaml.stringify({ mode: '0o17', plain: ['a', 1, true, null] })).toBe('mode: "0o17"\nplain:\n  - a\n  - 1\n  - true\n  - null\n');
  const chart = testChart({ namespace: 'agents' });
  const box = new Sandbox(chart, 'box', { ...POD, podAnnotations: { mode: '0o17' } });
  expect(ApiObject.of(box).toJson().spec.podTemplate.metadata.annotations).toEqual({ mode: '0o17' });
});
