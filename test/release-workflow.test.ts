import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parse } from 'yaml';
import { described, type Described } from '../scripts/release/manifest';
import { describeWithTools } from '../testbed/src/jest/index.js';

/* What the workflow runs on a tag, with programs in place of npm, skopeo, helm and gh that note how they were called. */

const ROOT = path.join(__dirname, '..');
const FOLDER = path.join(ROOT, '.github', 'workflows');
const workflows = fs.readdirSync(FOLDER).filter(name => name.endsWith('.yml')).map(name => ({ name, workflow: parse(fs.readFileSync(path.join(FOLDER, name), 'utf8')) }));
const { jobs } = workflows.find(({ name }) => name === 'release.yml')!.workflow;
const stepOf = (job: string, name: string) => jobs[job].steps.find((step: any) => step.name === name).run as string;

const MAVEN = 'maven/org/example/a/0.1.0/a-0.1.0';

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'release-workflow-'));
const bin = path.join(work, 'bin');
const log = path.join(work, 'log');
let files: readonly Described[];

beforeAll(() => {
  fs.mkdirSync(bin);
  for (const name of ['npm', 'skopeo', 'helm', 'gh', 'zip', 'curl']) {
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\necho "${name} $*" >> ${log}\n`, { mode: 0o755 });
  }
  // Signs by a file beside.
  fs.writeFileSync(path.join(bin, 'gpg'), `#!/bin/sh\necho "gpg $*" >> ${log}\nfor last; do :; done\ncase "$*" in *detach-sign*) touch "$last.asc" ;; esac\n`, { mode: 0o755 });
  const texts = { 'npm/a-0.1.0.tgz': 'a', 'npm/b-0.1.0.tgz': 'b', 'images/router.oci.tar': 'r', 'chart/agent-sandbox-0.1.0.tgz': 'c', 'install/crds.yaml': 'd', [`${MAVEN}.jar`]: 'j', [`${MAVEN}.pom`]: 'p' };
  for (const [file, text] of Object.entries(texts)) {
    fs.mkdirSync(path.dirname(path.join(work, file)), { recursive: true });
    fs.writeFileSync(path.join(work, file), text);
  }
  fs.mkdirSync(path.join(work, 'go'));
  fs.mkdirSync(path.join(work, 'source', 'agentsandbox'), { recursive: true });
  fs.writeFileSync(path.join(work, 'source', 'agentsandbox', 'go.mod'), 'module github.com/owner/repo/agentsandbox\n');
  execFileSync('tar', ['-czf', path.join(work, 'go', 'agentsandbox-0.1.0.tgz'), '-C', path.join(work, 'source'), 'agentsandbox']);
  files = described(work, [
    { file: 'npm/a-0.1.0.tgz', destination: 'npm' },
    { file: 'npm/b-0.1.0.tgz', destination: 'npm' },
    { file: 'images/router.oci.tar', destination: 'container registry', reference: `ghcr.io/owner/agent-sandbox-router@sha256:${'0'.repeat(64)}` },
    { file: 'chart/agent-sandbox-0.1.0.tgz', destination: 'Helm repository (OCI)' },
    { file: 'install/crds.yaml', destination: 'GitHub release' },
    { file: `${MAVEN}.jar`, destination: 'Maven Central' },
    { file: `${MAVEN}.pom`, destination: 'Maven Central' },
    { file: 'go/agentsandbox-0.1.0.tgz', destination: 'Go module proxy', reference: 'github.com/owner/repo/agentsandbox@v0.1.0' },
  ]);
  fs.writeFileSync(path.join(work, 'manifest.json'), JSON.stringify({ version: '0.1.0', files }));
  fs.writeFileSync(path.join(work, 'SHA256SUMS'), files.map(({ file, sha256 }) => `${sha256}  ${file}\n`).join(''));
});
afterAll(() => fs.rmSync(work, { recursive: true }));

/** Runs a step in the folder of a release; returns how the programs were called. */
function run(job: string, name: string, env: Record<string, string> = {}, cwd = work): { readonly status: number | null; readonly calls: string[]; readonly stderr: string } {
  fs.writeFileSync(log, '');
  const { status, stderr } = spawnSync('bash', ['-e', '-c', stepOf(job, name)], {
    cwd, encoding: 'utf8',
    env: { PATH: `${bin}:${process.env.PATH}`, VERSION: '0.1.0', TOKEN: 'secret', GITHUB_ACTOR: 'actor', GITHUB_REPOSITORY: 'owner/repo', GITHUB_REPOSITORY_OWNER: 'owner', ...env },
  });
  return { status, stderr, calls: fs.readFileSync(log, 'utf8').split('\n').filter(line => line !== '') };
}

test('npm gets its packages, and a version that comes before another is not the latest', () => {
  expect(run('npm', 'Publish them').calls).toEqual(['a', 'b'].map(name => `npm publish ./npm/${name}-0.1.0.tgz --access public --provenance --tag latest`));
  expect(run('npm', 'Publish them', { VERSION: '0.1.0-rc.1' }).calls[0]).toMatch(/--tag next$/);
});

test('the registry gets images with their digests, and the chart; the token is in no command line', () => {
  expect(run('registry', 'Publish them').calls).toEqual([
    'skopeo login ghcr.io --username actor --password-stdin',
    'skopeo copy --preserve-digests oci-archive:images/router.oci.tar docker://ghcr.io/owner/agent-sandbox-router:0.1.0',
    'helm registry login ghcr.io --username actor --password-stdin',
    'helm push chart/agent-sandbox-0.1.0.tgz oci://ghcr.io/owner/charts',
  ]);
});

test('Maven Central gets each file with a signature and checksums, and no secret is in a command line', () => {
  const { calls, status } = run('maven', 'Publish them', { SIGNING_KEY: 'secret-key', SIGNING_PASSPHRASE: 'secret-phrase' });
  expect(status).toBe(0);
  expect(calls).toEqual([
    'gpg --batch --quiet --import',
    ...['jar', 'pom'].map(kind => `gpg --batch --pinentry-mode loopback --passphrase-fd 0 --armor --detach-sign ${MAVEN}.${kind}`),
    'zip --quiet --recurse-paths ../bundle.zip .',
    'curl --fail --silent --show-error --config - --form bundle=@bundle.zip https://central.sonatype.com/api/v1/publisher/upload?name=0.1.0&publishingType=AUTOMATIC',
  ]);
  expect(fs.readdirSync(path.join(work, path.dirname(MAVEN))).sort()).toEqual(['jar', 'pom'].flatMap(kind => ['', '.asc', '.md5', '.sha1'].map(end => `a-0.1.0.${kind}${end}`)));
  expect(fs.readFileSync(path.join(work, `${MAVEN}.jar.sha1`), 'utf8')).toBe('5c2dd944dde9e08881bef0894fe7b22a5c9c4b06\n');
});

test('the Go module is a tag, whose commit has the folder of the module alone', () => {
  const remote = path.join(work, 'remote');
  execFileSync('git', ['init', '--quiet', '--bare', remote]);
  const { calls, status, stderr } = run('go', 'Publish them', {
    GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: `url.${remote}.insteadOf`, GIT_CONFIG_VALUE_0: 'https://github.com/owner/repo.git', HOME: work,
  });
  expect({ status, calls, stderr }).toMatchObject({ status: 0, calls: ['gh auth setup-git'] });
  const git = (...args: string[]) => execFileSync('git', ['-C', remote, ...args], { encoding: 'utf8' });
  expect(git('for-each-ref', '--format', '%(refname)')).toBe('refs/tags/agentsandbox/v0.1.0\n');
  expect(git('ls-tree', '-r', '--name-only', 'agentsandbox/v0.1.0')).toBe('agentsandbox/go.mod\n');
  expect(git('rev-list', '--count', 'agentsandbox/v0.1.0')).toBe('1\n');
});

test('the release has the other files, and what checks them', () => {
  expect(run('github', 'Publish them').calls).toEqual([
    'gh release create v0.1.0 --repo owner/repo --verify-tag --latest --title 0.1.0 --generate-notes manifest.json provenance.json SHA256SUMS install/crds.yaml',
  ]);
});

test('a publication that fails ends the step', () => {
  fs.writeFileSync(path.join(bin, 'npm'), `#!/bin/sh\necho "npm $*" >> ${log}\nexit 1\n`);
  expect(run('npm', 'Publish them')).toMatchObject({ status: 1, calls: [expect.stringContaining('a-0.1.0.tgz')] });
});

test('a file that is not the one that was built is not published', () => {
  expect(run('npm', 'Check them').status).toBe(0);
  fs.appendFileSync(path.join(work, 'npm', 'b-0.1.0.tgz'), 'x');
  expect(run('npm', 'Check them').status).not.toBe(0);
});

test('a tag that is not the version of the tree is refused', () => {
  const env = { GITHUB_OUTPUT: path.join(work, 'output') };
  fs.writeFileSync(path.join(work, 'VERSION'), '0.1.0\n');
  expect(run('build', 'Find the version', { ...env, GITHUB_REF_NAME: 'v0.2.0' })).toMatchObject({ status: 1, stderr: expect.stringContaining('v0.2.0 is not v0.1.0') });
  expect(run('build', 'Find the version', { ...env, GITHUB_REF_NAME: 'v0.1.0' }).status).toBe(0);
  expect(fs.readFileSync(env.GITHUB_OUTPUT, 'utf8')).toBe('version=0.1.0\n');
});

test('every job that publishes checks the files first, waits for a person, and runs no code of the repository', () => {
  for (const name of ['npm', 'pypi', 'maven', 'go', 'registry', 'github']) {
    expect(jobs[name].environment).toBe('release');
    expect(jobs[name].needs).toEqual(expect.arrayContaining(['build', ...(name === 'github' ? ['npm', 'pypi', 'maven', 'go', 'registry', 'attest'] : ['test'])]));
    const steps = jobs[name].steps.map((step: any) => step.name);
    expect(steps.indexOf('Check them')).toBeLessThan(steps.indexOf('Publish them'));
    expect(JSON.stringify(jobs[name].steps)).not.toMatch(/actions\/checkout|npm ci|npm run/);
  }
});

test('each job has the rights of its one destination', () => {
  expect(Object.fromEntries(Object.entries<any>(jobs).map(([name, { permissions }]) => [name, permissions]))).toEqual({
    build: { contents: 'read' },
    test: { contents: 'read' },
    npm: { 'contents': 'read', 'id-token': 'write' },
    pypi: { 'contents': 'read', 'id-token': 'write' },
    maven: { contents: 'read' },
    go: { contents: 'write' },
    registry: { contents: 'read', packages: 'write' },
    attest: { 'contents': 'read', 'id-token': 'write', 'attestations': 'write' },
    github: { contents: 'write' },
  });
});

test('PyPI gets its files by trusted publishing', () => {
  const { uses, with: inputs } = jobs.pypi.steps.find(({ name }: any) => name === 'Publish them');
  expect(uses).toMatch(/^pypa\/gh-action-pypi-publish@/);
  expect(inputs).toEqual({ 'packages-dir': 'release/pypi' });
});

test('a stored secret is read where no destination does without: in one job', () => {
  expect(Object.keys(jobs).filter(name => JSON.stringify(jobs[name]).includes('secrets.'))).toEqual(['maven']);
});

test('actions of all workflows are pinned by commit', () => {
  const used = workflows.flatMap(({ workflow }) => Object.values<any>(workflow.jobs).flatMap(({ steps }) => steps.flatMap((step: any) => step.uses ?? [])));
  expect(used.length).toBeGreaterThan(8);
  expect(used.filter(name => !/@[0-9a-f]{40}$/.test(name))).toEqual([]);
});

describeWithTools('actionlint', ['actionlint'], pathOf => {
  const lint = (file: string) => spawnSync(pathOf('actionlint'), ['-no-color', file], { cwd: ROOT, encoding: 'utf8' });

  test.each(workflows.map(({ name }) => name))('finds nothing in %s', name => {
    expect(lint(path.join(FOLDER, name))).toMatchObject({ status: 0, stdout: '' });
  });

  test('finds mistakes', () => {
    const file = path.join(work, 'wrong.yml');
    fs.writeFileSync(file, 'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    permissions: { everything: write }\n    steps: [{ run: "echo ${{ github.nothing.at.all }}" }]\n');
    expect(lint(file)).toMatchObject({ status: 1, stdout: expect.stringContaining('unknown permission scope "everything"') });
  });
});
