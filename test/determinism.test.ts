import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, Chart, Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import * as fc from 'fast-check';
import { readManifests, synthesize, EXAMPLES } from '../scripts/example-apps';
import {
  ClaimOverrides, Isolation, Lifetime, NetworkPeer, NetworkPort, Probe, Sandbox, SandboxClaim, type SandboxMount, SandboxNetwork, SandboxTemplate,
  SandboxVolume, SandboxWarmPool, l1,
} from '../src';
import { CONTAINER } from './helpers';

/** Puts the entries of a map, or the items of a list whose order has no meaning, in some order. */
interface Order {
  map<T>(map: { [key: string]: T }): { [key: string]: T };
  list<T>(items: T[]): T[];
}

const AS_WRITTEN: Order = { map: map => map, list: items => items };

/** Orders that follow from a list of numbers: each choice takes the next one. */
function orderOf(choices: readonly number[]): Order {
  let next = 0;
  const list = <T>(items: T[]): T[] => {
    const left = [...items];
    return items.map(() => left.splice(choices[next++ % choices.length] % left.length, 1)[0]);
  };
  return { list, map: <T>(map: { [key: string]: T }) => Object.fromEntries(list<[string, T]>(Object.entries(map))) };
}

const text = (value: string) => kplus.EnvValue.fromValue(value);
const LABELS = { zone: 'a', app: 'x', 'example.com/team': 'research', B: '1', a: '2' };

/** An app with a map or an order without meaning in every place that the constructs have one. */
function build(order: Order, outdir?: string): App {
  const app = new App({ outdir: outdir ?? '/nonexistent' });
  const chart = new Chart(app, 'team', { namespace: 'agents', labels: order.map({ tier: 'dev', owner: 'research' }) });
  const secret = kplus.Secret.fromSecretName(chart, 'secret', 'credentials');
  const volume = (name: string) => SandboxVolume.persistent(name, { size: '1Gi', labels: order.map(LABELS), annotations: order.map(LABELS) });
  const mounts: { [name: string]: SandboxMount } = { '/z': { path: '/z', volume: volume('z') }, '/a': { path: '/a', volume: volume('a') } };
  const pod = {
    isolation: Isolation.gvisor({ nodeSelector: order.map({ runtime: 'gvisor', disk: 'ssd' }) }),
    nodeSelector: order.map({ gpu: 'none', arch: 'arm64' }),
    podLabels: order.map(LABELS),
    podAnnotations: order.map(LABELS),
    overhead: order.map({ memory: l1.Quantity.fromString('1Mi'), cpu: l1.Quantity.fromString('1m') }),
    containers: [{
      ...CONTAINER,
      env: order.map({ PATH: text('/bin'), HOME: text('/work'), ZONE: text('$(HOME)/z'), a: kplus.EnvValue.fromSecretValue({ secret, key: 'a' }) }),
      resources: { limits: order.map({ 'nvidia.com/gpu': l1.Quantity.fromNumber(1), 'example.com/tpu': l1.Quantity.fromNumber(2) }) },
      readiness: Probe.httpGet('/', { port: 80, headers: order.map({ 'X-B': '1', 'X-A': '2', Accept: '*' }) }),
      // The order of mounts is emitted; that of the volumes behind them has to come out the same.
      mounts: [mounts['/a'], mounts['/z'], {
        path: '/keys', volume: SandboxVolume.secret('keys', secret, { items: order.map({ 'tls.crt': 'crt', 'tls.key': 'key', ca: 'ca' }) }),
      }],
    }, {
      ...CONTAINER, name: 'other', mounts: [mounts['/z']],
    }],
  };
  const peer = NetworkPeer.pods(order.map({ app: 'db', tier: 'back', a: 'b' }), { namespaceLabels: order.map({ team: 'data', env: 'prod' }) });
  const network = SandboxNetwork.publicInternet({ router: { podLabels: order.map({ app: 'router', zone: 'edge' }) } }).allowEgressTo(peer, [NetworkPort.tcp(5432)]);
  const python = new SandboxTemplate(chart, 'python', {
    ...pod, network, restartPolicy: kplus.RestartPolicy.ON_FAILURE, labels: order.map(LABELS), annotations: order.map(LABELS),
    claimEnv: ClaimOverrides.OVERRIDES, claimVolumes: ClaimOverrides.OVERRIDES,
  });
  const shared = new SandboxTemplate(chart, 'shared', { containers: [CONTAINER], isolation: Isolation.none(), claimableFrom: order.list(['support', 'research', 'ops']) });
  const pool = new SandboxWarmPool(chart, 'pool', { template: python, replicas: 2, labels: order.map(LABELS) });
  new SandboxClaim(chart, 'claim', {
    pool, lifetime: Lifetime.afterFinished(Duration.hours(1)),
    env: order.map({ B: '1', A: '2' }),
    containerEnv: order.map({ sandbox: order.map({ D: '3', C: '4' }), other: order.map({ F: '5', E: '6' }) }),
    podLabels: order.map({ 'sandbox.users.io/b': '1', 'sandbox.users.io/a': '2' }),
    podAnnotations: order.map({ b: '1', c: '2' }),
  });
  new SandboxClaim(chart, 'second', { template: shared });
  new Sandbox(chart, 'box', { ...pod, network });
  const source = new kplus.Pod(chart, 'pod', { containers: [{ image: 'a:1', envVariables: order.map({ B: text('1') }) }], metadata: { labels: order.map(LABELS) } });
  SandboxTemplate.fromPod(chart, 'from-pod', source, { isolation: Isolation.gvisor() });
  return app;
}

