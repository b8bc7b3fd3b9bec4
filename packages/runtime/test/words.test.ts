import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { quoteWord, splitWords } from 'agent-sandbox-api';

describe('words', () => {
  test.each<[string, string[]]>([
    ['echo hi', ['echo', 'hi']],
    ['  a\tb\r\nc  ', ['a', 'b', 'c']],
    ['', []],
    ['   ', []],
    ["''", ['']],
    ['a"b c"\'d e\'f', ['ab cd ef']],
    ["'a\\b'", ['a\\b']],
    ['"a\\"b\\\\c\\d"', ['a"b\\c\\d']],
    ['"$HOME `x` \\$"', ['$HOME `x` \\$']],
    ['a\\ b \\\'', ['a b', "'"]],
    ['echo # no comment', ['echo', '#', 'no', 'comment']],
    ['a | b > c; d && e *', ['a', '|', 'b', '>', 'c;', 'd', '&&', 'e', '*']],
    ['"a\nb"', ['a\nb']],
    ['\u00a0x', ['\u00a0x']],
  ])('%j is split like a shell does', (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  test.each([
    ["echo 'a", 'No closing quotation'],
    ['echo "a', 'No closing quotation'],
    ['echo a\\', 'No escaped character'],
    ['"a\\', 'No escaped character'],
  ])('%j is refused: %s', (line, message) => {
    expect(() => splitWords(line)).toThrow(message);
  });

  test('words that are quoted come back, whatever is in them', () => {
    const quoted = (word: string) => `'${word.replaceAll("'", `'"'"'`)}'`;
    fc.assert(fc.property(fc.array(fc.string({ unit: 'grapheme' })), words => {
      expect(splitWords(words.map(quoted).join(' '))).toEqual(words);
    }));
  });

  test('quoteWord gives a word that is split into the same', () => {
    fc.assert(fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', ' ', '\'', '"', '\\', '$', '`', '*', '\n', '#', '~') })), words => {
      expect(splitWords(words.map(quoteWord).join(' '))).toEqual(words);
    }));
  });
});
