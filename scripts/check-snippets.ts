/**
 * Compiles the TypeScript snippets of all documents and of the doc comments of the library, with jsii-rosetta. The library
 * has to be compiled before.
 *
 * jsii-rosetta looks into the readme of an assembly only. So the documents become the readmes of an assembly's submodules,
 * one each, in a folder of its own that has the library and its peers as packages.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

const ROOT = path.resolve(__dirname, '..');
/** Packages of the snippets. */
const PEERS = ['cdk8s', 'cdk8s-plus-33', 'constructs'];

function documents(): string[] {
  const below = (folder: string) => fs.readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.md') && !file.includes('node_modules')).map(file => path.join(folder, file));
  // The generated reference shows signatures, not programs.
  return ['README.md', 'CONTRIBUTING.md', ...below('docs'), ...below('examples')].filter(file => file !== path.join('docs', 'L1.md')).sort();
}

function main(): number {
  const compiled = path.join(ROOT, '.jsii');
  if (!fs.existsSync(compiled)) {
    console.error('there is no compiled library: run npm run compile first');
    return 1;
  }
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'snippets-'));
  try {
    const modules = path.join(work, 'node_modules');
    fs.mkdirSync(modules);
    fs.symlinkSync(ROOT, path.join(modules, 'cdk8s-agent-sandbox'), 'junction');
    PEERS.forEach(peer => fs.symlinkSync(path.join(ROOT, 'node_modules', peer), path.join(modules, peer), 'junction'));
    // Copies, because jsii-rosetta writes its translations beside the assemblies.
    const assemblies = [writeAssembly(path.join(work, 'library'), fs.readFileSync(compiled, 'utf8')),
      writeAssembly(path.join(work, 'documents'), JSON.stringify(assemblyOf(documents())))];
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

function writeAssembly(folder: string, assembly: string): string {
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, '.jsii'), assembly);
  fs.cpSync(path.join(ROOT, 'rosetta'), path.join(folder, 'rosetta'), { recursive: true });
  return folder;
}

function assemblyOf(files: string[]): object {
  const name = 'documents';
  return {
    schema: 'jsii/0.10.0',
    name,
    version: '0.0.0',
    description: name,
    license: 'Apache-2.0',
    homepage: 'https://example.com',
    repository: { type: 'git', url: 'https://example.com' },
    author: { name, roles: ['author'] },
    fingerprint: '*',
    jsiiVersion: '6.0.0',
    targets: {},
    types: {},
    submodules: Object.fromEntries(files.map(file =>
      [`${name}.${file.replace(/\W/g, '_')}`, { readme: { markdown: fs.readFileSync(path.join(ROOT, file), 'utf8') } }])),
  };
}

process.exitCode = main();
