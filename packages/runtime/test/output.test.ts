import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Output } from '../src/process/output.js';

function written(limit: number, ...chunks: readonly (Buffer | string)[]): Output {
  const output = new Output(limit);
  chunks.forEach(chunk => output.add(Buffer.from(chunk as string)));
  return output;
}

describe('the output of a command', () => {
  test.each<[number, readonly string[], string]>([
    [10, ['abc', 'def'], 'abcdef'],
    [6, ['abc', 'def'], 'abcdef'],
    [6, ['abcdefg'], 'abc\n[output truncated: 1 bytes are left out here]\nefg'],
    [6, ['ab', 'cdefgh', 'ijklmnopq'], 'abc\n[output truncated: 11 bytes are left out here]\nopq'],
    [1, ['abc'], 'a\n[output truncated: 2 bytes are left out here]\n'],
  ])('of at most %i bytes, from %j, is %j', (limit, chunks, expected) => {
    const output = written(limit, ...chunks);
    const kept = { content: expected, total: chunks.join('').length, truncated: chunks.join('').length > limit };
    expect(output.text()).toEqual(kept);
    expect(output.bytes()).toEqual({ ...kept, content: Buffer.from(expected) });
  });

  test('keeps the first and the last half of the limit, however it is cut into chunks', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.uint8Array({ minLength: 0, maxLength: 40 }), { maxLength: 20 }), (limit, chunks) => {
      const all = Buffer.concat(chunks);
      const { content, total, truncated } = written(limit, ...chunks.map(chunk => Buffer.from(chunk))).bytes();
      expect([total, truncated]).toEqual([all.length, all.length > limit]);
      const head = Math.ceil(limit / 2);
      expect(content.subarray(0, Math.min(head, all.length))).toEqual(all.subarray(0, head));
      const tail = Math.min(limit - head, all.length);
      expect(content.subarray(content.length - tail)).toEqual(all.subarray(all.length - tail));
      expect(truncated ? true : content.equals(all)).toBe(true);
    }));
  });

  test('as text has no halves of characters around what is left out', () => {
    const { content } = written(7, 'ééééééééé').text();
    expect(content).toBe('éé\n[output truncated: 11 bytes are left out here]\né');
  });

  test('of control characters does not grow beyond twice the limit as JSON', () => {
    const { content, total, truncated } = written(100_000, Buffer.alloc(100_000)).text();
    expect([total, truncated]).toEqual([100_000, true]);
    expect(content).toMatch(/^\0+\n\[output truncated: \d+ characters are left out here, which take too much room as JSON\]\n\0+$/);
    expect(JSON.stringify(content).length).toBeLessThan(200_200);
    expect(JSON.stringify(content).length).toBeGreaterThan(199_000);
  });
});
