import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { BuildError, GoMissingError, buildProgram, goVersion, missingPrograms } from '../src/build.js';
import { installDir, installedPath, linkerFlags, moduleDir, programVersion } from '../src/cache.js';
import { withLock } from '../src/lock.js';
import { PROGRAMS, program } from '../src/programs.js';
import { waitFor } from '../src/wait.js';

const etcd = program('etcd');

describe('build', () => {
  const before = { PATH: process.env.PATH, AGENT_SANDBOX_TESTBED_CACHE: process.env.AGENT_SANDBOX_TESTBED_CACHE };
  let dir: string;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'testbed-build-'));
    process.env.AGENT_SANDBOX_TESTBED_CACHE = join(dir, 'cache');
  });
  afterEach(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) {
        delete process.env[name];
      } else {
        process.env[name] = value;
      }
    }
    rmSync(dir, { recursive: true });
  });

  /** A `go` command for tests; `$output` is the file it has to write. */
  const fakeGo = (script: string) => {
    const parse = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && output="$2"; shift; done';
    writeFileSync(join(dir, 'go'), `#!/bin/sh\n${parse}\n${script}\n`, { mode: 0o755 });
    process.env.PATH = `${dir}${delimiter}${before.PATH}`;
  };
  const filesOf = (path: string) => (existsSync(path) ? readdirSync(path, { recursive: true }).map(String).sort() : []);

  test('installs the finished program and leaves nothing else', async () => {
    fakeGo('echo program > "$output"');
    await buildProgram(etcd);
    expect(readFileSync(installedPath(etcd), 'utf8')).toBe('program\n');
    expect(filesOf(installDir('control-plane'))).toEqual(['bin', 'bin/etcd']);
    expect(missingPrograms(['control-plane']).map(({ name }) => name)).not.toContain('etcd');
  });

  test('a compiler error is repeated and nothing is installed', async () => {
    fakeGo('echo half > "$output"; echo "main.go:1: undefined: x" >&2; exit 1');
    await expect(buildProgram(etcd)).rejects.toThrow(new BuildError(etcd, 'main.go:1: undefined: x'));
    expect(filesOf(installDir('control-plane'))).toEqual(['bin']);
  });

  test('an interrupted build leaves nothing that looks like a program', async () => {
    fakeGo('echo half > "$output"; echo started >&2; exec sleep 60');
    const abort = new AbortController();
    await expect(buildProgram(etcd, { signal: abort.signal, onOutput: () => abort.abort() })).rejects.toThrow('aborted');
    expect(filesOf(installDir('control-plane'))).toEqual(['bin']);
  });

  test('compiles in the module that pins the program, without cgo', async () => {
    fakeGo('(pwd; echo "$CGO_ENABLED") > "$output"');
    await buildProgram(program('kwok'));
    expect(readFileSync(installedPath(program('kwok')), 'utf8')).toBe(`${moduleDir('tools')}\n0\n`);
  });

  test('without Go the error names both ways out', async () => {
    process.env.PATH = dir;
    await expect(goVersion()).rejects.toThrow(GoMissingError);
    await expect(buildProgram(etcd)).rejects.toThrow(/install Go .* or point KUBEBUILDER_ASSETS/);
  });

  test('a lock admits one at a time', async () => {
    const events: string[] = [];
    const file = join(dir, 'lock');
    const first = withLock(file, async () => {
      events.push('first begins');
      await waitFor(() => events.includes('second waits'), { what: 'the second' });
      events.push('first ends');
    });
    await waitFor(() => existsSync(file), { what: 'the lock' });
    await Promise.all([first, withLock(file, async () => { events.push('second runs'); }, () => events.push('second waits'))]);
    expect(events).toEqual(['first begins', 'second waits', 'first ends', 'second runs']);
    expect(existsSync(file)).toBe(false);
  });

  test('the lock of a dead process is taken over', async () => {
    const file = join(dir, 'lock');
    // Process ids end far below this number.
    writeFileSync(file, '999999999');
    await expect(withLock(file, async () => 'done')).resolves.toBe('done');
  });
});

describe('what is pinned', () => {
  test('every program has a version', () => {
    expect(Object.fromEntries(PROGRAMS.map(entry => [entry.name, programVersion(entry)]))).toEqual({
      'etcd': expect.stringMatching(/^v3\.6\.\d+$/),
      'kube-apiserver': expect.stringMatching(/^v1\.34\.\d+$/),
      'kubectl': expect.stringMatching(/^v1\.34\.\d+$/),
      'kube-controller-manager': expect.stringMatching(/^v1\.34\.\d+$/),
      'kube-scheduler': expect.stringMatching(/^v1\.34\.\d+$/),
      'kubelet': expect.stringMatching(/^v1\.34\.\d+$/),
      'kube-proxy': expect.stringMatching(/^v1\.34\.\d+$/),
      'kwok': 'v0.8.0',
      'helm': expect.stringMatching(/^v3\.\d+\.\d+$/),
      'kubeconform': expect.stringMatching(/^v0\.\d+\.\d+$/),
      'grpcurl': expect.stringMatching(/^v1\.\d+\.\d+$/),
      'policy-engines': '-',
      'actionlint': 'v1.7.12',
      'kube-router': expect.stringMatching(/^v2\.\d+\.\d+$/),
      'coredns': expect.stringMatching(/^v1\.\d+\.\d+$/),
      'local-path-provisioner': expect.stringMatching(/^v0\.0\.\d+$/),
      'containerd-shim-runsc-v1': expect.stringMatching(/^v0\.0\.0-20250205/),
      'probe': '-',
    });
  });

  test('Kubernetes learns its version from the linker', () => {
    expect(linkerFlags(program('kube-apiserver'))).toMatch(/^-s -w -X k8s\.io\/component-base\/version\.gitVersion=v1\.34\.\d+ .*gitMinor=34 /);
  });

  test('the staging modules have the version of Kubernetes', () => {
    const goMod = readFileSync(join(moduleDir('control-plane'), 'go.mod'), 'utf8');
    const version = programVersion(program('kube-apiserver')).replace(/^v1/, 'v0');
    const replaced = [...goMod.matchAll(/^\t(k8s\.io\/\S+) => (\S+) (\S+)$/gm)];
    expect(replaced).toHaveLength(31);
    for (const [, from, to, to_version] of replaced) {
      expect([to, to_version]).toEqual([from, version]);
    }
  });
});
