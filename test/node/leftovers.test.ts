import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { ControlPlane, TOOLS_IMAGE, waitFor } from '../../testbed/src/index.js';
import { reasonForNoNode } from '../../testbed/src/jest/index.js';
import { TESTBED_DIR } from '../../testbed/src/programs.js';
import { sweep } from '../../testbed/src/work-dir.js';

const TEST_MS = 300_000;

/** Milliseconds that everything has to be gone in. */
const GONE_MS = 30_000;

interface Held {
  readonly child: ChildProcess;
  readonly dir: string;
  readonly pids: Record<string, number>;
}

/** What a node could leave on this machine. */
interface Traces {
  readonly mounts: readonly string[];
  readonly interfaces: readonly string[];
  readonly rules: string;
}

const reason = reasonForNoNode();
(reason ? describe.skip : describe)(`a real node whose test run is gone${reason ? ` (${reason})` : ''}`, () => {
  let before: Traces;
  beforeAll(() => before = traces());

  test('leaves nothing when the run is killed with SIGKILL while its pods run', async () => {
    const held = await hold();
    await runPods(held);
    held.child.kill('SIGKILL');
    await expectNothingLeft(held);
  }, TEST_MS);

  test('starts again at once, and is swept away when its supervisor was killed as well', async () => {
    const held = await hold();
    process.kill(held.pids.supervisor, 'SIGKILL');
    held.child.kill('SIGKILL');
    await waitFor(() => Object.values(held.pids).every(isGone), { what: 'the end of all processes', timeoutMs: GONE_MS });
    expect(await sweep()).toContain(held.dir);
    await expectNothingLeft(held);
  }, TEST_MS);

  async function hold(): Promise<Held> {
    const child = spawn(process.execPath, ['--import', 'tsx', join(TESTBED_DIR, 'test', 'fixtures', 'hold.ts')], {
      cwd: TESTBED_DIR, env: { ...process.env, NODE_OPTIONS: '', TESTBED_HOLD_NODE: '1' }, detached: true, stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(child.stdout!), 'line');
    return { child, ...JSON.parse(line) };
  }

  async function runPods({ dir }: Held): Promise<void> {
    const cluster = await ControlPlane.attach(dir);
    await Promise.all([undefined, 'gvisor'].map(async runtimeClassName => {
      const name = `pod-${runtimeClassName ?? 'runc'}`;
      await cluster.admin.create({
        apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' },
        spec: { runtimeClassName, containers: [{ name: 'main', image: TOOLS_IMAGE, imagePullPolicy: 'Never', command: ['sleep', '3600'] }] },
      });
      await cluster.admin.waitFor({ apiVersion: 'v1', kind: 'Pod', name, namespace: 'default' }, pod => pod.status?.phase === 'Running', { timeoutMs: 120_000 });
    }));
    await cluster.close();
  }

  async function expectNothingLeft({ dir, pids }: Held): Promise<void> {
    const left = () => [
      ...Object.entries(pids).filter(([, pid]) => !isGone(pid)).map(([name]) => `process ${name}`),
      ...processesOf(basename(dir)),
      ...[dir, join(tmpdir(), `${basename(dir)}-nodes`)].filter(existsSync),
      ...controlGroups(basename(dir)),
    ];
    await waitFor(() => left().length === 0, { what: 'the end of a control plane with a node', timeoutMs: GONE_MS, lastSeen: () => left().join(', ') });
    expect(traces()).toEqual(before);
  }
});

function isGone(pid: number): boolean {
  return !existsSync(`/proc/${pid}`);
}

/** Processes that name the folder of a control plane in their command line. */
function processesOf(name: string): string[] {
  return readdirSync('/proc').filter(pid => /^\d+$/.test(pid)).flatMap(pid => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return command.includes(name) ? [`process ${pid}: ${command.replaceAll('\0', ' ')}`] : [];
    } catch {
      return [];
    }
  });
}

function controlGroups(name: string): string[] {
  const root = '/sys/fs/cgroup';
  return [root, ...readdirSync(root).map(tree => join(root, tree))].map(tree => join(tree, name)).filter(existsSync);
}

function traces(): Traces {
  return {
    mounts: readFileSync('/proc/self/mounts', 'utf8').split('\n').sort(),
    interfaces: readdirSync('/sys/class/net').sort(),
    rules: execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }),
  };
}
