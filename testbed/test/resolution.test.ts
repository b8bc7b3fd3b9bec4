import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { FAKE_NODE_PROGRAMS, REQUIRED, findPrograms, resolve } from '../src/binaries.js';
import { installedPath } from '../src/cache.js';
import { type ProgramName, program } from '../src/programs.js';

describe('what tests run against', () => {
  let dir: string;
  let env: NodeJS.ProcessEnv;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'testbed-resolution-'));
    env = { AGENT_SANDBOX_TESTBED_CACHE: join(dir, 'cache') };
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const put = (path: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
    return path;
  };
  const putInCache = (names: readonly ProgramName[]) => names.forEach(name => put(installedPath(program(name), env)));
  const putInAssets = (names: readonly ProgramName[]) => {
    names.forEach(name => put(join(dir, 'assets', name)));
    env.KUBEBUILDER_ASSETS = join(dir, 'assets');
  };

  test('nothing at all is one line that says what to run', () => {
    const found = resolve([], env);
    expect(found).toEqual({ kind: 'nothing', reason: 'no Kubernetes control plane is built: run "npm run testbed -- build"' });
    expect(resolve(FAKE_NODE_PROGRAMS, env)).toEqual(found);
  });

  test('built programs are used', () => {
    putInCache(REQUIRED);
    expect(resolve([], env)).toMatchObject({ kind: 'binaries', source: 'the testbed cache' });
  });

  test('a half-finished build is nothing, and the missing program is named', () => {
    putInCache(['etcd', 'kubectl']);
    expect(resolve([], env)).toMatchObject({ kind: 'nothing', reason: 'kube-apiserver not built: run "npm run testbed -- build"' });
  });

  test('KUBEBUILDER_ASSETS comes before built programs', () => {
    putInCache(REQUIRED);
    putInAssets(REQUIRED);
    const found = findPrograms([], env);
    expect(found).toMatchObject({ kind: 'binaries', source: `KUBEBUILDER_ASSETS=${join(dir, 'assets')}` });
    expect(found.kind === 'binaries' && found.find('etcd')).toBe(join(dir, 'assets', 'etcd'));
  });

  test('KUBEBUILDER_ASSETS is never completed by parts of Kubernetes of another version', () => {
    putInCache([...REQUIRED, ...FAKE_NODE_PROGRAMS]);
    putInAssets(REQUIRED);
    expect(resolve([], env)).toMatchObject({ kind: 'binaries' });
    expect(resolve(FAKE_NODE_PROGRAMS, env)).toEqual({
      kind: 'nothing', reason: expect.stringMatching(/^KUBEBUILDER_ASSETS=\S+ has no kube-controller-manager, kube-scheduler: add it, or unset/),
    });
  });

  test('KUBEBUILDER_ASSETS is completed by kwok, which fits any version', () => {
    putInCache(['kwok']);
    putInAssets([...REQUIRED, 'kube-controller-manager', 'kube-scheduler']);
    expect(resolve(FAKE_NODE_PROGRAMS, env)).toMatchObject({ kind: 'binaries' });
  });

  test('AGENT_SANDBOX_TEST_KUBECONFIG comes first, and allows cluster-scoped writes only explicitly', () => {
    putInAssets(REQUIRED);
    env.AGENT_SANDBOX_TEST_KUBECONFIG = put(join(dir, 'kubeconfig'));
    expect(resolve([], env)).toEqual({ kind: 'provided', kubeconfig: join(dir, 'kubeconfig'), allowsClusterWrites: false });
    env.AGENT_SANDBOX_TEST_ALLOW_CLUSTER_WRITES = 'true';
    expect(resolve([], env)).toMatchObject({ allowsClusterWrites: false });
    env.AGENT_SANDBOX_TEST_ALLOW_CLUSTER_WRITES = '1';
    expect(resolve([], env)).toMatchObject({ allowsClusterWrites: true });
  });

  test('AGENT_SANDBOX_TEST_KUBECONFIG that names no file is not replaced by something else', () => {
    putInCache(REQUIRED);
    env.AGENT_SANDBOX_TEST_KUBECONFIG = join(dir, 'missing');
    expect(resolve([], env)).toMatchObject({ kind: 'nothing', reason: expect.stringContaining('does not exist: correct or unset it') });
  });

  test('KUBECONFIG is never looked at', () => {
    env.KUBECONFIG = put(join(dir, 'production'));
    expect(resolve([], env)).toMatchObject({ kind: 'nothing' });
  });
});
