import * as fc from 'fast-check';
import { jsonEqual, jsonPointer, mergePatchOf } from '../src/patch.js';

/** RFC 7386, section 2. */
function applyMergePatch(target: any, patch: any): any {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) {
    return patch;
  }
  const result: any = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      delete result[name];
    } else {
      result[name] = applyMergePatch(result[name], value);
    }
  }
  return result;
}

const { object } = fc.letrec(tie => ({
  value: fc.oneof({ maxDepth: 4 }, fc.constantFrom(0, 1, 'a', 'b', true), fc.array(tie('value'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__x'), tie('value'), { maxKeys: 3 }),
}));

describe('mergePatchOf', () => {
  test('turns any object into any other', () => {
    fc.assert(fc.property(object, object, (before: any, after: any) => {
      expect(applyMergePatch(before, mergePatchOf(before, after) ?? {})).toEqual(after);
    }), { numRuns: 500 });
  });

  test('is undefined exactly for equal objects', () => {
    fc.assert(fc.property(object, object, (before: any, after: any) => {
      expect(mergePatchOf(before, after) === undefined).toBe(jsonEqual(before, after));
      expect(mergePatchOf(before, structuredClone(before))).toBeUndefined();
    }));
  });

  test('has only what changes, lists whole', () => {
    expect(mergePatchOf(
      { metadata: { labels: { a: '1', b: '2' } }, status: { conditions: [{ type: 'A' }, { type: 'B' }], podIPs: ['::1'] } },
      { metadata: { labels: { a: '1', c: '3' } }, status: { conditions: [{ type: 'A' }], podIPs: ['::1'] } },
    )).toEqual({ metadata: { labels: { b: null, c: '3' } }, status: { conditions: [{ type: 'A' }] } });
  });

  test('takes undefined for missing', () => {
    expect(mergePatchOf({ a: undefined, b: 1 }, { a: undefined, b: undefined })).toEqual({ b: null });
    expect(mergePatchOf({}, { a: { b: undefined } })).toEqual({ a: {} });
  });

  test('refuses null, which would delete', () => {
    expect(() => mergePatchOf({}, { spec: { a: null } })).toThrow('a merge patch cannot set /spec/a to null: leave it out, or use a JSON patch');
  });
});

test('jsonEqual ignores order and undefined properties, but not the order of lists', () => {
  expect(jsonEqual({ a: 1, b: [1, 2], c: undefined }, { b: [1, 2], a: 1 })).toBe(true);
  expect(jsonEqual([1, 2], [2, 1])).toBe(false);
  expect(jsonEqual({ a: 1 }, { b: 1 })).toBe(false);
  expect(jsonEqual([], {})).toBe(false);
  expect(jsonEqual(null, {})).toBe(false);
});

test('jsonPointer escapes the signs of its own', () => {
  expect(jsonPointer('metadata', 'labels', 'example.com/a~b', 0)).toBe('/metadata/labels/example.com~1a~0b/0');
});
