/** A command line cannot be split; the message is the one that Python's `shlex` has. */
export class WordsError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'WordsError';
  }
}

/**
 * Splits a command line into words as a POSIX shell does, and does nothing else of a shell: blanks separate, single quotes
 * are literal, double quotes know `\"` and `\\`, a backslash outside quotes takes the next character literally.
 *
 * Throws `WordsError` for a quote that is not closed and a backslash at the end.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!;
    if (' \t\r\n'.includes(char)) {
      if (word !== undefined) {
        words.push(word);
        word = undefined;
      }
    } else if (char === "'") {
      const end = line.indexOf("'", i + 1);
      if (end < 0) {
        throw new WordsError('No closing quotation');
      }
      word = (word ?? '') + line.slice(i + 1, end);
      i = end;
    } else if (char === '"') {
      const quoted = doubleQuoted(line, i + 1);
      word = (word ?? '') + quoted.text;
      i = quoted.end;
    } else if (char === '\\') {
      i++;
      if (i === line.length) {
        throw new WordsError('No escaped character');
      }
      word = (word ?? '') + line[i];
    } else {
      word = (word ?? '') + char;
    }
  }
  return word === undefined ? words : [...words, word];
}

/** A word that `splitWords` turns back into `word`. */
export function quoteWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll('\'', '\'"\'"\'')}'`;
}

function doubleQuoted(line: string, start: number): { readonly text: string; readonly end: number } {
  let text = '';
  for (let i = start; i < line.length; i++) {
    const char = line[i]!;
    if (char === '"') {
      return { text, end: i };
    }
    if (char === '\\') {
      const next = line[++i];
      if (next === undefined) {
        throw new WordsError('No escaped character');
      }
      text += next === '"' || next === '\\' ? next : `\\${next}`;
    } else {
      text += char;
    }
  }
  throw new WordsError('No closing quotation');
}
