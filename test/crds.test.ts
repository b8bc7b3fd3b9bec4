import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ApiObject, JsonPatch } from 'cdk8s';
import { parse } from 'yaml';
import { AgentSandboxCrds } from '../src/kinds/crds';
import { synth, testChart } from './helpers';

const FOLDER = join(__dirname, '..', 'chart', 'files', 'crds');

test('the definitions are those of the chart', () => {
  const files = readdirSync(FOLDER).map(file => parse(readFileSync(join(FOLDER, file), 'utf8')));
  const chart = testChart();
  new AgentSandboxCrds(chart, 'crds');
  const byName = (objects: any[]) => Object.fromEntries(objects.map(object => [object.metadata.name, object]));
  expect(Object.keys(byName(files)).sort()).toEqual([
    'sandboxclaims.extensions.agents.x-k8s.io',
    'sandboxes.agents.x-k8s.io',
    'sandboxtemplates.extensions.agents.x-k8s.io',
    'sandboxwarmpools.extensions.agents.x-k8s.io',
  ]);
  expect(byName(synth(chart))).toStrictEqual(byName(files));
});

test('they have no namespace in a chart that has one', () => {
  const chart = testChart({ namespace: 'agents' });
  new AgentSandboxCrds(chart, 'crds');
  expect(synth(chart).map(object => object.metadata.namespace)).toEqual([undefined, undefined, undefined, undefined]);
});

test('labels and annotations go to each of them', () => {
  const chart = testChart({ labels: { team: 'platform' } });
  new AgentSandboxCrds(chart, 'crds', { labels: { tier: 'api' }, annotations: { 'helm.sh/resource-policy': 'keep' } });
  for (const { metadata } of synth(chart)) {
    expect(metadata.labels).toEqual({ team: 'platform', tier: 'api' });
    expect(metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' });
  }
});

test('one of them can be patched by its kind, and others made later are not affected', () => {
  const crds = (id: string) => new AgentSandboxCrds(testChart(), id);
  const object = (construct: AgentSandboxCrds) => ApiObject.of(construct.node.findChild('SandboxWarmPool'));
  const patched = object(crds('patched'));
  patched.addJsonPatch(JsonPatch.add('/spec/names/categories', ['all']), JsonPatch.replace('/spec/versions/1/served', false));
  expect(patched.toJson().spec).toMatchObject({ names: { kind: 'SandboxWarmPool', categories: ['all'] }, versions: [{ served: true }, { served: false }] });
  const fresh = object(crds('fresh')).toJson();
  expect(fresh.spec.names.categories).toBeUndefined();
  expect(fresh.spec.versions[1].served).toBe(true);
});

test('fails early with labels and annotations that Kubernetes refuses', () => {
  expect(() => new AgentSandboxCrds(testChart(), 'crds', { labels: { tier: 'a b' }, annotations: { 'a/b/c': '' } })).toThrow(new Error([
    '2 problems:',
    "  test/crds: labels['tier'] is 'a b': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit",
    "  test/crds: annotations key is 'a/b/c': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'",
  ].join('\n')));
});
