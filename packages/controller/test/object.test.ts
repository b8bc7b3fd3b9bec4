import { mapDiff } from '../src/object/diff.js';

test('the difference of two maps, also where a key is called like something that every object has', () => {
  expect(mapDiff({ a: '1', b: '1' }, { b: '2', c: '3' })).toEqual({ a: null, b: '2', c: '3' });
  expect(mapDiff({ a: '1' }, { a: '1' })).toBeUndefined();
  expect(mapDiff({ constructor: 'x' }, {})).toEqual({ constructor: null });
  expect(mapDiff({}, { constructor: 'x' })).toEqual({ constructor: 'x' });
});
