import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describeWithPrograms } from '../src/jest/index.js';
import { isAlive } from '../src/processes.js';
import { TESTBED_DIR } from '../src/programs.js';
import { waitFor } from '../src/wait.js';
import { sweep } from '../src/work-dir.js';

const TEST_MS = 60_000;

describeWithPrograms('a control plane whose test run is gone', () => {
  /** A process of its own process group, as a shell makes one, that has started a control plane. */
  const hold = async (): Promise<{ child: ChildProcess; dir: string; pids: Record<string, number> }> => {
    const child = spawn(process.execPath, ['--import', 'tsx', join(TESTBED_DIR, 'test', 'fixtures', 'hold.ts')], {
      cwd: TESTBED_DIR, env: { ...process.env, NODE_OPTIONS: '' }, detached: true, stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(child.stdout!), 'line');
    return { child, ...JSON.parse(line) };
  };
  const expectNothingLeft = async ({ dir, pids }: { dir: string; pids: Record<string, number> }) => {
    await waitFor(() => Object.values(pids).every(pid => !isAlive(pid)) && !existsSync(dir), {
      what: 'the end of the control plane',
      lastSeen: () => `alive: ${Object.keys(pids).filter(name => isAlive(pids[name])).join(', ')}; folder: ${existsSync(dir)}`,
    });
  };

  test('ends when the run is killed with SIGKILL', async () => {
    const held = await hold();
    held.child.kill('SIGKILL');
    await expectNothingLeft(held);
  }, TEST_MS);

  test('ends with Ctrl-C, which a terminal sends to the process group', async () => {
    const held = await hold();
    process.kill(-held.child.pid!, 'SIGINT');
    await expectNothingLeft(held);
  }, TEST_MS);

  test('is swept away by the next one when its supervisor was killed as well', async () => {
    const held = await hold();
    process.kill(held.pids.supervisor, 'SIGKILL');
    held.child.kill('SIGKILL');
    await waitFor(() => !isAlive(held.pids.supervisor), { what: 'the end of the supervisor' });
    expect(isAlive(held.pids['kube-apiserver'])).toBe(true);
    expect(await sweep()).toContain(held.dir);
    await expectNothingLeft(held);
  }, TEST_MS);
});
