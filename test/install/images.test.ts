import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DockerfileParser } from 'dockerfile-ast';
import { IMAGES, imageName, isBuilt, writeImage } from '../../scripts/images';
import { dockerfileOf } from '../../scripts/oci/dockerfile';
import { sbomOf } from '../../scripts/oci/sbom';
import { waitFor } from '../../testbed/src/index.js';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';

const ROOT = path.join(__dirname, '..', '..');
const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const sha256 = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

jest.setTimeout(180_000);

/** What the last stage of a Dockerfile says, read by a parser that knows nothing of how it was written. */
function finalStage(image: string) {
  const instructions = DockerfileParser.parse(fs.readFileSync(path.join(ROOT, 'images', image, 'Dockerfile'), 'utf8')).getInstructions();
  const start = instructions.map(each => each.getKeyword()).lastIndexOf('FROM');
  const stage = instructions.slice(start);
  const argumentsOf = (keyword: string) => stage.filter(each => each.getKeyword() === keyword).map(each => each.getRawArgumentsContent()!);
  return {
    entrypoint: JSON.parse(argumentsOf('ENTRYPOINT')[0]) as string[],
    user: argumentsOf('USER').at(-1),
    env: argumentsOf('ENV').sort(),
    workingDir: argumentsOf('WORKDIR').at(-1),
    ports: argumentsOf('EXPOSE').map(port => `${port}/tcp`),
    copied: argumentsOf('COPY').map(each => each.split(' ').at(-1)!),
    base: instructions.find(each => each.getKeyword() === 'ARG')!.getRawArgumentsContent()!,
  };
}

/** Why an image cannot be made here, or undefined. */
function hindrance(image: string): string | undefined {
  if (process.platform !== 'linux') {
    return 'needs Linux';
  }
  return isBuilt(image) ? undefined : `its layers are not in the cache: npm run images -- ${image}`;
}

describe.each(Object.keys(IMAGES))('the image %s', image => {
  test('has a Dockerfile as it is defined, on a pinned slim base', () => {
    expect(fs.readFileSync(path.join(ROOT, 'images', image, 'Dockerfile'), 'utf8')).toBe(dockerfileOf(image, IMAGES[image]));
    expect(finalStage(image).base).toMatch(/^NODE_IMAGE=docker\.io\/library\/node:\d+\.\d+\.\d+-bookworm-slim$/);
  });

  test('has locked packages', () => {
    const { debian, pypi, npm } = IMAGES[image];
    const lock = JSON.parse(fs.readFileSync(path.join(ROOT, 'images', 'debian.lock.json'), 'utf8'));
    expect(Object.keys(lock[image] ?? {})).toEqual(expect.arrayContaining([...debian ?? []]));
    if (pypi !== undefined) {
      const lines = fs.readFileSync(path.join(ROOT, 'images', pypi, 'requirements.txt'), 'utf8').split('\n').filter(line => line !== '' && !/^\s*(#|--hash=sha256:[0-9a-f]{64}( \\)?$)/.test(line));
      expect(lines.filter(line => !/^[\w.-]+==\S+( ; [^\\]+)? \\$/.test(line))).toEqual([]);
    }
    if (npm !== undefined) {
      const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, 'images', npm, 'package-lock.json'), 'utf8'));
      expect(Object.entries<any>(packages).filter(([at, each]) => at !== '' && !each.link && !each.inBundle && !each.integrity).map(([at]) => at)).toEqual([]);
    }
  });

  const problem = hindrance(image);
  (problem === undefined ? test : test.skip)(`is the same by Dockerfile and as an archive${problem === undefined ? '' : ` (${problem})`}`, async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-'));
    try {
      const archive = await writeImage(image, folder);
      const blobs = (digest: string) => execFileSync('tar', ['-xOf', archive, `blobs/sha256/${digest.replace('sha256:', '')}`], { maxBuffer: 1 << 30 });
      const manifest = JSON.parse(blobs(JSON.parse(execFileSync('tar', ['-xOf', archive, 'index.json'], { encoding: 'utf8' })).manifests[0].digest).toString());
      const { config } = JSON.parse(blobs(manifest.config.digest).toString());
      const files = new Map<string, string>();
      for (const { digest } of manifest.layers) {
        for (const line of execFileSync('tar', ['-tvz', '--numeric-owner'], { input: blobs(digest), encoding: 'utf8', maxBuffer: 1 << 28 }).split('\n')) {
          const [, mode, owner, name] = /^(\S+)\s+(\S+)\s+\d+\s+\S+\s+\S+\s+(.+?)(?: (?:->|link to) .*)?$/.exec(line) ?? [];
          if (name !== undefined) {
            files.set(`/${name.replace(/^\.?\//, '').replace(/\/$/, '')}`, `${mode} ${owner}`);
          }
        }
      }
      const stage = finalStage(image);
      expect({
        entrypoint: config.Entrypoint, user: config.User, workingDir: config.WorkingDir, ports: Object.keys(config.ExposedPorts ?? {}),
        env: config.Env.filter((each: string) => !each.startsWith('PATH=')).sort(),
      }).toEqual({ entrypoint: stage.entrypoint, user: stage.user, workingDir: stage.workingDir, ports: stage.ports, env: stage.env });
      const there = (at: string) => files.has(at) || [...files.keys()].some(each => each.startsWith(`${at}/`));
      const named = [...stage.copied, ...stage.entrypoint.filter(each => each.startsWith('/'))].filter(at => at !== '/');
      expect(named.filter(at => !there(at.replace(/\/$/, '')))).toEqual([]);
      const { folders = [], user } = IMAGES[image];
      expect(folders.map(at => files.get(at))).toEqual(folders.map(() => `drwxr-xr-x ${user}/${user}`));
      expect(JSON.parse(fs.readFileSync(path.join(folder, `${image}.cdx.json`), 'utf8'))).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', metadata: { component: { name: `agent-sandbox-${image}` } } });
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }, 180_000);
});

