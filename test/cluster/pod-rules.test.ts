import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { validatePod } from '../../src/pod';
import { refusal } from './support/bench';
import { randomPods } from './support/random-pods';

jest.setTimeout(120_000);

/** Requests at the same time. */
const AT_ONCE = 16;
const SEED = 20_271_129;

/** Where we and the server differ, and why that is right. */
const EXPLAINED: ReadonlyArray<readonly [title: RegExp, why: string]> = [
  [/^spec\.containers\.0\.env(From)? = .*"(1A|A B|\.|\.\.a)"/, 'the oldest Kubernetes that we support refuses names of variables that shells cannot have'],
  [/^volume = \{\}$/, 'the server makes an emptyDir of a volume without a source, whatever was meant'],
  [/"operator":"(Gt|Lt)","values":\["a"\]/, 'the scheduler compares whole numbers, and no node would fit'],
  [/^spec\.topologySpreadConstraints = .*"topologyKey":"(a\/b\/c|-a|\/a|Example\.com\/a|example\.com\/|x{64})"/, 'no node can have a label of this name'],
  [/^spec\.(hostAliases|dnsConfig) = .*"010\.0\.0\.1"/, 'some programs read leading zeros as octal numbers'],
];

describeWithControlPlane('our rules for Pods', testbed => {
  test('have the verdict of the API server', async () => {
    const pods = randomPods(SEED, 150);
    expect(pods.length).toBeGreaterThan(500);
    const verdicts: { readonly title: string; readonly ours: string[]; readonly server: string[] }[] = [];
    const queue = pods.values();
    const work = async () => {
      for (const { title, pod } of queue) {
        const ours: string[] = [];
        validatePod('', pod, (path, value, remedy) => ours.push(`${path} is ${JSON.stringify(value)}: ${remedy}`), []);
        const request = testbed.cluster.admin.create({ ...pod, metadata: { ...pod.metadata, namespace: testbed.namespace } }, { dryRun: 'All' });
        const server = await refusal(request).catch((error: Error) => (error.message.startsWith('the server accepted it') ? [] : Promise.reject(error)));
        verdicts.push({ title, ours, server });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const differ = verdicts.filter(({ ours, server }) => (ours.length > 0) !== (server.length > 0));
    expect(differ.filter(({ title }) => !EXPLAINED.some(([pattern]) => pattern.test(title)))).toEqual([]);
    // Each explanation is still needed.
    expect(EXPLAINED.filter(([pattern]) => !differ.some(({ title }) => pattern.test(title))).map(([, why]) => why)).toEqual([]);
    // The test would hold if the server refused, or accepted, everything.
    expect(verdicts.filter(({ server }) => server.length > 0).length).toBeGreaterThan(200);
    expect(verdicts.filter(({ server }) => server.length === 0).length).toBeGreaterThan(200);
  });
});