const written = build(AS_WRITTEN).synthYaml();

test('the app of this test has something to say', () => {
  expect(written.split('---\n').length).toBeGreaterThan(8);
});

test('the order in which maps are written does not show', () => {
  fc.assert(fc.property(fc.array(fc.nat(100), { minLength: 1, maxLength: 40 }), choices => {
    expect(build(orderOf(choices)).synthYaml()).toBe(written);
  }), { numRuns: 60 });
});

test('the orders of this test are different ones', () => {
  expect(Object.keys(orderOf([1]).map(LABELS))).not.toEqual(Object.keys(LABELS));
});

test('synthesizing twice gives the same bytes, as does building again', () => {
  const app = build(AS_WRITTEN);
  expect([app.synthYaml(), app.synthYaml(), build(AS_WRITTEN).synthYaml()]).toEqual([written, written, written]);
});

describe('on disk', () => {
  const folders: string[] = [];
  const folder = () => {
    folders.push(mkdtempSync(join(tmpdir(), 'determinism-')));
    return folders.at(-1)!;
  };
  afterAll(() => folders.forEach(each => rmSync(each, { recursive: true })));

  test('the working directory does not show', () => {
    const before = process.cwd();
    const outputs = [folder(), folder()].map(outdir => {
      process.chdir(folder());
      try {
        build(AS_WRITTEN, outdir).synth();
      } finally {
        process.chdir(before);
      }
      return Object.fromEntries(readdirSync(outdir).map(file => [file, readFileSync(join(outdir, file), 'utf8')]));
    });
    expect(outputs[0]).toEqual({ 'team.k8s.yaml': written });
    expect(outputs[1]).toEqual(outputs[0]);
  });

  test('neither the process, nor its time zone or language show', () => {
    const before = { ...process.env };
    const outputs = [{ TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8' }, { TZ: 'America/Los_Angeles', LC_ALL: 'C' }].map(environment => {
      const outdir = folder();
      Object.assign(process.env, environment);
      try {
        synthesize(join(EXAMPLES, 'quickstart'), outdir);
      } finally {
        process.env = { ...before };
      }
      return Object.fromEntries(readManifests(outdir));
    });
    expect(Object.keys(outputs[0])).toHaveLength(1);
    expect(outputs[1]).toEqual(outputs[0]);
  });
});
