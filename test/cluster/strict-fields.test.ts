import { Duration } from 'cdk8s';
import { type Json, KIND_NAMES, type KindName, VERSION_NAMES, type VersionName, schemaOf, walk, without } from '../../api/test/crd-files';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { Lifetime } from '../../src';
import { Bench, POD_TEMPLATE, apiVersion, leastSpec, refusal } from './support/bench';
import { canonical, differences } from './support/differences';
import { fullSpec } from './support/full-objects';

jest.setTimeout(60_000);

const UNKNOWN = 'unknownField';

/** A value with one more field in every object whose fields the schema names. */
function withUnknownFields(schema: Json, value: any): any {
  if (Array.isArray(value)) {
    return value.map(item => withUnknownFields(schema.items, item));
  }
  if (schema.properties) {
    const fields = Object.entries(value).map(([name, member]) => [name, withUnknownFields(schema.properties[name], member)]);
    return { ...Object.fromEntries(fields), [UNKNOWN]: { nested: [1] } };
  }
  return schema.additionalProperties
    ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withUnknownFields(schema.additionalProperties, member)]))
    : value;
}

/** Places in the spec of each kind, from the top to the bottom of the schema. */
const DEPTHS: readonly (readonly [kind: KindName, path: string, spec: Json])[] = [
  ['Sandbox', 'spec.runtimeClassName', { ...leastSpec('Sandbox'), runtimeClassName: 'gvisor' }],
  ['Sandbox', 'spec.podTemplate.runtimeClassName', { podTemplate: { ...POD_TEMPLATE, runtimeClassName: 'gvisor' } }],
  ['Sandbox', 'spec.podTemplate.metadata.name', { podTemplate: { ...POD_TEMPLATE, metadata: { name: 'x' } } }],
  ['Sandbox', 'spec.podTemplate.spec.hostIpc', inPod({ hostIpc: true })],
  ['Sandbox', 'spec.podTemplate.spec.containers[0].img', inContainer({ img: 'x' })],
  ['Sandbox', 'spec.podTemplate.spec.containers[0].securityContext.seccompProfile.localhost', inContainer({ securityContext: { seccompProfile: { type: 'Localhost', localhost: 'x' } } })],
  ['Sandbox', 'spec.podTemplate.spec.containers[0].env[0].valueFrom.secretKeyRef.namespace',
    inContainer({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k', namespace: 'n' } } }] })],
  ['Sandbox', 'spec.podTemplate.spec.affinity.nodeAffinity.required', inPod({ affinity: { nodeAffinity: { required: {} } } })],
  ['Sandbox', 'spec.volumeClaimTemplates[0].status', { ...leastSpec('Sandbox'), volumeClaimTemplates: [{ spec: {}, status: {} }] }],
  ['SandboxTemplate', 'spec.networkPolicy.policyTypes', { ...leastSpec('SandboxTemplate'), networkPolicy: { policyTypes: ['Ingress'] } }],
  ['SandboxTemplate', 'spec.networkPolicy.egress[0].to[0].ipBlock.excepts', { ...leastSpec('SandboxTemplate'), networkPolicy: { egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', excepts: [] } }] }] } }],
  ['SandboxTemplate', 'spec.shutdownPolicy', { ...leastSpec('SandboxTemplate'), shutdownPolicy: 'Retain' }],
  ['SandboxClaim', 'spec.warmPoolRef.namespace', { warmPoolRef: { name: 'pool', namespace: 'n' } }],
  ['SandboxClaim', 'spec.env[0].valueFrom', { ...leastSpec('SandboxClaim'), env: [{ name: 'A', value: '', valueFrom: {} }] }],
  ['SandboxClaim', 'spec.lifecycle.ttl', { ...leastSpec('SandboxClaim'), lifecycle: { ttl: 1 } }],
  ['SandboxWarmPool', 'spec.sandboxTemplateRef.namespace', { replicas: 1, sandboxTemplateRef: { name: 't', namespace: 'n' } }],
  ['SandboxWarmPool', 'spec.updateStrategy.maxSurge', { ...leastSpec('SandboxWarmPool'), updateStrategy: { maxSurge: 1 } }],
];

describeWithControlPlane('unknown fields', testbed => {
  const bench = new Bench(testbed);

  test.each(DEPTHS)('of a %s are refused by name: %s', async (kind, path, spec) => {
    for (const version of VERSION_NAMES) {
      expect(await refusal(bench.trySpec(kind, version, { ...leastSpec(kind, version), ...spec })))
        .toEqual([expect.stringContaining(`strict decoding error: unknown field "${path}"`)]);
    }
  });

  describe.each(KIND_NAMES)('of a %s', kind => {
    test.each(VERSION_NAMES)('are dropped at every place of the spec where a client of %s does not insist', async version => {
      const spec = fullSpec(kind, version);
      const schema = schemaOf(kind, version, 'spec');
      const sent = bench.manifest(kind, version, withUnknownFields(schema, spec));
      expect(canonical(sent.spec).split(UNKNOWN).length - 1).toBeGreaterThanOrEqual({ Sandbox: 200, SandboxTemplate: 200, SandboxClaim: 15, SandboxWarmPool: 3 }[kind]);
      const stored = await bench.client.create(sent, { fieldValidation: 'Ignore' });
      expect(canonical(stored.spec)).not.toContain(UNKNOWN);
      expect(differences(spec, stored.spec).filter(line => !line.startsWith('+'))).toEqual([]);
    });
  });

  test('of the status are dropped like those of the spec', async () => {
    const created = await bench.create('Sandbox');
    const { body } = await bench.request('PATCH', created, {
      subresource: 'status', contentType: 'application/merge-patch+json', body: { status: { phase: 'Running', replicas: 1 } },
    });
    expect(body.status).toEqual({ replicas: 1 });
    expect(await refusal(bench.merge(created, { status: { phase: 'Running' } }, 'v1beta1', 'status'))).toEqual([expect.stringContaining('unknown field "status.phase"')]);
  });

  test('are refused by kubectl before anything is stored', async () => {
    const manifest = bench.manifest('SandboxWarmPool', 'v1beta1', { sandboxTemplateRef: { name: 't' }, replica: 1 });
    const { code, stderr } = await testbed.cluster.kubectl(['apply', '-f', '-'], { input: JSON.stringify(manifest), allowFailure: true });
    expect([code, stderr]).toEqual([1, expect.stringContaining('unknown field "spec.replica"')]);
    await expect(bench.get(manifest)).rejects.toMatchObject({ code: 404 });
  });

  test('that differ from known ones by case only are unknown', async () => {
    expect(await refusal(bench.trySpec('SandboxWarmPool', 'v1beta1', { Replicas: 2, sandboxTemplateRef: { name: 't' } }))).toEqual([expect.stringContaining('unknown field "spec.Replicas"')]);
  });

  test('and fields that are there twice are named', async () => {
    const { metadata } = bench.manifest('SandboxWarmPool');
    const body = `{"apiVersion":"${apiVersion('SandboxWarmPool', 'v1beta1')}","kind":"SandboxWarmPool","metadata":${JSON.stringify(metadata)},"spec":{"replicas":1,"replicas":2,"sandboxTemplateRef":{"name":"t"}}}`;
    const path = (await bench.path(bench.manifest('SandboxWarmPool'))).replace(/\/[^/]+$/, '');
    expect(await refusal(bench.client.request('POST', path, { body, query: { fieldValidation: 'Strict' } }))).toEqual([expect.stringContaining('duplicate field "spec.replicas"')]);
  });
});

/** Every field of the API's own with a closed set of values, by kind. */
const ENUMS: readonly (readonly [kind: KindName, field: string, values: readonly string[], spec: (value: unknown) => Json])[] = [
  ['Sandbox', 'spec.shutdownPolicy', ['Delete', 'Retain'], value => ({ ...leastSpec('Sandbox'), shutdownPolicy: value })],
  ['Sandbox', 'spec.operatingMode', ['Running', 'Suspended'], value => ({ ...leastSpec('Sandbox'), operatingMode: value })],
  ['SandboxTemplate', 'spec.networkPolicyManagement', ['Managed', 'Unmanaged'], value => ({ ...leastSpec('SandboxTemplate'), networkPolicyManagement: value })],
  ['SandboxTemplate', 'spec.envVarsInjectionPolicy', ['Allowed', 'Overrides', 'Disallowed'], value => ({ ...leastSpec('SandboxTemplate'), envVarsInjectionPolicy: value })],
  ['SandboxTemplate', 'spec.volumeClaimTemplatesPolicy', ['Disallowed', 'Allowed', 'Overrides'], value => ({ ...leastSpec('SandboxTemplate'), volumeClaimTemplatesPolicy: value })],
  ['SandboxClaim', 'spec.lifecycle.shutdownPolicy', ['Delete', 'DeleteForeground', 'Retain'], value => ({ ...leastSpec('SandboxClaim'), lifecycle: { shutdownPolicy: value } })],
  ['SandboxWarmPool', 'spec.updateStrategy.type', ['Recreate', 'OnReplenish'], value => ({ replicas: 1, sandboxTemplateRef: { name: 't' }, updateStrategy: { type: value } })],
];

const INT32 = 2 ** 31 - 1;
/** Numbers with bounds, the values at both ends of them, and those beyond with what the server says. */
const BOUNDS: readonly (readonly [kind: KindName, field: string, good: readonly number[], bad: readonly (readonly [number, string])[], spec: (value: unknown) => Json])[] = [
  ['Sandbox', 'spec.replicas', [0, 1], [[-1, 'should be greater than or equal to 0'], [2, 'should be less than or equal to 1']], value => ({ ...leastSpec('Sandbox'), replicas: value })],
  ['SandboxClaim', 'spec.lifecycle.ttlSecondsAfterFinished', [0, INT32], [[-1, 'should be greater than or equal to 0']],
    value => ({ ...leastSpec('SandboxClaim'), lifecycle: { ttlSecondsAfterFinished: value } })],
  ['SandboxWarmPool', 'spec.replicas', [0, INT32], [[-1, 'should be greater than or equal to 0']],
    value => ({ replicas: value, sandboxTemplateRef: { name: 't' } })],
  ['SandboxWarmPool', 'spec.readinessGracePeriodSeconds', [30, INT32], [[29, 'should be greater than or equal to 30']],
    value => ({ ...leastSpec('SandboxWarmPool'), replicas: 0, readinessGracePeriodSeconds: value })],
];

describeWithControlPlane('values', testbed => {
  const bench = new Bench(testbed);

  test('the tables below have every enumeration and bound of the schemas', () => {
    const found = (keywords: readonly string[]) => KIND_NAMES.flatMap(kind => {
      const paths: string[] = [];
      walk(schemaOf(kind, 'v1beta1', 'spec'), (node, path) => keywords.some(keyword => keyword in node) && paths.push(`${kind} spec.${path}`));
      return paths;
    });
    expect(found(['enum'])).toEqual(expect.arrayContaining(ENUMS.map(([kind, field]) => `${kind} ${field}`)));
    expect(found(['enum'])).toHaveLength(ENUMS.length);
    expect(found(['minimum', 'maximum']).sort()).toEqual(BOUNDS.map(([kind, field]) => `${kind} ${field}`).sort());
  });

  test.each(ENUMS)('%s %s is one of %j', async (kind, field, values, spec) => {
    for (const version of VERSION_NAMES) {
      const adapted = (value: unknown) => adapt(kind, version, spec(value));
      for (const value of values) {
        await bench.trySpec(kind, version, adapted(value));
      }
      const supported = values.map(value => `"${value}"`).join(', ');
      for (const bad of ['', values[0].toLowerCase(), `${values[0]} `]) {
        expect(await refusal(bench.trySpec(kind, version, adapted(bad)))).toEqual([`${field}: Unsupported value: "${bad}": supported values: ${supported}`]);
      }
    }
  });

  test.each(BOUNDS)('%s %s has bounds', async (kind, field, good, bad, spec) => {
    for (const version of VERSION_NAMES) {
      for (const value of good) {
        await bench.trySpec(kind, version, adapt(kind, version, spec(value)));
      }
      for (const [value, reason] of bad) {
        expect(await refusal(bench.trySpec(kind, version, adapt(kind, version, spec(value))))).toContain(`${field}: Invalid value: ${value}: ${field} in body ${reason}`);
      }
      for (const [value, type] of [[0.5, 'number'], ['1', 'string'], [true, 'boolean']] as const) {
        const [first] = await refusal(bench.trySpec(kind, version, adapt(kind, version, spec(value))));
        expect(first).toBe(`${field}: Invalid value: "${type}": ${field} in body must be of type integer: "${type}"`);
      }
    }
  });

  test('the format int32 is a bound of what the scale subresource reads only; elsewhere the constructs have to refuse what no client in Go could read', async () => {
    expect(await refusal(bench.trySpec('SandboxWarmPool', 'v1beta1', { ...leastSpec('SandboxWarmPool'), replicas: INT32 + 1 })))
      .toEqual([`.spec.replicas: Invalid value: ${INT32 + 1}: should be less than or equal to ${INT32}`]);
    const lifecycle = { ttlSecondsAfterFinished: INT32 + 1 };
    expect(await bench.trySpec('SandboxClaim', 'v1beta1', { ...leastSpec('SandboxClaim'), lifecycle })).toMatchObject({ lifecycle });
    expect(() => Lifetime.afterFinished(Duration.seconds(INT32 + 1))).toThrow(`ttl is '${INT32 + 1}s': use whole seconds from 0 to ${INT32}`);
  });

  test('times have date, time and zone', async () => {
    for (const version of VERSION_NAMES) {
      for (const shutdownTime of ['2027-01-31T17:00:00Z', '2027-01-31T17:00:00+01:00', '2027-01-31T17:00:00.5Z']) {
        expect(await bench.trySpec('Sandbox', version, { ...leastSpec('Sandbox'), shutdownTime })).toMatchObject({ shutdownTime });
      }
      for (const shutdownTime of ['2027-01-31', '2027-01-31T17:00:00', 'tomorrow', '']) {
        expect(await refusal(bench.trySpec('Sandbox', version, { ...leastSpec('Sandbox'), shutdownTime }))).toEqual([
          expect.stringMatching(/^spec\.shutdownTime: .* should match/), expect.stringMatching(/^spec\.shutdownTime: .* must be of type date-time/),
        ]);
      }
      // The format permits these, and no client in Go could read them.
      for (const shutdownTime of ['2027-01-31T17:00:00,5Z', '2027-01-31T17:00:00+24:00']) {
        expect(await refusal(bench.trySpec('Sandbox', version, { ...leastSpec('Sandbox'), shutdownTime }))).toEqual([expect.stringMatching(/^spec\.shutdownTime: .* should match/)]);
      }
    }
  });

  test('quantities are numbers or strings with a unit', async () => {
    const limits = (cpu: unknown) => inContainer({ resources: { limits: { cpu } } });
    for (const good of [1, 0, '500m', '0.5', '.5', '1.', '+1', '-1', '1e3', '1E3', '2Ki', '1k', '1n']) {
      const stored = await bench.trySpec('Sandbox', 'v1beta1', limits(good));
      expect(stored.podTemplate.spec.containers[0].resources.limits.cpu).toBe(good);
    }
    for (const bad of ['', 'one', '1 Gi', '1KiB', '1K', '1e', '0x1', '1,5', true, 0.5]) {
      const [first] = await refusal(bench.trySpec('Sandbox', 'v1beta1', limits(bad)));
      expect([bad, first]).toEqual([bad, expect.stringMatching(/^spec\.podTemplate\.spec\.containers\[0\]\.resources\.limits\.cpu: /)]);
    }
  });

  test('ports are numbers or names', async () => {
    const probe = (port: unknown) => inContainer({ readinessProbe: { tcpSocket: { port } } });
    for (const good of [80, 'http', 0, '80']) {
      expect((await bench.trySpec('Sandbox', 'v1beta1', probe(good))).podTemplate.spec.containers[0].readinessProbe.tcpSocket.port).toBe(good);
    }
    for (const bad of [true, 8.5, [], {}]) {
      const [first] = await refusal(bench.trySpec('Sandbox', 'v1beta1', probe(bad)));
      expect([bad, first]).toEqual([bad, expect.stringMatching(/^spec\.podTemplate\.spec\.containers\[0\]\.readinessProbe\.tcpSocket\.port: /)]);
    }
  });
});

/** Claims and pools say what their version needs. */
function adapt(kind: KindName, version: VersionName, spec: Json): Json {
  return kind === 'SandboxClaim' ? { ...without(spec, 'warmPoolRef'), ...leastSpec(kind, version) } : spec;
}

function inPod(fields: Json): Json {
  return { podTemplate: { spec: { containers: [{ name: 'main' }], ...fields } } };
}

function inContainer(fields: Json): Json {
  return inPod({ containers: [{ name: 'main', ...fields }] });
}
