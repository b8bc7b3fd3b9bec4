import { execFile, execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import Ajv from 'ajv';
import { parse, parseAllDocuments } from 'yaml';
import { exampleApps, EXAMPLES, readManifests } from '../scripts/example-apps';
import { sbomOf } from '../scripts/oci/sbom';
import { writeChartLayout } from '../scripts/release/artifacts';
import { described, provenance, table } from '../scripts/release/manifest';
import { jsonSchemas } from '../scripts/release/schemas';
import { packFolder } from '../scripts/release/tar';
import { changesOf, checkVersion, exportTree, packagesOf, releasedChangelog, setVersion } from '../scripts/release/tree';
import { crds } from '../src/objects/crds';
import { describeWithTools } from '../testbed/src/jest/index.js';

const ROOT = path.join(__dirname, '..');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'release-'));
afterAll(() => fs.rmSync(work, { recursive: true, force: true }));

const git = (tree: string, ...args: string[]) => execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: tree, encoding: 'utf8' });
const read = (...parts: string[]) => fs.readFileSync(path.join(...parts), 'utf8');

/** A small repository with a workspace of two packages, committed. */
function repository(name: string): string {
  const tree = path.join(work, name);
  const files = {
    'package.json': { name: 'root', version: '0.0.0', workspaces: ['packages/*', 'tool'] },
    'packages/a/package.json': { name: 'pkg-a', version: '0.0.0' },
    'tool/package.json': { name: 'pkg-tool', version: '0.0.0' },
    'package-lock.json': { version: '0.0.0', packages: { '': { version: '0.0.0' }, 'packages/a': { version: '0.0.0' }, 'tool': { version: '0.0.0' }, 'node_modules/x': { version: '0.0.0' } } },
  };
  for (const [file, value] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(tree, file)), { recursive: true });
    fs.writeFileSync(path.join(tree, file), JSON.stringify(value));
  }
  fs.writeFileSync(path.join(tree, 'CHANGELOG.md'), '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n');
  fs.writeFileSync(path.join(tree, '.gitignore'), 'node_modules/\nout/\n');
  git(tree, 'init', '-q');
  git(tree, 'add', '-A');
  git(tree, 'commit', '-qm', 'first');
  return tree;
}

