/** Programs of documents with their translations: between two marks, TypeScript first. */

export interface Translations {
  readonly python: string;
  readonly java: string;
  readonly go: string;
}

const BLOCK = /<!-- languages: begin -->\n```ts nofixture\n([^]*?)\n```\n[^]*?<!-- languages: end -->/g;
const LANGUAGES = [['Python', 'python'], ['Java', 'java'], ['Go', 'go']] as const;

/** The programs in TypeScript that a document shows in all languages. */
export function extractPrograms(text: string): string[] {
  return [...text.matchAll(BLOCK)].map(([, program]) => program);
}

/** A document with these translations of its programs, in order. */
export function withTranslations(text: string, translations: readonly Translations[]): string {
  const left = [...translations];
  return text.replace(BLOCK, (_, program: string) => {
    const own = left.shift()!;
    const others = LANGUAGES.map(([title, language]) => `<details><summary>${title}</summary>\n\n\`\`\`${language}\n${own[language]}\n\`\`\`\n\n</details>\n`);
    return ['<!-- languages: begin -->', '```ts nofixture', program, '```', '', ...others, '<!-- languages: end -->'].join('\n');
  });
}

/** A document for a site that has tabs: a program and its translations are one group of code. */
export function withTabs(text: string): string {
  return text.replace(BLOCK, block => {
    const titles: { readonly [language: string]: string } = { ts: 'TypeScript', ...Object.fromEntries(LANGUAGES.map(([title, language]) => [language, title])) };
    const programs = [...block.matchAll(/^```(\w+)[^\n]*\n([^]*?)^```$/gm)].map(([, language, program]) => `\`\`\`${language} [${titles[language]}]\n${program}\`\`\``);
    return ['::: code-group', ...programs, ':::'].join('\n');
  });
}

/** What a document shows for each of its programs, by language. */
export function shownTranslations(text: string): Array<Translations & { readonly typescript: string }> {
  return [...text.matchAll(BLOCK)].map(([block, typescript]) => {
    const shown = (language: string) => new RegExp(`\`\`\`${language}\\n([^]*?)\\n\`\`\``).exec(block)?.[1] ?? '';
    return { typescript, python: shown('python'), java: shown('java'), go: shown('go') };
  });
}
