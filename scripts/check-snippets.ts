/**
 * Compiles the TypeScript snippets of all documents and of the doc comments of the library, with jsii-rosetta. The library
 * has to be compiled before.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { documents, rosettaFolder, writeAssembly } from './translations/rosetta';

const ROOT = path.resolve(__dirname, '..');

function main(): number {
  const compiled = path.join(ROOT, '.jsii');
  if (!fs.existsSync(compiled)) {
    console.error('there is no compiled library: run npm run compile first');
    return 1;
  }
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'snippets-'));
  try {
    const assemblies = [
      rosettaFolder(ROOT, work, documents(ROOT).map(file => [file.replace(/\W/g, '_'), fs.readFileSync(path.join(ROOT, file), 'utf8')])),
      // A copy, because jsii-rosetta writes its translations beside the assemblies.
      writeAssembly(ROOT, path.join(work, 'library'), fs.readFileSync(compiled, 'utf8')),
    ];
    const rosetta = path.join(ROOT, 'node_modules', 'jsii-rosetta', 'bin', 'jsii-rosetta');
    const { status } = spawnSync(process.execPath, [rosetta, 'extract', '--compile', '--fail', '--directory', work, ...assemblies], {
      stdio: 'inherit',
      env: { ...process.env, JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION: '20' },
    });
    return status ?? 1;
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

process.exitCode = main();