test('there is one version: all packages, the lock file and the chart have that of VERSION', () => {
  const version = read(ROOT, 'VERSION').trim();
  expect(new Set(packagesOf(ROOT).map(({ manifest }) => manifest.version))).toEqual(new Set([version]));
  const { packages } = JSON.parse(read(ROOT, 'package-lock.json'));
  expect(new Set(packagesOf(ROOT).map(({ folder }) => packages[folder === '.' ? '' : folder].version))).toEqual(new Set([version]));
  expect(parse(read(ROOT, 'chart', 'Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

test('a tree gets a version in all of these places', () => {
  const tree = repository('versions');
  setVersion(tree, '1.2.3', '2026-11-29');
  expect(packagesOf(tree).map(({ manifest }) => manifest.version)).toEqual(['1.2.3', '1.2.3', '1.2.3']);
  expect(JSON.parse(read(tree, 'package-lock.json'))).toEqual({
    version: '1.2.3', packages: { '': { version: '1.2.3' }, 'packages/a': { version: '1.2.3' }, 'tool': { version: '1.2.3' }, 'node_modules/x': { version: '0.0.0' } },
  });
  expect(read(tree, 'VERSION')).toBe('1.2.3\n');
  expect(read(tree, 'CHANGELOG.md')).toContain('## [Unreleased]\n\n## [1.2.3] - 2026-11-29\n\n### Added\n\n- A thing.\n');
  // A release that is made again, from the tag, changes nothing.
  const before = read(tree, 'CHANGELOG.md');
  setVersion(tree, '1.2.3', '2026-12-24');
  expect(read(tree, 'CHANGELOG.md')).toBe(before);
});

test.each(['v0.1.0', '0.1', '01.0.0', '1.0.0+build', 'latest', ''])('"%s" is refused as a version', version => {
  expect(() => checkVersion(version)).toThrow('write MAJOR.MINOR.PATCH');
});

test('a changelog without changes is refused', () => {
  expect(() => releasedChangelog('# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n\n- Old.\n', '0.2.0', '2026-01-02')).toThrow('has nothing below');
});

test('changes that are not committed are found, and what is ignored is not', () => {
  const tree = repository('changes');
  fs.mkdirSync(path.join(tree, 'out'));
  fs.writeFileSync(path.join(tree, 'out', 'x'), '');
  expect(changesOf(tree)).toEqual([]);
  fs.writeFileSync(path.join(tree, 'new'), '');
  expect(changesOf(tree)).toEqual(['?? new']);
});

test('the exported tree has what git knows and new files, and its own packages', () => {
  const tree = repository('export');
  fs.writeFileSync(path.join(tree, 'new'), 'new');
  fs.mkdirSync(path.join(tree, 'out'));
  fs.writeFileSync(path.join(tree, 'out', 'ignored'), '');
  const target = path.join(tree, 'out', 'tree');
  exportTree(tree, target);
  expect(fs.readdirSync(target).sort()).toEqual(['.gitignore', 'CHANGELOG.md', 'new', 'node_modules', 'package-lock.json', 'package.json', 'packages', 'tool']);
  expect(fs.realpathSync(path.join(target, 'node_modules', 'pkg-a'))).toBe(fs.realpathSync(path.join(target, 'packages', 'a')));
});

test('a packed folder has the same bytes whatever its times and order of creation', async () => {
  const folders = [['b', 'a'], ['a', 'b']].map((names, index) => {
    const folder = path.join(work, `pack-${index}`);
    fs.mkdirSync(path.join(folder, 'templates'), { recursive: true });
    names.forEach(name => fs.writeFileSync(path.join(folder, 'templates', name), name));
    fs.utimesSync(path.join(folder, 'templates', 'a'), index, index);
    return folder;
  });
  const [first, second] = await Promise.all(folders.map(folder => packFolder(folder, 'chart')));
  expect(first.equals(second)).toBe(true);
  expect(gunzipSync(first).subarray(0, 100).toString().replace(/\0.*/s, '')).toBe('chart/templates/a');
});

describe('JSON schemas', () => {
  const schemas = jsonSchemas(crds());
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const validators = new Map([...schemas].map(([name, schema]) => [name, ajv.compile(schema)]));
  const errorsOf = (object: any) => {
    const [group, version] = object.apiVersion.split('/');
    const validate = validators.get(`${group}/${object.kind.toLowerCase()}_${version}.json`)!;
    validate(object);
    return (validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
  };

  test('have the names that kubeconform looks for', () => {
    expect([...schemas.keys()].filter(name => name.endsWith('_v1beta1.json')).sort()).toEqual([
      'agents.x-k8s.io/sandbox_v1beta1.json', 'extensions.agents.x-k8s.io/sandboxclaim_v1beta1.json',
      'extensions.agents.x-k8s.io/sandboxtemplate_v1beta1.json', 'extensions.agents.x-k8s.io/sandboxwarmpool_v1beta1.json',
    ]);
  });

  test('take the manifests of all examples', () => {
    const objects = exampleApps().flatMap(name => [...readManifests(path.join(EXAMPLES, name, 'manifests')).values()])
      .flatMap(text => parseAllDocuments(text).map(document => document.toJS())).filter(object => /agents\.x-k8s\.io/.test(object?.apiVersion));
    expect(objects.length).toBeGreaterThan(20);
    expect(objects.flatMap(errorsOf)).toEqual([]);
  });

  test('refuse unknown fields and wrong types', () => {
    const pool = { apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxWarmPool', metadata: { name: 'p' }, spec: { sandboxTemplateRef: { name: 't' } } };
    expect(errorsOf(pool)).toEqual([]);
    expect(errorsOf({ ...pool, spec: { ...pool.spec, poolSize: 3 } })).toEqual(['/spec must NOT have additional properties {"additionalProperty":"poolSize"}']);
    expect(errorsOf({ ...pool, spec: { ...pool.spec, replicas: '3' } })).toEqual(['/spec/replicas must be integer {"type":"integer"}']);
  });
});

test('a bill of materials has the same bytes each time', () => {
  const packages = { debian: {}, pypi: {}, npm: { yaml: '2.8.0' } };
  expect(sbomOf('release', '0.1.0', packages)).toBe(sbomOf('release', '0.1.0', packages));
});

describeWithTools('the chart as an OCI layout', ['helm'], pathOf => {
  test('is what Helm pulls from a registry, byte for byte', async () => {
    const packed = await packFolder(path.join(ROOT, 'chart'), 'agent-sandbox');
    const [archive, layout] = [path.join(work, 'chart.oci.tar'), path.join(work, 'layout')];
    const digest = await writeChartLayout(archive, packed, read(ROOT, 'chart', 'Chart.yaml'));
    fs.mkdirSync(layout);
    execFileSync('tar', ['-xf', archive, '-C', layout]);
    const blob = (name: string) => fs.readFileSync(path.join(layout, 'blobs', 'sha256', name.replace('sha256:', '')));
    const index = JSON.parse(read(layout, 'index.json'));
    expect(index.manifests).toMatchObject([{ digest, annotations: { 'org.opencontainers.image.ref.name': '0.0.0' } }]);

    // A registry that has this layout alone.
    const registry = createServer(({ url }, response) => {
      const [, kind, reference] = /^\/v2\/charts\/agent-sandbox\/(manifests|blobs)\/(.*)$/.exec(url!) ?? [];
      const name = reference === '0.0.0' ? digest : reference;
      if (kind === 'manifests') {
        response.setHeader('content-type', index.manifests[0].mediaType);
        response.setHeader('docker-content-digest', name);
      }
      response.end(kind ? blob(name) : '{}');
    });
    const { port } = await new Promise<AddressInfo>(resolve => registry.listen(0, '127.0.0.1', () => resolve(registry.address() as AddressInfo)));
    const pulled = path.join(work, 'pulled');
    fs.mkdirSync(pulled);
    try {
      await promisify(execFile)(pathOf('helm'), ['pull', `oci://127.0.0.1:${port}/charts/agent-sandbox`, '--version', '0.0.0', '--plain-http', '--destination', pulled], { env: { HOME: pulled } });
    } finally {
      registry.close();
      registry.closeAllConnections();
    }
    expect(fs.readFileSync(path.join(pulled, 'agent-sandbox-0.0.0.tgz')).equals(packed)).toBe(true);
  }, 60_000);
});

test('the manifest and the provenance name each file with its checksum, and no time', () => {
  const outdir = path.join(work, 'files');
  fs.mkdirSync(outdir);
  fs.writeFileSync(path.join(outdir, 'a.tgz'), 'hello');
  const files = described(outdir, [{ file: 'a.tgz', destination: 'npm' }]);
  const sum = '2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824';
  expect(files).toEqual([{ file: 'a.tgz', destination: 'npm', bytes: 5, sha256: sum }]);
  expect(table(files)).toBe('file   bytes  goes to\na.tgz      5  npm');
  const statement: any = provenance(files, { version: '1.0.0', repository: 'https://example.com/r', commit: 'c'.repeat(40), lockFile: 'd'.repeat(64), groups: ['npm'] });
  expect(statement).toMatchObject({ _type: 'https://in-toto.io/Statement/v1', predicateType: 'https://slsa.dev/provenance/v1', subject: [{ name: 'a.tgz', digest: { sha256: sum } }] });
  expect(JSON.stringify(statement)).not.toMatch(/startedOn|finishedOn|invocationId/);
});

test('a wrong command line says so before anything is made', () => {
  const run = (...args: string[]) => {
    try {
      execFileSync(process.execPath, ['--import', 'tsx', 'scripts/release.ts', ...args], { cwd: ROOT, stdio: 'pipe', encoding: 'utf8' });
      return '';
    } catch (error) {
      return (error as { stderr: string }).stderr;
    }
  };
  expect(run('0.1.0', '--only', 'nothing')).toContain('no such group: nothing');
  expect(run('v0.1.0', '--allow-dirty')).toContain("'v0.1.0' is no version");
});
