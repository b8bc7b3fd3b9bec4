import * as fs from 'node:fs';
import * as path from 'node:path';

/** Packages of the snippets. */
const PEERS = ['cdk8s', 'cdk8s-plus-33', 'constructs'];

/** The documents with snippets, as paths below the root. */
export function documents(root: string): string[] {
  const below = (folder: string) => fs.readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.md') && !file.includes('node_modules')).map(file => path.join(folder, file));
  // The generated reference shows signatures, not programs.
  return ['README.md', 'CONTRIBUTING.md', ...below('docs'), ...below('examples')].filter(file => file !== path.join('docs', 'L1.md')).sort();
}

/**
 * Writes an assembly with texts for jsii-rosetta, in a folder that has the library and its peers as packages; returns its folder. jsii-rosetta looks
 * into the readme of an assembly only, so the texts are the readmes of its submodules.
 */
export function rosettaFolder(root: string, work: string, texts: ReadonlyArray<readonly [name: string, markdown: string]>): string {
  const modules = path.join(work, 'node_modules');
  fs.mkdirSync(modules);
  fs.symlinkSync(root, path.join(modules, 'cdk8s-agent-sandbox'), 'junction');
  PEERS.forEach(peer => fs.symlinkSync(path.join(root, 'node_modules', peer), path.join(modules, peer), 'junction'));
  const name = 'documents';
  return writeAssembly(root, path.join(work, name), JSON.stringify({
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
    submodules: Object.fromEntries(texts.map(([each, markdown]) => [`${name}.${each}`, { readme: { markdown } }])),
  }));
}

/** Writes an assembly in a folder of its own, with the fixtures: jsii-rosetta writes its translations beside it. */
export function writeAssembly(root: string, folder: string, assembly: string): string {
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, '.jsii'), assembly);
  fs.cpSync(path.join(root, 'rosetta'), path.join(folder, 'rosetta'), { recursive: true });
  return folder;
}
