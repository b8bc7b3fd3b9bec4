import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installDir, linkerFlags, moduleDir } from '../src/cache.js';
import { goModOf, prepareKubernetes } from '../src/kubernetes.js';
import { program } from '../src/programs.js';

const cache = mkdtempSync(join(tmpdir(), 'testbed-kubernetes-'));
afterAll(() => rmSync(cache, { recursive: true }));
for (const version of ['v1.31.9', 'v1.31.14', 'v1.3.1', 'v1.31.99.unfinished-1']) {
  mkdirSync(join(cache, 'kubernetes', version), { recursive: true });
  writeFileSync(join(cache, 'kubernetes', version, 'go.mod'), `module x\n\nrequire k8s.io/kubernetes ${version}\n`);
  writeFileSync(join(cache, 'kubernetes', version, 'go.sum'), '');
}
const env = (kubernetes?: string) => ({ AGENT_SANDBOX_TESTBED_CACHE: cache, ...(kubernetes && { AGENT_SANDBOX_TESTBED_KUBERNETES: kubernetes }) });

describe('another release of Kubernetes', () => {
  test.each([['1.31', 'v1.31.14'], ['1.31.9', 'v1.31.9'], ['1.3', 'v1.3.1']])('%s is the module of %s', (wanted, version) => {
    expect(moduleDir('control-plane', env(wanted))).toBe(join(cache, 'kubernetes', version));
    expect(moduleDir('tools', env(wanted))).toBe(moduleDir('tools', env()));
  });

  test('that is not built is refused with the command that builds it', () => {
    expect(() => moduleDir('control-plane', env('1.2'))).toThrow('AGENT_SANDBOX_TESTBED_KUBERNETES is 1.2, which is not built: run "npm run testbed -- build --kubernetes 1.2", or unset it');
  });

  test('has programs of its own, which know their version', () => {
    expect(installDir('control-plane', env('1.31.9'))).toMatch(new RegExp(`^${cache}/kubernetes-v1\\.31\\.9-`));
    expect(installDir('control-plane', env('1.31.9'))).not.toBe(installDir('control-plane', env('1.31')));
    expect(linkerFlags(program('kube-apiserver'), env('1.31'))).toMatch(/gitVersion=v1\.31\.14 .*gitMinor=31 /);
  });

  test('is none where the pinned one is meant', async () => {
    expect(await prepareKubernetes('1.34')).toBe('');
  });

  test('has the dependencies of the release, with staging modules as they were published', () => {
    const mod = (name: string, between: string, replaced: (module: string) => string) => `module ${name}

go 1.22.0

godebug (
	default=go1.22
)

require (
	example.com/a v1.0.0
	k8s.io/api v0.0.0
	k8s.io/late v0.0.0
)
${between}
replace (
	k8s.io/api => ${replaced('api')}
	k8s.io/late => ${replaced('late')}
)
`;
    const released = mod('k8s.io/kubernetes', '', module => `./staging/src/k8s.io/${module}`);
    const published = { api: 'v0.31.14', late: 'v0.31.13' } as { [module: string]: string };
    expect(goModOf(released, 'v1.31.14', new Map(Object.entries(published).map(([module, version]) => [`k8s.io/${module}`, version]))))
      .toBe(mod('agent-sandbox-testbed/control-plane', '\nrequire k8s.io/kubernetes v1.31.14\n', module => `k8s.io/${module} ${published[module]}`));
  });
});
