/**
 * Shows programs of the documents in Python, Java and Go. A program in TypeScript between the two marks of a document is translated by
 * jsii-rosetta, and what its translations lack to compile is added. Writes the documents; with `--check`, writes nothing and fails when a
 * translation is not that of its program. The library has to be compiled before, and gofmt installed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { extractPrograms, withTranslations, type Translations } from './translations/documents';
import { completeGo } from './translations/go';
import { completeJava } from './translations/java';
import { completePython } from './translations/python';
import { libraries } from './translations/types';
import { documents, rosettaFolder } from './translations/rosetta';

const ROOT = path.resolve(__dirname, '..');

/** Translates programs, by their number. */
function translate(programs: readonly string[]): Translations[] {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'translated-'));
  try {
    const assembly = rosettaFolder(ROOT, work, programs.map((program, index) => [`program_${index}`, `\`\`\`ts nofixture\n${program}\n\`\`\`\n`]));
    const tablet = path.join(work, 'tablet.json');
    const rosetta = path.join(path.dirname(require.resolve('jsii-rosetta/package.json')), 'bin', 'jsii-rosetta');
    const { status } = spawnSync(process.execPath, [rosetta, 'extract', '--compile', '--fail', '--directory', work, '--output', tablet, assembly], {
      stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '20' },
    });
    if (status !== 0) {
      throw new Error('jsii-rosetta failed');
    }
    interface Snippet { readonly translations: { readonly [language: string]: { readonly source: string } } }
    const snippets = Object.values((JSON.parse(fs.readFileSync(tablet, 'utf8')) as { snippets: { [id: string]: Snippet } }).snippets);
    const types = libraries(ROOT);
    return programs.map(program => {
      const { translations } = snippets.find(snippet => snippet.translations.$.source.trim() === program.trim())!;
      return {
        python: completePython(translations.python.source),
        java: completeJava(translations.java.source, types),
        go: execFileSync('gofmt', ['-s'], { input: completeGo(translations.go.source, types), encoding: 'utf8' }).trimEnd(),
      };
    });
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

function main(check: boolean): number {
  const texts = documents(ROOT).map(file => ({ file, text: fs.readFileSync(path.join(ROOT, file), 'utf8') }));
  const translations = translate(texts.flatMap(({ text }) => extractPrograms(text)));
  const changed = texts.filter(each => {
    const text = withTranslations(each.text, translations.splice(0, extractPrograms(each.text).length));
    if (text !== each.text && !check) {
      fs.writeFileSync(path.join(ROOT, each.file), text);
    }
    return text !== each.text;
  }).map(({ file }) => file);
  changed.forEach(file => console.error(check ? `${file}: a translation is not that of its program: run npm run translations` : `wrote ${file}`));
  return check && changed.length > 0 ? 1 : 0;
}

process.exitCode = main(process.argv.includes('--check'));
