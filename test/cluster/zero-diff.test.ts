import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES, exampleApps, readManifests } from '../../scripts/example-apps';
import { Isolation, Sandbox, SandboxTemplate } from '../../src';
import { nameHash } from '../../src/generated/vocabulary.gen';
import { ControlPlane, FOREIGN_CRDS_DIR, type KubeObject, PROJECT_CRDS_DIR } from '../../testbed/src/index.js';
import { describeWithPrograms } from '../../testbed/src/jest/index.js';
import { differences, withoutIndexes, withoutServerMetadata } from './support/differences';
import { FEATURES, ISOLATIONS, manifestsOf } from './support/features';
import { NETWORKS } from './support/networks';
import { DENYING_LISTS, SERVER_DEFAULTS, explain } from './support/server-defaults';

jest.setTimeout(120_000);

const CONTAINERS = [{ image: 'registry.example/app:1', port: 8888, ports: [{ port: 8443, name: 'https' }] }];

/** The committed manifests of an example. */
function exampleObjects(name: string): KubeObject[] {
  return [...readManifests(join(EXAMPLES, name, 'manifests')).values()].flatMap(text => parseAllDocuments(text).map(document => document.toJS()));
}

const networkTemplates = Object.entries(NETWORKS).map(([name, network]): [string, KubeObject] =>
  [name, manifestsOf(chart => new SandboxTemplate(chart, name, { containers: CONTAINERS, isolation: Isolation.none(), network }), 'networks')[0]]);

/** What the controller does for a template that leaves it to the controller. */
const CONTROLLER_DEFAULT = {
  ingress: [{
    from: [{ podSelector: { matchLabels: { app: 'sandbox-router' } }, namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'agent-sandbox-system' } } }],
  }],
  egress: [{
    to: [
      { ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'] } },
      { ipBlock: { cidr: '::/0', except: ['fc00::/7', 'fe80::/10'] } },
    ],
  }],
};

/** The NetworkPolicy that the controller makes of a template. */
function derivedPolicy({ metadata, spec }: KubeObject): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `${metadata.name}-network-policy`, namespace: metadata.namespace },
    spec: {
      podSelector: { matchLabels: { 'agents.x-k8s.io/sandbox-template-ref-hash': nameHash(metadata.name!) } }, policyTypes: ['Ingress', 'Egress'],
      ...spec.networkPolicy ?? CONTROLLER_DEFAULT,
    },
  };
}

/** All objects, by what they show. */
const GROUPS: readonly (readonly [title: string, objects: readonly KubeObject[]])[] = [
  ...exampleApps().map(name => [`example ${name}`, exampleObjects(name)] as const),
  ...Object.entries(FEATURES).map(([title, build], index) => [title, manifestsOf(build, `feature-${index}`)] as const),
  ['templates of every network', networkTemplates.map(([, template]) => template)],
  ['Sandboxes of every network', Object.entries(NETWORKS).filter(([name]) => name !== 'controller-default').flatMap(([name, network]) =>
    manifestsOf(chart => new Sandbox(chart, name, { containers: CONTAINERS, isolation: Isolation.none(), network }), 'networks'))],
  ['every isolation', Object.entries(ISOLATIONS).flatMap(([name, isolation]) =>
    manifestsOf(chart => new SandboxTemplate(chart, name, { containers: CONTAINERS, isolation }), 'isolations'))],
];

/** It would refuse Sandboxes of the others; `admission-policy.test.ts` applies it. */
const NOT_APPLIED = 'example admission-policy';

/** kubectl sends the selector of a budget with every patch, as its merge strategy is to replace it. */
const ALWAYS_CONFIGURED = /^poddisruptionbudget\.policy\/\S+ configured$/;

