import { type Json, type KindName, VERSION_NAMES, type VersionName, without } from '../../api/test/crd-files';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Bench, condition, leastSpec, refusal } from './support/bench';

jest.setTimeout(60_000);

const rule = (message: string, value = '"object"') => [`spec: Invalid value: ${value}: ${message}`];
const EXACTLY_ONE = 'exactly one of spec.warmPoolRef and spec.sandboxTemplateRef must be set';
const WARMPOOL = 'spec.warmpool goes with spec.sandboxTemplateRef only: name a pool with spec.warmPoolRef.name';
const IMMUTABLE = 'volumeClaimTemplates is immutable';
const SET_REPLICAS = 'spec.replicas is 0: set it to 1 in the same request';
const SET_MODE = 'spec.operatingMode is Suspended: set it to Running in the same request';
const DROPS_MODE = 'spec.operatingMode is Suspended and this update would drop it: send it along, or set it to Running to resume';

describeWithControlPlane('rules of claims', testbed => {
  const bench = new Bench(testbed);
  const pool = { warmPoolRef: { name: 'pool' } };
  const template = { sandboxTemplateRef: { name: 'template' } };

  describe.each(VERSION_NAMES)('in %s', version => {
    test.each<[string, Json]>([
      ['a pool', pool],
      ['a template', template],
      ['a template of another namespace', { sandboxTemplateRef: { name: 'template', namespace: 'platform' } }],
      ['a template and any pool of it', { ...template, warmpool: 'default' }],
      ['a template and no pool', { ...template, warmpool: 'none' }],
      ['a template and a pool of it', { ...template, warmpool: 'pool' }],
      ['a template and the empty name of a pool', { ...template, warmpool: '' }],
    ])('take %s', async (_title, spec) => {
      expect(await bench.trySpec('SandboxClaim', version, spec)).toEqual(spec);
    });

    test.each<[string, Json, readonly string[]]>([
      ['nothing', {}, rule(EXACTLY_ONE)],
      ['both', { ...pool, ...template }, rule(EXACTLY_ONE)],
      ['a pool in two ways', { ...pool, warmpool: 'pool' }, rule(WARMPOOL)],
      ['the name of a pool alone', { warmpool: 'pool' }, [...rule(EXACTLY_ONE), ...rule(WARMPOOL)]],
      ['a pool without a name', { warmPoolRef: {} }, ['spec.warmPoolRef.name: Required value']],
      ['a pool with an empty name', { warmPoolRef: { name: '' } }, ['spec.warmPoolRef.name: Invalid value: "": spec.warmPoolRef.name in body should be at least 1 chars long']],
      ['a template without a name', { sandboxTemplateRef: {} }, ['spec.sandboxTemplateRef.name: Required value']],
    ])('refuse %s', async (_title, spec, reasons) => {
      expect((await refusal(bench.trySpec('SandboxClaim', version, spec))).sort()).toEqual([...reasons].sort());
    });

    test('let a claim change from a pool to a template in one request, not in two', async () => {
      const created = await bench.create('SandboxClaim', version, pool);
      expect(await refusal(bench.merge(created, { spec: template }, version))).toEqual(rule(EXACTLY_ONE));
      expect(await refusal(bench.merge(created, { spec: { warmPoolRef: null } }, version))).toEqual(rule(EXACTLY_ONE));
      expect((await bench.merge(created, { spec: { warmPoolRef: null, ...template } }, version)).spec).toEqual(template);
    });
  });
});

