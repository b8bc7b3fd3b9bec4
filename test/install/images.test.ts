import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { IMAGES, imageName, writeImage } from '../../scripts/images';
import { waitFor } from '../../testbed/src/index.js';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';

const ROOT = path.join(__dirname, '..', '..');
const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const sha256 = (content: Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`;

jest.setTimeout(180_000);

describe.each(Object.keys(IMAGES))('the Dockerfile of the %s', program => {
  const lines = fs.readFileSync(path.join(ROOT, 'images', program, 'Dockerfile'), 'utf8').split('\n');

  test('has a pinned slim base, and a user that is not root', () => {
    expect(lines.find(line => line.startsWith('ARG NODE_IMAGE='))).toMatch(/:\d+\.\d+\.\d+-bookworm-slim$/);
    const users = lines.filter(line => line.startsWith('USER ')).map(line => line.slice(5));
    expect(users.at(-1)).toBe(`${IMAGES[program].user}:${IMAGES[program].user}`);
  });

  test('starts the same program as the archive', () => {
    expect(lines.filter(line => line.startsWith('ENTRYPOINT'))).toEqual([`ENTRYPOINT ["/usr/local/bin/node", "${IMAGES[program].app}/${program}.mjs"]`]);
  });
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
  test.each(['router', 'runtime'])('the program of the %s runs on its own files alone', async (program) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'image-'));
    try {
      const [layout, root] = [path.join(folder, 'layout'), path.join(folder, 'root')];
      unpack(await writeImage(program, folder), layout, root);
      const { user, app } = IMAGES[program];
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

/** Nobody but root can enter another root file system. */
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
    expect(config.config).toMatchObject({ User: '65532:65532', Entrypoint: ['/usr/local/bin/node', '/app/controller.mjs'] });
  });

  /** The command line that starts the program where all it has is its image, read-only, as the user of the image. */
  const entered = (...args: string[]) => ['-m', 'sh', '-c', 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec chroot --userspec=65532:65532 "$0" /usr/local/bin/node /app/controller.mjs "$@"', root, ...args];

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
