import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAKE_NODE_PROGRAMS, REQUIRED, findPrograms } from '../src/binaries.js';
import type { CommandResult } from '../src/cluster.js';
import { describeWithPrograms } from '../src/jest/index.js';
import { TESTBED_DIR } from '../src/programs.js';

const COMMAND_MS = 180_000;

describe('command line', () => {
  let dir: string;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'testbed-cli-'));
    env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', AGENT_SANDBOX_TESTBED_CACHE: join(dir, 'cache'), AGENT_SANDBOX_TEST_KUBECONFIG: '', KUBEBUILDER_ASSETS: '' };
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const testbed = (...args: string[]) => new Promise<CommandResult>(resolve => execFile(
    process.execPath, ['--import', 'tsx', join(TESTBED_DIR, 'src', 'cli.ts'), ...args], { cwd: TESTBED_DIR, env },
    (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
  ));

  test('up without programs says what to run, in one line', async () => {
    const { code, stderr } = await testbed('up');
    expect(code).toBe(1);
    expect(stderr).toBe('testbed: no Kubernetes control plane is built: run "npm run testbed -- build"\n');
  }, COMMAND_MS);

  test('status tells what is built and what tests would do', async () => {
    const { stdout } = await testbed('status');
    expect(stdout).toMatch(/^kube-apiserver +v1\.34\.\d+ +control-plane +not built$/m);
    expect(stdout).toMatch(/^tests: +skipped: no Kubernetes control plane is built/m);
    expect(stdout).toMatch(/^up: +no/m);
  }, COMMAND_MS);

  test('down with nothing running is no error', async () => {
    expect(await testbed('down')).toMatchObject({ code: 0, stdout: 'nothing runs\n' });
  }, COMMAND_MS);

  test('build without Go names both ways out', async () => {
    env.PATH = dir;
    expect(await testbed('build')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^testbed: no go command on the PATH: install Go .* or point KUBEBUILDER_ASSETS/) });
  }, COMMAND_MS);

  describeWithPrograms('with programs', () => {
    beforeEach(() => {
      // All programs in one folder, so that the cache of the user is out of the game.
      const found = findPrograms(FAKE_NODE_PROGRAMS);
      mkdirSync(join(dir, 'assets'));
      for (const name of [...REQUIRED, ...FAKE_NODE_PROGRAMS]) {
        symlinkSync((found as Extract<typeof found, { kind: 'binaries' }>).find(name)!, join(dir, 'assets', name));
      }
      env.KUBEBUILDER_ASSETS = join(dir, 'assets');
    });

    test('up, env, status and down', async () => {
      const up = await testbed('up', '--nodes', '1');
      try {
        expect(up).toMatchObject({ code: 0, stdout: expect.stringMatching(/^started in [\d.]+ s at https:\/\/127\.0\.0\.1:\d+\n\d+ CustomResourceDefinitions installed\n/) });
        expect((await testbed('up', '--no-crds')).stdout).toMatch(/^runs already at https:/);

        const kubeconfig = join(dir, 'cache', 'up', 'kubeconfig');
        expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
        expect((await testbed('env')).stdout).toContain(`export KUBECONFIG='${kubeconfig}'\n`);
        const nodes = await new Promise<string>((resolve, reject) => execFile(join(dir, 'assets', 'kubectl'), ['--kubeconfig', kubeconfig, 'get', 'nodes', '-o', 'name'],
          (error, stdout) => (error ? reject(error) : resolve(stdout))));
        expect(nodes).toBe('node/fake-0\n');

        const { stdout } = await testbed('status');
        expect(stdout).toMatch(/^kube-apiserver +\d+ +\d+ MB$/m);
        expect(stdout).toMatch(/^kwok +\d+ +\d+ MB$/m);
      } finally {
        const [, logs] = /logs in (\S+)/.exec((await testbed('status')).stdout) ?? [];
        expect(await testbed('down')).toMatchObject({ code: 0, stdout: 'stopped\n' });
        expect(existsSync(logs)).toBe(false);
      }
      expect((await testbed('env')).stdout).not.toContain('KUBECONFIG=');
    }, COMMAND_MS);
  }, FAKE_NODE_PROGRAMS);
});
