import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { REPOSITORY, readManifests } from '../scripts/example-apps';
import { type Manifest, format, rows } from '../scripts/manifest-table';
import { describeWithPrograms } from '../testbed/src/jest/index.js';
import { runTypeScript } from './typescript';

const workDir = fs.mkdtempSync(path.join(os.tmpdir(), 'quickstart-'));
afterAll(() => fs.rmSync(workDir, { recursive: true }));

function quickstartWith(env: NodeJS.ProcessEnv, ...args: string[]) {
  const { status, stdout, stderr } = runTypeScript(['scripts/quickstart.ts', ...args], { env });
  return { status, stdout, stderr };
}

function quickstart(...args: string[]) {
  return quickstartWith(process.env, ...args);
}

describe('npm run quickstart', () => {
  test('writes the committed manifests of the example and says what they are', () => {
    const out = path.join(workDir, 'fresh', 'folder');
    const { status, stdout, stderr } = quickstart('--out', out);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(readManifests(out)).toEqual(readManifests(path.join(REPOSITORY, 'examples/quickstart/manifests')));
    const [summary, , ...rest] = stdout.split('\n');
    expect(summary).toMatch(new RegExp(`^Wrote 7 objects to ${out}/agents.k8s.yaml in \\d+\\.\\d s\\.$`));
    expect(rest.slice(0, 8).join('\n')).toBe(`\
  KIND                 NAME           NAMESPACE  ISOLATION  NETWORK               REPLICAS
  Namespace            agents         -          -          -                     -
  NetworkPolicy        default-deny   agents     -          in: none, out: none   -
  ResourceQuota        quota          agents     -          -                     -
  SandboxTemplate      python         agents     gVisor     in: router, out: DNS  -
  SandboxWarmPool      python-pool    agents     gVisor     in: router, out: DNS  5
  SandboxClaim         ticket-42      agents     gVisor     in: router, out: DNS  1
  PodDisruptionBudget  python-budget  agents     -          -                     -`);
    const next = rest.slice(rest.indexOf('Next') + 1).filter(Boolean).map(line => line.trim().split(/ {2,}/)[0]);
    expect(next).toEqual([`${out}/agents.k8s.yaml`, 'examples/quickstart/main.ts', 'kubectl apply --server-side -f chart/files/crds', `kubectl apply -f ${out}`]);
  });

  test('leaves other files of the folder alone', () => {
    const out = path.join(workDir, 'used');
    fs.mkdirSync(out);
    fs.writeFileSync(path.join(out, 'mine.txt'), 'mine');
    expect(quickstart('--out', out).status).toBe(0);
    expect(fs.readdirSync(out).sort()).toEqual(['agents.k8s.yaml', 'mine.txt']);
  });

  test.each([
    [['--deploy'], "quickstart: Unknown option '--deploy'"],
    [['folder'], "quickstart: Unexpected argument 'folder'"],
    [['--out'], "quickstart: Option '--out <value>' argument missing"],
    [['--out', ''], 'quickstart: --out is empty: name a folder'],
    [['--once'], 'quickstart: --once goes with --cluster or --node'],
    [['--cluster', '--node'], 'quickstart: --cluster and --node exclude each other'],
  ])('refuses %j and shows the usage', (args, message) => {
    const { status, stdout, stderr } = quickstart(...args);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr.split('\n')[0]).toBe(message);
    expect(stderr).toContain('usage: npm run quickstart [-- [--cluster | --node] [--once] [--out FOLDER]]');
  });

  test('says so when a file is in the way', () => {
    const file = path.join(workDir, 'file');
    fs.writeFileSync(file, '');
    const { status, stderr } = quickstart('--out', path.join(file, 'below'));
    expect(status).toBe(1);
    expect(stderr).toBe(`quickstart: cannot write to ${file}/below: a file is in the way; choose another folder with --out\n`);
  });
});

