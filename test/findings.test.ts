import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiObject, App, Chart } from 'cdk8s';
import { Construct } from 'constructs';
import { Sandbox, SandboxClaim, SandboxNetwork, SandboxTemplate, SandboxWarmPool } from '../src';
import { POD, messageOf, synth, testApp, testChart } from './helpers';

/** The findings of synthesis, without the frame that cdk8s puts around them. */
function findings(chart: Chart): string[] {
  return messageOf(() => synth(chart)).split('\n').slice(1).map(line => line.trim().replace(/^\[\] /, '').replace(/ \[[a-z-]+\]$/, ''));
}

const PYTHON = SandboxTemplate.fromName('python');

test('synthesis shows the first few of one mistake in many objects, and every other mistake', () => {
  const chart = testChart({ namespace: 'agents' });
  for (let index = 0; index < 200; index++) {
    new SandboxWarmPool(chart, `pool-${index}`, { template: PYTHON, name: 'same' });
    new SandboxWarmPool(chart, `template-of-${index}`, { template: PYTHON });
  }
  new Sandbox(chart, 'a', { ...POD, name: 'twin', network: SandboxNetwork.unmanaged() });
  new Sandbox(chart, 'b', { ...POD, name: 'twin', network: SandboxNetwork.unmanaged() });
  const lines = findings(chart);
  expect(lines.slice(0, 5).map(line => line.split(':')[0])).toEqual([1, 2, 3, 4, 5].map(index => `test/pool-${index}/Resource`));
  expect(lines.slice(5)).toEqual([
    'and 194 more of this kind, which Checks.of(app) lists',
    "test/b/Resource: name is 'twin': test/a/Resource is a Sandbox of this name in the same namespace: rename one",
  ]);
});

describe('the same kind, namespace and name twice', () => {
  test.each<[string, (chart: Chart, id: string) => unknown]>([
    ['Sandbox', (chart, id) => new Sandbox(chart, id, { ...POD, name: 'same', network: SandboxNetwork.unmanaged() })],
    ['SandboxTemplate', (chart, id) => new SandboxTemplate(chart, id, { ...POD, name: 'same' })],
    ['SandboxWarmPool', (chart, id) => new SandboxWarmPool(chart, id, { template: PYTHON, name: 'same' })],
    ['SandboxClaim', (chart, id) => new SandboxClaim(chart, id, { pool: SandboxWarmPool.fromName('pool'), name: 'same' })],
  ])('is a finding for %s', (kind, make) => {
    const chart = testChart({ namespace: 'agents' });
    make(chart, 'a');
    make(chart, 'b');
    expect(findings(chart)).toEqual([`test/b/Resource: name is 'same': test/a/Resource is a ${kind} of this name in the same namespace: rename one`]);
  });

  test('is a finding across charts', () => {
    const app = testApp();
    const charts = ['one', 'two'].map(id => new Chart(app, id, { namespace: 'agents' }));
    charts.forEach(chart => new SandboxWarmPool(chart, 'pool', { template: PYTHON }));
    expect(findings(charts[0])).toEqual(["two/pool/Resource: name is 'pool': one/pool/Resource is a SandboxWarmPool of this name in the same namespace: rename one"]);
  });

  test('is none in two charts without namespace, which are applied wherever', () => {
    const app = testApp();
    const charts = ['one', 'two'].map(id => new Chart(app, id));
    charts.forEach(chart => new SandboxClaim(chart, 'claim', { template: PYTHON }));
    expect(charts.map(chart => synth(chart).map(object => object.metadata.name))).toEqual(Array(2).fill(['shadow-pool-python', 'claim']));
  });

  test('is none in different namespaces, or of different kinds', () => {
    const chart = testChart();
    for (const namespace of ['one', 'two']) {
      new SandboxTemplate(chart, `template-${namespace}`, { ...POD, name: 'same', namespace });
      new SandboxWarmPool(chart, `pool-${namespace}`, { template: SandboxTemplate.fromName('same'), name: 'same', namespace });
    }
    expect(synth(chart)).toHaveLength(4);
  });

  test('is a finding for kinds of others, too', () => {
    const chart = testChart();
    new Sandbox(chart, 'box', POD);
    for (const id of ['a', 'b']) {
      new ApiObject(chart, id, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'same' } });
    }
    expect(findings(chart)).toEqual(["test/b: name is 'same': test/a is a ConfigMap of this name in the same namespace: rename one"]);
  });
});

describe('names that share a hash', () => {
  const [first, second] = ['browser-prod-team-2151', 'browser-template-team-2200'];
  const message = (path: string, other: string) =>
    `test/${path}/Resource: name is '${second}': its hash 22b058e1 is also that of '${first}' (test/${other}/Resource), and labels could not tell their Pods apart: rename one`;

  test.each<[string, (chart: Chart, name: string) => unknown]>([
    ['Sandboxes', (chart, name) => new Sandbox(chart, name, { ...POD, network: SandboxNetwork.unmanaged() })],
    ['templates', (chart, name) => new SandboxTemplate(chart, name, POD)],
    ['pools', (chart, name) => new SandboxWarmPool(chart, name, { template: PYTHON })],
    ['claims', (chart, name) => new SandboxClaim(chart, name, { pool: SandboxWarmPool.fromName('pool') })],
  ])('are a finding for two %s', (_, make) => {
    const chart = testChart();
    make(chart, first);
    make(chart, second);
    expect(findings(chart)).toEqual([message(second, first)]);
  });

  test('are a finding for a Sandbox and a claim, which may get a Sandbox of its name', () => {
    const chart = testChart();
    new SandboxClaim(chart, first, { pool: SandboxWarmPool.fromName('pool') });
    new Sandbox(chart, second, { ...POD, network: SandboxNetwork.unmanaged() });
    expect(findings(chart)).toEqual([message(second, first)]);
  });

  test('are none in different namespaces, or of different kinds', () => {
    const chart = testChart();
    new SandboxTemplate(chart, 'a', { ...POD, name: first, namespace: 'one' });
    new SandboxTemplate(chart, 'b', { ...POD, name: second, namespace: 'two' });
    new SandboxWarmPool(chart, 'c', { template: PYTHON, name: second, namespace: 'one' });
    expect(synth(chart)).toHaveLength(3);
  });
});

