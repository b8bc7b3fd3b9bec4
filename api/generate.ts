/**
 * Writes everything that is generated from the API's definition: `chart/files/crds/`, `imports/`, `packages/api/src/*.gen.ts` and
 * the data of the constructs. With `--check`, writes nothing and fails when a file differs from what it should be.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { generateCommands } from './generators/commands';
import { CRDS_FOLDER, generateCrds } from './generators/crds';
import { generateFlags } from './generators/flags';
import { generateL1 } from './generators/l1';
import { generateRest } from './generators/rest';
import { generateShapes } from './generators/shapes';
import { generateWireTypes } from './generators/wire-types';

export const ROOT = join(__dirname, '..');
/** Folders in which every file is generated: what a generator no longer writes is removed. */
const OWNED_FOLDERS = [CRDS_FOLDER, 'imports'];

/** All generated files, by path below the repository root. */
export function generatedFiles(): Record<string, string> {
  return {
    ...generateCrds(), ...generateL1(), ...generateWireTypes(), ...generateFlags(), ...generateRest(), ...generateCommands(), ...generateShapes(),
  };
}

/** What differs between the generated files and those on disk: one line each. */
export function differences(): string[] {
  const files = generatedFiles();
  const changed = Object.entries(files).filter(([path, text]) => read(path) !== text).map(([path]) => `${path} is not what api/ says`);
  return [...changed, ...strangers(files).map(path => `${path} is not generated any more`)];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch {
    return undefined; // not there yet
  }
}

function strangers(files: Record<string, string>): string[] {
  return OWNED_FOLDERS.flatMap(folder => readdirSync(join(ROOT, folder)).map(name => `${folder}/${name}`)).filter(path => !(path in files));
}

function main(check: boolean): void {
  if (check) {
    const lines = differences();
    if (lines.length > 0) {
      console.error(`${lines.join('\n')}\nrun "npm run generate" and commit the result`);
      process.exitCode = 1;
    }
    return;
  }
  // The shapes are made from props, of which those of flags are generated.
  write(generateFlags());
  const files = generatedFiles();
  write(files);
  for (const path of strangers(files)) {
    rmSync(join(ROOT, path));
    console.log(`removed ${path}`);
  }
}

function write(files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    if (read(path) !== text) {
      mkdirSync(dirname(join(ROOT, path)), { recursive: true });
      writeFileSync(join(ROOT, path), text);
      console.log(`wrote ${relative(process.cwd(), join(ROOT, path))}`);
    }
  }
}

if (require.main === module) {
  main(process.argv.includes('--check'));
}
