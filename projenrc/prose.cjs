/**
 * Words that the prose of this project does without, since they hide the subject of a sentence: in comments and texts of code (the ESLint
 * rule below) and in all other files (test/house.test.ts). Each comes with the remedy. `CONTRIBUTING.md` states the rule.
 */
const WORDS = [
  // eslint-disable-next-line house/prose -- the words themselves
  [/\b(?:no one|nobody|somebody|someone|anybody|everybody|whoever|whomever)\b/gi, 'name the subject: the caller, the controller, another process, no client'],
  [/\btold\b/gi, 'say what happens: called with, reported, delivered, configured, by default'],
  [/\bthose who\b/gi, 'name them: users that, callers that'],
  [/\bhears? of\b/gi, 'say what happens: gets the error, receives the event'],
  [/\bso many\b/gi, 'name the number, or the limit'],
  [/\bwhat (?:there is|is there|is no|is none)\b/gi, 'use the noun: the existing file, other values'],
  [/\bfor ever\b/gi, 'forever, always, without a limit'],
  [/\b(?:is|are) no good\b/gi, 'invalid, malformed'],
];

/**
 * Finds such words in a text.
 *
 * @param {string} text
 * @returns {{ index: number, word: string, remedy: string }[]}
 */
function proseProblems(text) {
  return WORDS.flatMap(([words, remedy]) => [...text.matchAll(words)].map(match => ({ index: match.index, word: match[0], remedy })));
}

const rule = {
  meta: {
    type: 'suggestion',
    docs: { description: 'Keeps words out of comments and texts that hide the subject of a sentence' },
    schema: [],
    messages: { word: '"{{word}}" hides the subject: {{remedy}}' },
  },
  create(context) {
    const { sourceCode } = context;
    const report = (text, start) => proseProblems(text).forEach(({ index, word, remedy }) => context.report({
      loc: { start: sourceCode.getLocFromIndex(start + index), end: sourceCode.getLocFromIndex(start + index + word.length) },
      messageId: 'word', data: { word, remedy },
    }));
    const reportNode = node => report(sourceCode.getText(node), node.range[0]);
    return {
      Program: () => sourceCode.getAllComments().forEach(reportNode),
      'Literal, TemplateElement': reportNode,
    };
  },
};

exports.proseProblems = proseProblems;
exports.plugin = { rules: { prose: rule } };
