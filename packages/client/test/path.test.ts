import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SandboxInputError } from '../src/errors.js';
import { encodePath, normalizePath } from '../src/path.js';

describe('normalizePath', () => {
  test.each([
    ['a.txt', 'a.txt'],
    ['/a.txt', 'a.txt'],
    ['./a//b/', 'a/b'],
    ['a/../b', 'b'],
    ['a/./..b', 'a/..b'],
    ['ä b/ü', 'ä b/ü'],
    [' ', ' '],
  ])('%j becomes %j', (given, wanted) => {
    expect(normalizePath(given)).toBe(wanted);
  });

  test.each(['..', '../a', 'a/../../b', '/..', 'a/../..'])('refuses %j, which leads out', path => {
    expect(() => normalizePath(path, { root: true })).toThrow(/leads out of the sandbox's directory: give a path below it/);
  });

  test.each(['', '.', '/', 'a/..'])('takes %j for the directory itself, where that is possible', path => {
    expect(normalizePath(path, { root: true })).toBe('');
    expect(() => normalizePath(path)).toThrow(SandboxInputError);
  });

  test.each(['a\0b', 'a\nb', '\u007f'])('refuses %j, which has control characters', path => {
    expect(() => normalizePath(path)).toThrow(/control characters/);
  });

  test('refuses more than 4,096 bytes, counted in UTF-8', () => {
    expect(normalizePath('ä'.repeat(2048))).toHaveLength(2048);
    expect(() => normalizePath('ä'.repeat(2049))).toThrow(/longer than 4096 bytes/);
  });

  test('gives, for any path that it takes, one without ".", ".." and empty parts, and takes that again unchanged', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom('a', 'b c', '.', '..', '', '...', 'ß')), parts => {
      let normal: string;
      try {
        normal = normalizePath(parts.join('/'), { root: true });
      } catch {
        return;
      }
      expect(normal === '' ? [] : normal.split('/')).not.toEqual(expect.arrayContaining(['.']));
      expect(normal.split('/')).not.toContain('..');
      expect(normalizePath(normal, { root: true })).toBe(normal);
    }));
  });
});

describe('encodePath', () => {
  test('makes one segment of every text, which decodes to the text', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), text => {
      expect(encodePath(text)).toMatch(/^[A-Za-z0-9\-_.~%]*$/);
      expect(decodeURIComponent(encodePath(text))).toBe(text);
    }));
  });
});