describeWithControlPlane('volume claim templates', testbed => {
  const bench = new Bench(testbed);
  const data = (size: string) => ({ metadata: { name: 'data' }, spec: { resources: { requests: { storage: size } } } });
  const VALUES: Readonly<Record<string, Json[] | undefined>> = {
    'absent': undefined, 'an empty list': [], 'one': [data('1Gi')], 'another size': [data('2Gi')], 'two': [data('1Gi'), { spec: {} }], 'two in another order': [{ spec: {} }, data('1Gi')],
  };
  const withTemplates = (spec: Json, templates: Json[] | undefined): Json => {
    const rest = without(spec, 'volumeClaimTemplates');
    return templates ? { ...rest, volumeClaimTemplates: templates } : rest;
  };

  describe.each(VERSION_NAMES)('of a Sandbox in %s', version => {
    test.each(Object.keys(VALUES))('that are %s never change', async from => {
      const created = await bench.create('Sandbox', version, withTemplates(leastSpec('Sandbox'), VALUES[from]));
      for (const [to, templates] of Object.entries(VALUES)) {
        const update = { ...created, spec: withTemplates({ ...created.spec, service: true }, templates) };
        const request = bench.request('PUT', created, { body: update, query: { dryRun: 'All' } });
        expect([to, to === from ? (await request).code : await refusal(request)]).toEqual([to, to === from ? 200 : rule(IMMUTABLE)]);
      }
    });
  });

  test('of a template and of a claim may change', async () => {
    for (const kind of ['SandboxTemplate', 'SandboxClaim'] as const) {
      const created = await bench.create(kind);
      expect((await bench.merge(created, { spec: { volumeClaimTemplates: [data('1Gi')] } })).spec.volumeClaimTemplates).toEqual([data('1Gi')]);
      expect((await bench.merge(created, { spec: { volumeClaimTemplates: null } })).spec).not.toHaveProperty('volumeClaimTemplates');
    }
  });
});

/** A power state, as it is stored. */
interface Power { readonly operatingMode: 'Running' | 'Suspended'; readonly replicas: 0 | 1 }
/** A power state, as a client sends it. */
type PowerUpdate = Partial<Power>;

const STORED: readonly Power[] = (['Running', 'Suspended'] as const).flatMap(operatingMode => ([0, 1] as const).map(replicas => ({ operatingMode, replicas })));
const UPDATES: readonly PowerUpdate[] = [undefined, 'Running', 'Suspended'].flatMap(operatingMode => [undefined, 0, 1].map(replicas =>
  JSON.parse(JSON.stringify({ operatingMode, replicas }))));

/** Why a full update is refused; written from the point of view of the clients, not from the rules. */
function expected(version: VersionName, from: Power, update: PowerUpdate): string[] {
  const replicas = update.replicas ?? 1;
  const mode = update.operatingMode ?? (version === 'v1beta1' ? 'Running' : undefined);
  const resumesByMode = from.operatingMode === 'Suspended' && mode !== 'Suspended';
  const resumesByReplicas = from.replicas === 0 && replicas === 1;
  return [
    ...(resumesByMode && replicas === 0 ? rule(SET_REPLICAS) : []),
    ...(resumesByReplicas && from.operatingMode === 'Suspended' && mode === 'Suspended' ? rule(SET_MODE) : []),
    ...(from.operatingMode === 'Suspended' && mode === undefined ? rule(DROPS_MODE) : []),
  ].sort();
}

