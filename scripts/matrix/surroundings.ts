import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Row } from './rows';
import { ROOT } from '../jest';
import { exportTree } from '../release/tree';

/** Where and with which programs the tests of a row run. */
export interface Surroundings {
  /** The tree: this one, or a copy of it with other packages. */
  readonly tree: string;
  /** The program of Node.js. */
  readonly node: string;
  readonly env: NodeJS.ProcessEnv;
  /** Paths of the suites that say something about the row; empty means all. */
  readonly suites: readonly string[];
  /** Versions, for the table: `node 22.23.5`. */
  readonly versions: string;
}

/** Everything that rows install, below the tree, so that copies resolve the other packages as the tree does. */
const WORK = path.join(ROOT, 'dist', 'matrix');

const run = (program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) =>
  execFileSync(program, args, { cwd: ROOT, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 }).trim();

/** Makes a row ready. Throws if a program or package of it cannot be had. */
export function surroundingsOf(row: Row): Surroundings {
  const node = row.node === undefined ? process.execPath : nodeProgram(row.node);
  const [tree, peers] = row.peers === undefined ? [ROOT, []] : row.peers === 'oldest' ? [ROOT, peersIn(ROOT)] : withNewestPeers(row.name);
  const kubernetes = row.kubernetes === undefined ? undefined : builtKubernetes(row.kubernetes);
  return {
    tree,
    node,
    suites: row.peers !== undefined ? ['test/'] : row.kubernetes !== undefined ? clusterSuites() : [],
    env: { PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`, AGENT_SANDBOX_TESTBED_KUBERNETES: kubernetes ?? '' },
    versions: [
      `node ${run(node, ['--version']).slice(1)}`, ...peers, ...(row.kubernetes === undefined ? [] : [`kubernetes ${kubernetes || row.kubernetes}`]),
    ].join(', '),
  };
}

/** Node.js of a major version: the one that runs this program, or the newest of the npm package that has its program for this platform. */
function nodeProgram(major: string): string {
  if (process.versions.node.startsWith(`${major}.`)) {
    return process.execPath;
  }
  const name = `node-${process.platform}-${process.arch}`;
  const folder = path.join(WORK, `node-${major}`);
  const program = path.join(folder, 'node_modules', name, 'bin', 'node');
  if (!fs.existsSync(program)) {
    install(folder, [`${name}@${major}`]);
  }
  return program;
}

/** Installs packages into a folder that has nothing else. */
function install(folder: string, packages: readonly string[], ...options: readonly string[]): void {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', '--silent', ...options, ...packages]);
}

/** The peer dependencies of the constructs that a tree has, with their versions. */
function peersIn(tree: string): string[] {
  return Object.keys(peerRanges()).flatMap(name => {
    const file = path.join(tree, 'node_modules', name, 'package.json');
    return fs.existsSync(file) ? [`${name} ${JSON.parse(fs.readFileSync(file, 'utf8')).version}`] : [];
  });
}

function peerRanges(): { readonly [name: string]: string } {
  return JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')).peerDependencies;
}

/** A copy of the tree in which the peers are the newest that their ranges allow. */
function withNewestPeers(name: string): [tree: string, versions: string[]] {
  const tree = path.join(WORK, name);
  const packages = path.join(WORK, `${name}-packages`);
  const peers = Object.entries(peerRanges());
  // Nested: what the peers depend on must not stand in for packages of this tree.
  install(packages, peers.map(([peer, range]) => `${peer}@${range}`), '--install-strategy=nested');
  exportTree(ROOT, tree);
  peers.forEach(([peer]) => fs.cpSync(path.join(packages, 'node_modules', peer), path.join(tree, 'node_modules', peer), { recursive: true }));
  // Some tests ask git which files there are.
  run('git', ['-C', tree, 'init', '--quiet']);
  run('git', ['-C', tree, 'add', '--all']);
  return [tree, peersIn(tree)];
}

/** Builds a release of Kubernetes if it is not built yet. Returns the value of `AGENT_SANDBOX_TESTBED_KUBERNETES`: empty for the pinned release. */
function builtKubernetes(release: string): string {
  const cli = path.join(ROOT, 'testbed', 'src', 'cli.ts');
  const output = run(process.execPath, ['--import', 'tsx', cli, 'build', '--if-missing', '--kubernetes', release]);
  console.log(output);
  return /AGENT_SANDBOX_TESTBED_KUBERNETES=(\S*)/.exec(output)![1];
}

/** Suites that talk to a control plane. Those of the testbed itself are about its own release. */
function clusterSuites(): string[] {
  const files = run('git', ['ls-files', '*.test.ts']).split('\n').filter(file => !/^(testbed|test\/node)\//.test(file));
  return files.filter(file => /\bdescribeWith(ControlPlane|Programs)\(/.test(fs.readFileSync(path.join(ROOT, file), 'utf8')));
}
