import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { shownTranslations } from '../../scripts/translations/documents';
import { documents } from '../../scripts/translations/rosetta';
import { synthesize } from '../../scripts/example-apps';
import { ROOT } from './release';

/** The programs that documents show in all languages. */
export function shownPrograms() {
  return documents(ROOT).flatMap(file => shownTranslations(fs.readFileSync(path.join(ROOT, file), 'utf8'))
    .map((program, index, { length }) => ({ name: length > 1 ? `${file}, number ${index + 1}` : file, ...program })));
}

/** What a program in TypeScript writes, with the library of this repository. */
export function expectedOutput(typescript: string): Record<string, string> {
  // Below the repository, so that it finds the library as examples do.
  fs.mkdirSync(path.join(ROOT, 'dist'), { recursive: true });
  const folder = fs.mkdtempSync(path.join(ROOT, 'dist', '.shown-'));
  const outdir = fs.mkdtempSync(path.join(os.tmpdir(), 'shown-'));
  try {
    fs.writeFileSync(path.join(folder, 'main.ts'), typescript);
    fs.writeFileSync(path.join(folder, 'tsconfig.json'), '{ "extends": "../../tsconfig.dev.json" }');
    synthesize(folder, outdir);
    return Object.fromEntries(fs.readdirSync(outdir).sort().map(name => [name, fs.readFileSync(path.join(outdir, name), 'utf8')]));
  } finally {
    [folder, outdir].forEach(each => fs.rmSync(each, { recursive: true }));
  }
}
