import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { installYaml } from '../../scripts/helm/install-yaml';
import { Isolation, SandboxClaim, SandboxNetwork, SandboxTemplate } from '../../src';
import { PROJECT_CRDS_DIR, TOOLS_IMAGE, findPrograms } from '../../testbed/src/index.js';
import { describeWithNode } from '../../testbed/src/jest/index.js';
import { IMAGES, SYSTEM, applyIn, importImages, rolledOut } from './support/installation';
import { CLAIM, SANDBOX, isReady } from './support/sandboxes';

const ROOT = path.join(__dirname, '..', '..');
const LONG_MS = 150_000;

describeWithNode('the ways to install', testbed => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'node-helm-'));
  beforeAll(async () => {
    await testbed.cluster.installCrds(PROJECT_CRDS_DIR);
    await importImages(testbed.cluster);
    await applyIn(testbed.cluster, testbed.namespace, chart => new SandboxTemplate(chart, 'template', {
      name: 'template', isolation: Isolation.none(), network: SandboxNetwork.routerOnly(),
      containers: [{ image: TOOLS_IMAGE, command: ['sleep', '3600'], cpu: '10m', memory: '32Mi' }],
    }));
  }, 600_000);
  afterAll(() => fs.rmSync(home, { recursive: true }));

  /** Claims a sandbox and waits until it is there. */
  async function serves(name: string): Promise<void> {
    const { cluster, namespace } = testbed;
    await applyIn(cluster, namespace, chart => new SandboxClaim(chart, name, { template: SandboxTemplate.fromName('template') }));
    await cluster.admin.waitFor({ ...CLAIM, namespace, name }, isReady, { timeoutMs: LONG_MS });
  }

  const helm = async (...args: string[]) => {
    const found = findPrograms(['helm']);
    const program = found.kind === 'binaries' ? found.find('helm')! : '';
    const { path: kubeconfig } = await testbed.cluster.kubeconfig();
    return execFileSync(program, ['--kubeconfig', kubeconfig, '--namespace', SYSTEM, ...args], { encoding: 'utf8', env: { PATH: process.env.PATH, HOME: home }, maxBuffer: 64 << 20 });
  };
  const image = (prefix: string, name: string) => `${prefix}image.repository=${name.slice(0, name.lastIndexOf(':'))},${prefix}image.tag=${name.slice(name.lastIndexOf(':') + 1)}`;

  test('one file for kubectl: claims are served', async () => {
    // The header repeats the placeholders in its instructions.
    const text = installYaml().get('agent-sandbox-with-router.yaml')!.replaceAll(/^#.*\n/gm, '')
      .replaceAll(/REPLACE-WITH-YOUR-REGISTRY\/agent-sandbox-(controller|router):REPLACE-WITH-YOUR-TAG/g, (_, program: 'controller' | 'router') => IMAGES[program]);
    expect(text).not.toContain('REPLACE-WITH');
    await testbed.cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: text });
    await rolledOut(testbed.cluster);
    await serves('by-file');
  }, 2 * LONG_MS);

  test('Helm: takes over an existing installation with its sandboxes alive, and leaves definitions and data when it is uninstalled', async () => {
    const { cluster, namespace } = testbed;
    const uid = async () => (await cluster.admin.get({ apiVersion: 'v1', kind: 'Pod', namespace, name: 'by-file' })).metadata.uid;
    const before = await uid();
    await helm('install', 'agent-sandbox', path.join(ROOT, 'chart'), '--take-ownership', '--wait', '--timeout', '150s', '--set', [image('', IMAGES.controller), image('router.', IMAGES.router), 'router.enabled=true', image('test.', IMAGES.runtime)].join());
    await serves('by-helm');
    expect(await helm('test', 'agent-sandbox', '--logs', '--timeout', '150s')).toContain('ran a command in it');
    expect(await uid()).toBe(before);
    await helm('uninstall', 'agent-sandbox', '--wait', '--timeout', '150s');
    expect(await cluster.admin.list('apps/v1', 'Deployment', SYSTEM)).toEqual([]);
    expect(isReady(await cluster.admin.get({ ...SANDBOX, namespace, name: 'by-file' }))).toBe(true);
    expect(await uid()).toBe(before);
  }, 2 * LONG_MS);
}, { long: true });
