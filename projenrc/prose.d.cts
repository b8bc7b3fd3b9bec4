import type { ESLint } from 'eslint';

/** Finds words in a text that hide the subject of a sentence. */
export function proseProblems(text: string): { readonly index: number; readonly word: string; readonly remedy: string }[];
/** The ESLint plugin with the rule `prose`: option `strings` checks comments and strings, `titles` comments and titles of tests. */
export const plugin: ESLint.Plugin;
