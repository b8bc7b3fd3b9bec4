import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ControlPlane } from '../src/control-plane.js';
import { describeWithPrograms } from '../src/jest/index.js';
import { TESTBED_DIR } from '../src/programs.js';

const RUN_MS = 120_000;
const JEST = join(dirname(createRequire(join(TESTBED_DIR, 'package.json')).resolve('jest/package.json')), 'bin', 'jest.js');

/** A jest run of its own: two suites, as CommonJS and as ES modules, in two worker processes. */
async function runJest(env: NodeJS.ProcessEnv): Promise<{ results: any; notes: any[]; stderr: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'testbed-shared-run-'));
  const notes = join(dir, 'notes');
  const results = join(dir, 'results.json');
  try {
    const args = [JEST, '--config', join(TESTBED_DIR, 'test', 'fixtures', 'shared-run', 'jest.config.json'), '--maxWorkers=2', '--json', `--outputFile=${results}`];
    const stderr = await new Promise<string>(resolve => execFile(process.execPath, args, {
      cwd: dirname(TESTBED_DIR), env: { ...process.env, ...env, SHARED_RUN_NOTES: notes, NODE_OPTIONS: '--experimental-vm-modules' },
    }, (_error, _stdout, text) => resolve(text)));
    if (!existsSync(results)) {
      throw new Error(`jest did not run: ${stderr}`);
    }
    const lines = existsSync(notes) ? readFileSync(notes, 'utf8').trim().split('\n') : [];
    return { results: JSON.parse(readFileSync(results, 'utf8')), notes: lines.map(line => JSON.parse(line)), stderr };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

describeWithPrograms('a jest run', () => {
  test('has one control plane for all suites of all projects, a namespace for each, and nothing at the end', async () => {
    const { results, notes } = await runJest({});
    expect(results).toMatchObject({ numPassedTests: 8, numFailedTests: 0, numPendingTests: 0 });
    expect(new Set(notes.map(note => note.server)).size).toBe(1);
    expect(new Set(notes.map(note => note.namespace)).size).toBe(4);
    await expect(connect(new URL(notes[0].server).port)).rejects.toThrow('ECONNREFUSED');
  }, RUN_MS);

  test('uses a provided cluster, installs our CRDs if it may, and removes its namespaces', async () => {
    await using provided = await ControlPlane.start({ components: ['kube-controller-manager'] });
    const { path } = await provided.kubeconfig('admin');
    const { results, notes } = await runJest({ AGENT_SANDBOX_TEST_KUBECONFIG: path, AGENT_SANDBOX_TEST_ALLOW_CLUSTER_WRITES: '1' });
    expect(results).toMatchObject({ numPassedTests: 8 });
    expect(new Set(notes.map(note => note.server))).toEqual(new Set([provided.connection.server]));
    const crds = await provided.admin.list('apiextensions.k8s.io/v1', 'CustomResourceDefinition');
    expect(crds.map(crd => crd.metadata.name)).toContain('scaledobjects.keda.sh');
    const namespaces = await provided.admin.list('v1', 'Namespace');
    const ours = namespaces.filter(namespace => notes.some(note => note.namespace === namespace.metadata.name));
    expect(ours.filter(namespace => !namespace.metadata.deletionTimestamp)).toEqual([]);
  }, RUN_MS);
}, ['kube-controller-manager']);

describe('a jest run without programs', () => {
  test('reports the tests as skipped, never as passed, and the reason once', async () => {
    const { results, notes, stderr } = await runJest({ AGENT_SANDBOX_TESTBED_CACHE: '/nonexistent', KUBEBUILDER_ASSETS: '', AGENT_SANDBOX_TEST_KUBECONFIG: '' });
    expect(results).toMatchObject({ success: true, numPassedTests: 0, numPendingTests: 8, numPendingTestSuites: 4 });
    expect(notes).toEqual([]);
    expect(stderr.match(/run "npm run testbed -- build"/g)).toHaveLength(1);
  }, RUN_MS);
});

function connect(port: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(port), '127.0.0.1');
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
  });
}
