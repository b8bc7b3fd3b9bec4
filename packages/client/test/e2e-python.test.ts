import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { FAKE_NODE_PROGRAMS, findPrograms } from '../../../testbed/src/binaries.js';
import { SCOPED_KEY, STATIC_TOKEN, TEAM, World } from './world.js';

const run = promisify(execFile);
const SCRIPTS = fileURLToPath(new URL('python', import.meta.url));

/** The packages that others wrote, each in an environment of its own. */
const PACKAGES = { current: 'k8s-agent-sandbox[async]==1.0.8', first: 'k8s-agent-sandbox==0.1.1.post3' } as const;
type Generation = keyof typeof PACKAGES;

/** Installs them; the reason if that is not possible on this machine. */
async function install(dir: string): Promise<string | undefined> {
  try {
    for (const generation of Object.keys(PACKAGES) as Generation[]) {
      await run('python3', ['-m', 'venv', join(dir, generation)]);
      await run(join(dir, generation, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', PACKAGES[generation]], { timeout: 180_000 });
    }
    return undefined;
  } catch (error) {
    return `needs Python 3.11 with venv and pip, and a package index: ${String((error as Error).message).split('\n').slice(0, 2).join(' ').slice(0, 300)}`;
  }
}

const dir = await mkdtemp(join(tmpdir(), 'agent-sandbox-python-'));
const missing = findPrograms(FAKE_NODE_PROGRAMS).kind === 'nothing' ? undefined : await install(dir);
afterAll(() => rm(dir, { recursive: true, force: true }));

const RUN = ['out\n', 'err\n', 3, false];
/** What `sync_client.py` has to say in every mode. */
const SYNC = {
  'status': 'SandboxReady',
  'run': RUN,
  'timed out': true,
  'unknown program': 1,
  'read': 'grüße',
  'bytes': true,
  'read_to': 200_000,
  'list': [['bytes.bin', 256, 'file'], ['stream.bin', 200_000, 'file'], ['text.txt', 7, 'file']],
  'list root': [['a', 'directory']],
  'exists': [true, false],
  'read missing': ['SandboxRequestError', 404],
  'list file': ['SandboxRequestError', 404],
  'escape': ['SandboxRequestError', 403],
  'delete': ['NotImplementedError', null],
  'listed': true,
  'warm pool': 'pool',
  'no pool': ['SandboxWarmPoolNotFoundError', null],
  'no claim': ['SandboxNotFoundError', null],
  'terminated': [null, false],
};
const REFUSED = { 'no token': ['SandboxRequestError', 401], 'wrong token': ['SandboxRequestError', 401] };
const ASYNC = {
  'status': 'SandboxReady',
  'run': RUN,
  'timed out': true,
  'read': 'grüße',
  'list': [['text.txt', 7, 'file']],
  'exists': [true, false],
  'read missing': ['SandboxRequestError', 404],
  'no pool': ['SandboxWarmPoolNotFoundError', null],
  'no claim': ['SandboxNotFoundError', null],
  'listed': true,
  'deleted': true,
};
const FIRST = {
  'named': true,
  'ready': true,
  'run': RUN.slice(0, 3),
  'read': 'grüße',
  'list': [['text.txt', 7, 'file']],
  'exists': [true, false],
  'read missing': 'RuntimeError',
  'deleted': true,
};

function suite(): void {
  let world: World;

  beforeAll(async () => {
    world = await World.start();
    await world.pool('pool', 2);
  }, 240_000);
  afterAll(() => world?.stop(), 60_000);

  /** Runs a judge and returns its report. */
  async function judge(generation: Generation, script: string, mode: string): Promise<unknown> {
    const python = join(dir, generation, 'bin', 'python');
    const env = {
      PATH: `${dirname(world.controlPlane.kubectlPath)}:${process.env.PATH}`,
      HOME: world.dir,
      KUBECONFIG: world.adminKubeconfig,
      NAMESPACE: TEAM,
      MODE: mode,
      URL: mode === 'tunnel' ? '' : mode === 'open' ? world.openUrl : world.closedUrl,
      STATIC_TOKEN,
      SCOPED_KEY,
      PYTHONDONTWRITEBYTECODE: '1',
    };
    const { stdout, stderr } = await run(python, [join(SCRIPTS, script)], { env, timeout: 150_000 }).catch(error => error);
    const line = String(stdout).split('\n').find(text => text.startsWith('RESULT '));
    if (line === undefined) {
      throw new Error(`${script} (${mode}) did not come to its end:\n${String(stdout).slice(-1500)}\n${String(stderr).slice(-3000)}`);
    }
    return JSON.parse(line.slice('RESULT '.length));
  }

  test.each([
    ['tunnel', { ...SYNC, adopted: true, cold: 'cold\n' }],
    ['direct', { ...SYNC, ...REFUSED }],
    ['direct-scoped', { ...SYNC, ...REFUSED, other: ['SandboxRequestError', 403] }],
  ])('1.0.8, synchronous: %s', async (mode, wanted) => {
    expect(await judge('current', 'sync_client.py', mode)).toEqual(wanted);
  }, 180_000);

  // It has no tunnel; instead it goes to the router that asks for no token.
  test.each(['open', 'direct', 'direct-scoped'])('1.0.8, asynchronous: %s', async mode => {
    expect(await judge('current', 'async_client.py', mode)).toEqual(ASYNC);
  }, 180_000);

  test.each(['tunnel', 'direct', 'direct-scoped'])('0.1.1.post3: %s', async mode => {
    expect(await judge('first', 'first_generation.py', mode)).toEqual(FIRST);
  }, 180_000);
}

const NAME = 'the Python package k8s-agent-sandbox';
if (missing === undefined || !existsSync(dir)) {
  describeWithPrograms(NAME, suite, FAKE_NODE_PROGRAMS);
} else {
  describe.skip(`${NAME} (${missing})`, suite);
}
