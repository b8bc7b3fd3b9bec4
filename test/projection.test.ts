import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES } from '../scripts/example-apps';
import { Sandbox, SandboxClaim, SandboxNetwork, SandboxProjection, SandboxTemplate, SandboxVolume, SandboxWarmPool } from '../src';
import { main } from '../src/cli/main';
import { CONTAINER, POD, synth, testApp, testChart } from './helpers';

const SOURCE = 'agent-sandbox-check/projected-from';

describe('the projection of an app', () => {
  const app = testApp();
  const chart = testChart({ namespace: 'agents' }, app);
  const template = new SandboxTemplate(chart, 'python', { ...POD, network: SandboxNetwork.unmanaged(), containers: [{ ...CONTAINER, mounts: [{ path: '/work', volume: SandboxVolume.persistent('work', { size: '1Gi' }) }] }] });
  const pool = new SandboxWarmPool(chart, 'pool', { template, replicas: 3 });
  new SandboxClaim(chart, 'claim', { pool });
  new Sandbox(chart, 'suspended', { ...POD, suspended: true });
  const projected = SandboxProjection.of(app);

  test('has a Pod and a volume for a template and for a pool, none for claims and suspended Sandboxes, and no custom resource', () => {
    expect(projected.filter(({ kind }) => kind !== 'NetworkPolicy').map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Pod python-sandbox', 'PersistentVolumeClaim work-python-sandbox', 'Pod pool-member', 'PersistentVolumeClaim work-pool-member',
    ]);
  });

  test('has no policy for an unmanaged template, and keeps the policies of the app', () => {
    expect(projected.filter(({ kind }) => kind === 'NetworkPolicy').map(({ metadata }) => metadata.name)).toEqual(['sandbox-suspended']);
  });

  test('says of each object what it stands for and where that is', () => {
    expect(projected.filter(({ kind }) => kind === 'Pod').map(({ metadata }) => metadata.annotations[SOURCE])).toEqual([
      'SandboxTemplate agents/python (test/python/Resource)', 'SandboxWarmPool agents/pool (test/pool/Resource)',
    ]);
  });

  test('is the same of the app and of its manifests, but for the places', () => {
    const withoutPlaces = (all: any[]) => JSON.stringify(all).replace(/ \([^()]*\)"/g, '"');
    expect(withoutPlaces(SandboxProjection.ofManifests(synth(chart)))).toBe(withoutPlaces(projected));
  });
});

test('the command line writes it as YAML, and as one list in JSON', () => {
  const folder = join(EXAMPLES, 'python-runtime', 'manifests');
  const yaml = parseAllDocuments(main(['project', folder]).output).map(document => document.toJS());
  expect(yaml.length).toBeGreaterThan(3);
  expect(JSON.parse(main(['project', '--format', 'json', folder]).output)).toEqual({ apiVersion: 'v1', kind: 'List', items: yaml });
});