describeWithPrograms('what the API server makes of synthesized objects', () => {
  // Nothing but the API server, so that no other client changes objects.
  let cluster: ControlPlane;
  const lines = new Map<KubeObject, readonly string[]>();

  beforeAll(async () => {
    cluster = await ControlPlane.start({ crds: [PROJECT_CRDS_DIR, FOREIGN_CRDS_DIR] });
    const namespaces = new Set<string>(GROUPS.flatMap(([, objects]) => objects.flatMap(({ metadata }) => metadata.namespace ?? [])));
    const dryRun = async (object: KubeObject) => {
      const outcome = await cluster.admin.create(object, { dryRun: 'All' }).then(withoutServerMetadata, error => error.message as string);
      lines.set(object, typeof outcome === 'string' ? [`refused: ${outcome}`] : differences(object, outcome));
    };
    const all = GROUPS.flatMap(([, objects]) => objects);
    await Promise.all(all.filter(({ kind }) => kind === 'Namespace').map(dryRun));
    await Promise.all([...namespaces].map(name => cluster.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })));
    for (const object of all.filter(({ kind }) => kind !== 'Namespace')) {
      await dryRun(object);
    }
  });
  afterAll(() => cluster?.stop());

  test.each(GROUPS)('%s: accepted, and nothing differs but the defaults that are listed', (_title, objects) => {
    const findings = objects.flatMap(object => explain(object.kind, lines.get(object)!).unexplained.map(line => `${object.kind} ${object.metadata.name}: ${line}`));
    expect(objects.length).toBeGreaterThan(0);
    expect(findings).toEqual([]);
  });

  test('every default that is listed is one that the server sets', () => {
    const used = new Set([...lines].flatMap(([{ kind }, ofObject]) => explain(kind, ofObject).rows.map(row => `${kind} ${row}`)));
    expect(Object.entries(SERVER_DEFAULTS).flatMap(([kind, rows]) => rows.map(row => `${kind} ${row}`)).filter(row => !used.has(row))).toEqual([]);
  });

  const managed = networkTemplates.filter(([name]) => name !== 'unmanaged');

  test.each(managed)('the NetworkPolicy of a template with the network %s keeps its rules', async (_name, template) => {
    const policy = derivedPolicy(template);
    const returned = await cluster.admin.create(policy, { dryRun: 'All' });
    const changes = differences(policy, withoutServerMetadata(returned));
    expect(withoutIndexes(changes).filter(line => !DENYING_LISTS.includes(line))).toEqual([]);
  });

  test.each(managed.filter(([, template]) => template.spec.networkPolicy))('a Sandbox with the network %s brings the same rules', (name, template) => {
    const [policy] = manifestsOf(chart => new Sandbox(chart, 'box', { containers: CONTAINERS, isolation: Isolation.none(), network: NETWORKS[name] }), 'networks');
    expect(policy.kind).toBe('NetworkPolicy');
    const deniesAll = { ingress: [], egress: [] };
    expect({ ...deniesAll, ...policy.spec }).toEqual({ ...derivedPolicy(template).spec, podSelector: { matchLabels: { 'agents.x-k8s.io/sandbox-name-hash': nameHash('box') } } });
  });

  // One run of kubectl for all but the examples: most of its time goes into its start.
  const isExample = ([title]: readonly [title: string, ...rest: unknown[]]) => title.startsWith('example ');
  const applied = [
    ...GROUPS.filter(group => isExample(group) && group[0] !== NOT_APPLIED),
    ['every feature, network and isolation', GROUPS.filter(group => !isExample(group)).flatMap(([, objects]) => objects)] as const,
  ];

  /** The version of each object, which moves with every change. */
  const versions = (objects: readonly KubeObject[]) => Promise.all(objects.map(async object => {
    const { metadata } = await cluster.admin.get({ ...object, name: object.metadata.name!, namespace: object.metadata.namespace });
    return `${object.kind} ${metadata.name} ${metadata.resourceVersion}`;
  }));
  /** A quota whose usage is not counted would refuse every object. */
  const quotasLast = (objects: readonly KubeObject[]) => [...objects.filter(({ kind }) => kind !== 'ResourceQuota'), ...objects.filter(({ kind }) => kind === 'ResourceQuota')];
  const removeQuotas = (objects: readonly KubeObject[]) => Promise.all(objects.filter(({ kind }) => kind === 'ResourceQuota')
    .map(object => cluster.admin.delete({ ...object, name: object.metadata.name!, namespace: object.metadata.namespace })));

  describe.each(applied)('%s', (_title, objects) => {
    test('a second kubectl apply changes nothing', async () => {
      const input = quotasLast(objects).map(object => JSON.stringify(object)).join('\n---\n');
      await cluster.kubectl(['apply', '-f', '-'], { input });
      const before = await versions(objects);
      const { stdout } = await cluster.kubectl(['apply', '-f', '-'], { input });
      expect(stdout.trim().split('\n').filter(line => !line.endsWith(' unchanged') && !ALWAYS_CONFIGURED.test(line))).toEqual([]);
      expect(await versions(objects)).toEqual(before);
      await removeQuotas(objects);
    });

    test('a second server-side apply changes nothing', async () => {
      // As a manager of its own, it must not mind what others have applied.
      const apply = async () => {
        for (const object of quotasLast(objects)) {
          await cluster.admin.apply(object, { fieldManager: 'gitops' });
        }
      };
      // A Sandbox of v1alpha1 changes once more, see apply.test.ts.
      const stable = objects.filter(object => !(object.kind === 'Sandbox' && object.apiVersion.endsWith('/v1alpha1')));
      await apply();
      const before = await versions(stable);
      await apply();
      expect(await versions(stable)).toEqual(before);
      await removeQuotas(objects);
    });

    // Two examples may name an object alike.
    afterAll(() => Promise.all(objects.filter(({ kind, metadata }) => metadata.namespace !== undefined && kind !== 'ResourceQuota')
      .map(object => cluster.admin.delete({ ...object, name: object.metadata.name!, namespace: object.metadata.namespace }))));
  });

  test('kubectl diff shows nothing after kubectl apply', async () => {
    const input = manifestsOf(FEATURES['networks of templates and Sandboxes'], 'networks').map(object => JSON.stringify(object)).join('\n---\n');
    await cluster.kubectl(['apply', '-f', '-'], { input });
    expect(await cluster.kubectl(['diff', '-f', '-'], { input })).toMatchObject({ code: 0, stdout: '' });
  });
});
