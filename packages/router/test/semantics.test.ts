import { definedOnly } from 'agent-sandbox-api';
import { Cluster, staticCredentials } from 'agent-sandbox-kube';
import { FORBIDDEN_ADDRESSES, POD_ADDRESSES, POD_NAME_CASES, PUBLIC_ADDRESSES, RUNNING_CASES } from '../../api/test/semantics-cases.js';
import { canonicalAddress, isReachable } from '../src/addresses.js';
import { PortSet } from '../src/flags.js';
import { Targets } from '../src/targets.js';
import { FakeCluster, SANDBOXES } from './support.js';

let fake: FakeCluster;
let connection: Cluster;
let stop: AbortController;

beforeEach(async () => {
  fake = await FakeCluster.start();
  connection = new Cluster({ credentials: staticCredentials({ server: fake.api.url }), userAgent: 'test/1.0' });
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await connection.close();
  await fake.api.stop();
});

/** Where requests for the Sandbox `box` go. */
async function find(annotations: object, spec: object, pod: string): Promise<unknown> {
  const { metadata } = fake.api.put(SANDBOXES, {
    metadata: { name: 'box', namespace: 'default', annotations }, spec: { podTemplate: { spec: { containers: [] } }, ...spec },
  });
  fake.pod(pod, { ip: '10.0.0.5', ownerUid: metadata.uid });
  const targets = new Targets({ cluster: connection, namespaces: [], additionalPorts: PortSet.of([]), allowLoopback: false, metrics: {} });
  const running = targets.run(stop.signal);
  await targets.waitForSync(stop.signal, 20_000);
  const found = targets.find({ namespace: 'default', id: 'box', port: 8888 });
  stop.abort();
  await running;
  return found;
}

test.each(RUNNING_CASES)('the spec %j has a target: %s', async (spec, isRunning) => {
  const found = await find({}, spec, 'box');
  expect(found).toEqual(isRunning ? expect.objectContaining({ address: '10.0.0.5' }) : 'suspended');
});

test.each(POD_NAME_CASES)('with the annotation %j the target is the Pod %s', async (value, pod) => {
  expect(await find(definedOnly({ 'agents.x-k8s.io/pod-name': value }), {}, pod)).toMatchObject({ address: '10.0.0.5' });
});

test.each(FORBIDDEN_ADDRESSES)('no request goes to %s', address => {
  expect(isReachable(canonicalAddress(address)!, false)).toBe(false);
});

test.each([...POD_ADDRESSES, ...PUBLIC_ADDRESSES])('a Pod can be at %s', address => {
  expect(isReachable(canonicalAddress(address)!, false)).toBe(true);
});