describeWithControlPlane('suspension of a Sandbox', testbed => {
  const bench = new Bench(testbed);
  const sandbox = (power: Power) => bench.create('Sandbox', 'v1beta1', { ...leastSpec('Sandbox'), ...power });

  describe.each(VERSION_NAMES)('by full updates of %s', version => {
    test.each(STORED)('from $operatingMode with $replicas replicas', async from => {
      const read = await bench.get(await sandbox(from), version);
      const spec = without(read.spec, 'operatingMode', 'replicas');
      for (const update of UPDATES) {
        const request = bench.request('PUT', read, { body: { ...read, spec: { ...spec, ...update } }, query: { dryRun: 'All' } });
        const outcome = expected(version, from, update).length > 0 ? (await refusal(request)).sort() : (await request).code;
        const reasons = expected(version, from, update);
        expect([update, outcome]).toEqual([update, reasons.length > 0 ? reasons : 200]);
      }
    });
  });

  test.each(VERSION_NAMES)('in one step and back by merge patches of %s', async version => {
    const created = await sandbox({ operatingMode: 'Running', replicas: 1 });
    const patch = async (spec: Json) => (await bench.merge(created, { spec }, version)).spec;
    expect(await patch({ operatingMode: 'Suspended', replicas: 0 })).toMatchObject({ operatingMode: 'Suspended', replicas: 0 });
    expect(await refusal(patch({ operatingMode: 'Running' }))).toEqual(rule(SET_REPLICAS));
    expect(await refusal(patch({ replicas: 1 }))).toEqual(rule(SET_MODE));
    expect(await refusal(patch({ operatingMode: null, replicas: 0 }))).toContain(rule(SET_REPLICAS)[0]);
    expect(await patch({ operatingMode: 'Running', replicas: 1 })).toMatchObject({ operatingMode: 'Running', replicas: 1 });
  });

  test('by the scale subresource follows the same rule', async () => {
    const created = await sandbox({ operatingMode: 'Suspended', replicas: 0 });
    const scale = (replicas: number) => bench.merge(created, { spec: { replicas } }, 'v1alpha1', 'scale');
    expect(await refusal(scale(1))).toEqual(rule(SET_MODE));
    await scale(0);
    expect((await bench.get(created)).spec).toMatchObject({ operatingMode: 'Suspended', replicas: 0 });
  });

  test('by the scale subresource alone is undone by it alone', async () => {
    const created = await sandbox({ operatingMode: 'Running', replicas: 1 });
    for (const replicas of [0, 1]) {
      await bench.merge(created, { spec: { replicas } }, 'v1alpha1', 'scale');
      expect((await bench.get(created)).spec).toMatchObject({ operatingMode: 'Running', replicas });
    }
  });

  test('by replicas is undone, unseen, by a client of v1beta1 that does not know replicas', async () => {
    const created = await sandbox({ operatingMode: 'Running', replicas: 0 });
    expect((await bench.replace({ ...created, spec: without(created.spec, 'replicas') })).spec).toMatchObject({ operatingMode: 'Running', replicas: 1 });
  });

  test('by both is not undone by a client of v1beta1 that does not know replicas: its full updates are refused', async () => {
    const created = await sandbox({ operatingMode: 'Suspended', replicas: 0 });
    expect(await refusal(bench.replace({ ...created, spec: without(created.spec, 'replicas') }))).toEqual(rule(SET_MODE));
  });

  test('does not stand in the way of other changes', async () => {
    for (const power of STORED) {
      const created = await sandbox(power);
      for (const version of VERSION_NAMES) {
        const read = await bench.get(created, version);
        await bench.replace({ ...read, spec: { ...read.spec, service: !read.spec.service } });
        expect((await bench.get(created)).spec).toMatchObject(power);
      }
    }
  });

  test('can be how a Sandbox begins, in every combination', async () => {
    for (const power of STORED) {
      for (const version of VERSION_NAMES) {
        expect(await bench.trySpec('Sandbox', version, { ...leastSpec('Sandbox'), ...power })).toMatchObject(power);
      }
    }
  });
});

describeWithControlPlane('writes of the status', testbed => {
  const bench = new Bench(testbed);
  const status = { conditions: [condition('Ready', 'True', 'Good')] };

  test.each<[KindName, Json, Json]>([
    ['Sandbox', { ...leastSpec('Sandbox'), operatingMode: 'Suspended', replicas: 0, volumeClaimTemplates: [] }, { ...leastSpec('Sandbox'), operatingMode: 'Running', replicas: 0 }],
    ['SandboxClaim', { warmPoolRef: { name: 'pool' } }, {}],
  ])('of a %s are accepted whatever spec they carry, in both versions', async (kind, stored, sent) => {
    const created = await bench.create(kind, 'v1beta1', stored);
    for (const version of VERSION_NAMES) {
      const read = await bench.get(created, version);
      const written = await bench.replace({ ...read, spec: sent, status }, 'status');
      expect([written.spec, written.status]).toEqual([read.spec, status]);
    }
  });
});