describe('the table', () => {
  const template = (name: string, spec: object): Manifest => ({
    apiVersion: 'v1', kind: 'SandboxTemplate', metadata: { name, namespace: 'n' }, spec: { podTemplate: { spec: { runtimeClassName: 'kata-qemu' } }, ...spec },
  });
  const object = (kind: string, name: string, spec: object): Manifest => ({ apiVersion: 'v1', kind, metadata: { name, namespace: 'n' }, spec });
  const network = (spec: object) => rows([template('t', spec)])[0].network;

  test.each([
    ['both directions denied', { networkPolicy: { ingress: [], egress: [] } }, 'in: none, out: none'],
    ['rules without peers, which allow all', { networkPolicy: { ingress: [{}], egress: [{}] } }, 'in: anyone, out: anywhere'],
    ['an address', { networkPolicy: { ingress: [], egress: [{ to: [{ ipBlock: { cidr: '10.50.0.100/32' } }], ports: [{ port: 8000 }] }] } }, 'in: none, out: 10.50.0.100/32'],
    ['all addresses', { networkPolicy: { ingress: [], egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] } }, 'in: none, out: anywhere'],
    ['public addresses', { networkPolicy: { ingress: [], egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] } }] }] } }, 'in: none, out: public internet'],
    ['several peers', { networkPolicy: { ingress: [{ from: [{ podSelector: { matchLabels: { app: 'sandbox-router' } } }, { podSelector: {} }] }], egress: [] } }, 'in: router + some pods, out: none'],
    ['no policy of its own', {}, "the controller's default"],
    ['no management', { networkPolicyManagement: 'Unmanaged' }, 'unmanaged'],
  ])('shows %s', (_what, spec, expected) => {
    expect(network(spec)).toBe(expected);
  });

  test('shows the network of a Sandbox from its own policy, and a direction that the policy does not govern as open', () => {
    const sandbox = object('Sandbox', 's', { podTemplate: { spec: {} } });
    const policy = object('NetworkPolicy', 'sandbox-s', { policyTypes: ['Ingress'], ingress: [] });
    expect(rows([policy, sandbox]).map(row => row.network)).toEqual(['in: none, out: any', 'in: none, out: any']);
    expect(rows([sandbox])[0]).toMatchObject({ isolation: 'none', network: 'unmanaged', replicas: '1' });
  });

  test('shows pools and claims with what their template says', () => {
    const objects = [
      template('t', { networkPolicy: { ingress: [], egress: [] } }),
      object('SandboxWarmPool', 'p', { sandboxTemplateRef: { name: 't' } }),
      object('SandboxClaim', 'warm', { warmPoolRef: { name: 'p' } }),
      object('SandboxClaim', 'direct', { sandboxTemplateRef: { name: 't' } }),
      object('SandboxClaim', 'foreign', { warmPoolRef: { name: 'of-another-team' } }),
    ];
    expect(rows(objects).slice(1).map(({ isolation, replicas }) => [isolation, replicas])).toEqual([
      ['Kata (QEMU)', '1'], ['Kata (QEMU)', '1'], ['Kata (QEMU)', '1'], ['-', '1'],
    ]);
  });

  test('shows the bounds of an autoscaled pool, and suspended Sandboxes', () => {
    const pool = object('SandboxWarmPool', 'p', { sandboxTemplateRef: { name: 't' } });
    const scaler = (kind: string, bounds: object) => object(kind, 'a', { scaleTargetRef: { kind: 'SandboxWarmPool', name: 'p' }, ...bounds });
    expect(rows([pool, scaler('HorizontalPodAutoscaler', { minReplicas: 10, maxReplicas: 100 })])[0].replicas).toBe('10 to 100');
    expect(rows([pool, scaler('ScaledObject', { maxReplicaCount: 9 })])[0].replicas).toBe('0 to 9');
    expect(rows([object('Sandbox', 's', { podTemplate: { spec: {} }, operatingMode: 'Suspended' })])[0].replicas).toBe('0 (suspended)');
  });

  test('has columns as wide as their widest cell and no trailing blanks', () => {
    const cells = { namespace: '-', isolation: '-', network: '-', replicas: '-' };
    expect(format([{ ...cells, kind: 'A', name: 'a-long-name' }, { ...cells, kind: 'Kind', name: 'b' }])).toBe([
      'KIND  NAME         NAMESPACE  ISOLATION  NETWORK  REPLICAS',
      'A     a-long-name  -          -          -        -',
      'Kind  b            -          -          -        -',
    ].join('\n'));
  });
});

describe('npm run quickstart -- --cluster', () => {
  test('says what to run when there is no control plane, and builds nothing', () => {
    const env = { ...process.env, AGENT_SANDBOX_TEST_KUBECONFIG: '', KUBEBUILDER_ASSETS: '', AGENT_SANDBOX_TESTBED_CACHE: path.join(workDir, 'empty-cache') };
    const { status, stderr } = quickstartWith(env, '--cluster', '--out', path.join(workDir, 'no-cluster'));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^quickstart: no Kubernetes control plane .*: run "npm run testbed -- build"$/m);
    expect(fs.existsSync(path.join(workDir, 'empty-cache', 'bin'))).toBe(false);
  });
});

describeWithPrograms('npm run quickstart -- --cluster, with a control plane', () => {
  test('fills the pool, serves the claim from it, runs a command in its sandbox, and leaves nothing behind', () => {
    const { status, stdout, stderr } = quickstart('--cluster', '--once', '--out', path.join(workDir, 'cluster'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lines = stdout.split('\n').map(line => line.trim().split(/ {2,}/));
    expect(lines.map(([first]) => first)).toEqual(expect.arrayContaining(['control plane', 'chart', 'controller', 'manifests', 'runtime', 'router', 'client']));
    expect(lines.find(([first]) => first === 'python-pool')?.slice(1, 4)).toEqual(['agents', '5', '5']);
    expect(lines.find(([first]) => first === 'ticket-42')).toEqual(['ticket-42', 'agents', expect.stringMatching(/^python-pool-/), 'True', expect.any(String), expect.any(String)]);
    expect(stdout).toMatch(/^ {2}Hello from \w+, .*\/sandbox$/m);
    expect(stdout).toMatch(/Ended; nothing is left\.\n$/);
  }, 180_000);
}, ['kwok', 'kube-controller-manager', 'kube-scheduler']);