test('a bill of materials names packages as scanners look for them', () => {
  const bom = JSON.parse(sbomOf('x', '1.0', { debian: { 'libc6': '2.36-9+deb12u1' }, pypi: { Pillow: '1.0' }, npm: { '@a/b': '2.0.0' } }));
  expect(bom.components.map((each: any) => each.purl).sort()).toEqual(['pkg:deb/debian/libc6@2.36-9%2Bdeb12u1', 'pkg:npm/%40a/b@2.0.0', 'pkg:pypi/pillow@1.0']);
});

/** Unpacks an archive into `layout`, and its layers into `root`. */
function unpack(archive: string, layout: string, root: string): void {
  [layout, root].forEach(each => fs.mkdirSync(each));
  execFileSync('tar', ['-xf', archive, '-C', layout]);
  const parsed = (file: string) => JSON.parse(fs.readFileSync(path.join(layout, file), 'utf8'));
  const blob = (digest: string) => path.join('blobs', 'sha256', digest.replace('sha256:', ''));
  for (const { digest } of parsed(blob(parsed('index.json').manifests[0].digest)).layers) {
    execFileSync('tar', ['-xzf', path.join(layout, blob(digest)), '-C', root]);
  }
}

(isRoot ? describe : describe.skip)(`the archives${isRoot ? '' : ' (need root on Linux)'}`, () => {
  test.each(['router', 'runtime'])('the program of the %s runs on its own files alone', async program => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-'));
    try {
      const [layout, root] = [path.join(folder, 'layout'), path.join(folder, 'root')];
      unpack(await writeImage(program, folder), layout, root);
      const { user, program: { folder: app } = { folder: '' } } = IMAGES[program];
      const { stdout } = spawnSync('chroot', [`--userspec=${user}:${user}`, root, '/usr/local/bin/node', `${app}/${program}.mjs`, '--version'], { encoding: 'utf8', env: { PATH: process.env.PATH } });
      expect(stdout).toBe(`agent-sandbox-${program} 0.0.0\n`);
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});

(isRoot ? describe : describe.skip)(`what the archives hold${isRoot ? '' : ' (needs root on Linux)'}`, () => {
  test('the terminals of the runtime find all of their libraries', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-'));
    try {
      const [layout, root] = [path.join(folder, 'layout'), path.join(folder, 'root')];
      unpack(await writeImage('runtime', folder), layout, root);
      const script = "import('/opt/agent-sandbox/node_modules/@lydell/node-pty/index.js').then(m => console.log(typeof (m.spawn ?? m.default.spawn)))";
      const { stdout, stderr } = spawnSync('chroot', ['--userspec=1000:1000', root, '/usr/local/bin/node', '-e', script], { encoding: 'utf8', env: { PATH: process.env.PATH } });
      expect([stdout, stderr]).toEqual(['function\n', '']);
      expect(JSON.parse(fs.readFileSync(path.join(layout, 'index.json'), 'utf8')).manifests[0].annotations).toEqual({
        'io.containerd.image.name': imageName('runtime'), 'org.opencontainers.image.ref.name': '0.0.0',
      });
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Only root can enter another root file system. */
(isRoot ? describeWithControlPlane : describe.skip)(`the archive of the controller${isRoot ? '' : ' (needs root on Linux)'}`, ((testbed: Parameters<Parameters<typeof describeWithControlPlane>[1]>[0]) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-'));
  const [layout, root] = [path.join(folder, 'layout'), path.join(folder, 'root')];
  const read = (digest: string) => fs.readFileSync(path.join(layout, 'blobs', 'sha256', digest.replace('sha256:', '')));
  const parsed = (digest: string) => JSON.parse(read(digest).toString());
  beforeAll(async () => {
    unpack(await writeImage('controller', folder), layout, root);
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  test('is what its digests say, from the index to the layers', () => {
    const index = JSON.parse(fs.readFileSync(path.join(layout, 'index.json'), 'utf8'));
    const check = ({ digest, size }: { digest: string; size: number }) => {
      expect(sha256(read(digest))).toBe(digest);
      expect(read(digest)).toHaveLength(size);
    };
    check(index.manifests[0]);
    const manifest = parsed(index.manifests[0].digest);
    [manifest.config, ...manifest.layers].forEach(check);
    const config = parsed(manifest.config.digest);
    expect(manifest.layers.map(({ digest }: { digest: string }) => sha256(gunzipSync(read(digest))))).toEqual(config.rootfs.diff_ids);
    expect(config.config).toMatchObject({ User: '65532:65532', Entrypoint: ['/usr/local/bin/node', '--max-semi-space-size=2', '/app/controller.mjs'] });
  });

  /** The command line that starts the program where all it has is its image, read-only, as the user of the image. */
  const entered = (...args: string[]) => ['-m', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec chroot --userspec=65532:65532 "$0" "$@"', root, ...IMAGES.controller.entrypoint, ...args];

  test('runs on its own files alone', () => {
    const { stdout, stderr } = spawnSync('unshare', entered('--version'), { encoding: 'utf8', env: {} });
    expect([stdout, stderr]).toEqual(['agent-sandbox-controller 0.0.0\n', '']);
  });

  test('becomes ready on a real API server', async () => {
    const { path: kubeconfig } = await testbed.cluster.kubeconfig();
    fs.writeFileSync(path.join(root, 'kubeconfig'), fs.readFileSync(kubeconfig), { mode: 0o644 });
    const child = spawn('unshare', entered(
      '--kubeconfig=/kubeconfig', '--extensions', `--namespaces=${testbed.namespace}`, `--leader-election-namespace=${testbed.namespace}`,
      '--metrics-bind-address=0', '--health-probe-bind-address=127.0.0.1:0',
    ), { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', chunk => (output += chunk));
    child.stderr.on('data', chunk => (output += chunk));
    const ended = new Promise(resolve => child.once('exit', resolve));
    try {
      await waitFor(() => output.includes('"working"'), { what: 'the controller to work', timeoutMs: 60_000, lastSeen: () => output });
    } finally {
      child.kill('SIGTERM');
      await ended;
    }
    expect(output).toContain('"ended"');
  });
}) as any);