test('a claim and a Sandbox of one name are a finding, as a new Sandbox for the claim would have it too', () => {
  const chart = testChart();
  new Sandbox(chart, 'alice', { ...POD, network: SandboxNetwork.unmanaged() });
  new SandboxClaim(chart, 'claim', { name: 'alice', pool: SandboxWarmPool.fromName('pool') });
  expect(findings(chart)).toEqual([
    "test/claim/Resource: name is 'alice': a Sandbox made for a claim has the name of the claim, and test/alice/Resource is a Sandbox of this name: rename one",
  ]);
});

describe('a NetworkPolicy with the name that the controller uses for a template', () => {
  const policy = (chart: Chart, namespace?: string) =>
    new ApiObject(chart, 'policy', { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'python-network-policy', namespace } });

  test('is a finding', () => {
    const chart = testChart();
    policy(chart);
    new SandboxTemplate(chart, 'python', POD);
    expect(findings(chart)).toEqual([
      "test/policy: name is 'python-network-policy': the controller keeps a NetworkPolicy of this name for the SandboxTemplate test/python/Resource: rename one",
    ]);
  });

  test('is none in another namespace', () => {
    const chart = testChart({ namespace: 'agents' });
    policy(chart, 'other');
    new SandboxTemplate(chart, 'python', POD);
    expect(synth(chart)).toHaveLength(2);
  });

  test('can be the policy of a Sandbox', () => {
    const chart = testChart();
    new Sandbox(chart, 'python-network-policy', POD);
    new SandboxTemplate(chart, 'sandbox-python', POD);
    expect(findings(chart)).toEqual([
      "test/python-network-policy/NetworkPolicy: name is 'sandbox-python-network-policy': the controller keeps a NetworkPolicy of this name for the SandboxTemplate test/sandbox-python/Resource: rename one",
    ]);
  });
});

test('all findings of an app are reported at once, and each once', () => {
  const app = testApp();
  const charts = ['one', 'two'].map(id => new Chart(app, id, { namespace: 'agents' }));
  for (const chart of charts) {
    new SandboxTemplate(chart, 'python', POD);
    new SandboxWarmPool(chart, 'pool', { template: PYTHON });
  }
  new ApiObject(charts[1], 'policy', { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'python-network-policy' } });
  expect(findings(charts[0]).map(line => line.slice(0, line.indexOf(':')))).toEqual([
    'two/python/Resource', 'two/pool/Resource', 'two/policy', 'two/policy',
  ]);
});

describe('work for apps of many charts', () => {
  /** How often a synthesis reads the children of one construct, in an app of this number of charts. */
  function reads(charts: number, withSandbox: boolean): number {
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'findings-')) });
    for (let index = 0; index < charts; index++) {
      new ApiObject(new Chart(app, `chart-${index}`), 'object', { apiVersion: 'v1', kind: 'ConfigMap' });
    }
    if (withSandbox) {
      new Sandbox(app.node.children[0] as Chart, 'box', POD);
    }
    const probe = new Construct(app.node.children[0] as Chart, 'probe');
    let count = 0;
    Object.defineProperty(probe.node, 'children', { get: () => { count++; return []; } });
    app.synth();
    rmSync(app.outdir, { recursive: true });
    return count;
  }

  test('the library walks through an app a fixed number of times, whatever the number of its charts', () => {
    const own = (charts: number) => reads(charts, true) - reads(charts, false);
    // A walk that finds no state yet, one for the state, one for the objects to check. The Sandbox itself costs cdk8s walks within its chart.
    expect(own(2)).toBeLessThan(10);
    expect(own(40)).toBe(own(2));
  });

  test('a dependency between charts would make cdk8s number files and walk for each of them, so there is none', () => {
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'findings-')) });
    const template = new SandboxTemplate(new Chart(app, 'templates', { namespace: 'agents' }), 'python', POD);
    const pool = new SandboxWarmPool(new Chart(app, 'pools', { namespace: 'agents' }), 'pool', { template });
    new SandboxClaim(new Chart(app, 'claims', { namespace: 'agents' }), 'claim', { pool });
    app.synth();
    expect(readdirSync(app.outdir).sort()).toEqual(['claims.k8s.yaml', 'pools.k8s.yaml', 'templates.k8s.yaml']);
    rmSync(app.outdir, { recursive: true });
  });

  test('what changes between two syntheses is checked again', () => {
    const app = new App({ outdir: mkdtempSync(join(tmpdir(), 'findings-')) });
    const chart = new Chart(app, 'chart', { namespace: 'agents' });
    new Sandbox(chart, 'box', POD);
    app.synth();
    chart.toJson();
    new ApiObject(chart, 'again', { apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'box' } });
    expect(() => chart.toJson()).toThrow(/is a Sandbox of this name/);
    expect(() => app.synth()).toThrow(/is a Sandbox of this name/);
    rmSync(app.outdir, { recursive: true });
  });
});
