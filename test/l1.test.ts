import { ApiObject, App, Chart, JsonPatch, Lazy, Testing, Yaml } from 'cdk8s';
import type { Construct } from 'constructs';
import * as fc from 'fast-check';
import { KIND_NAMES, type KindName, VERSION_NAMES, schemaOf, typedSpecOf } from '../api/test/crd-files';
import { everyField } from '../api/test/every-field';
import { valueProblems } from '../api/test/structural-schema';
import { l1 } from '../src';

interface L1Class {
  new (scope: Construct, id: string, props: any): ApiObject;
  readonly GVK: { readonly apiVersion: string; readonly kind: string };
  manifest(props: any): any;
}

const CLASSES: readonly [string, L1Class, KindName, string][] = [
  ['Sandbox', l1.Sandbox, 'Sandbox', 'agents.x-k8s.io/v1beta1'],
  ['SandboxV1Alpha1', l1.SandboxV1Alpha1, 'Sandbox', 'agents.x-k8s.io/v1alpha1'],
  ['SandboxTemplate', l1.SandboxTemplate, 'SandboxTemplate', 'extensions.agents.x-k8s.io/v1beta1'],
  ['SandboxTemplateV1Alpha1', l1.SandboxTemplateV1Alpha1, 'SandboxTemplate', 'extensions.agents.x-k8s.io/v1alpha1'],
  ['SandboxClaim', l1.SandboxClaim, 'SandboxClaim', 'extensions.agents.x-k8s.io/v1beta1'],
  ['SandboxClaimV1Alpha1', l1.SandboxClaimV1Alpha1, 'SandboxClaim', 'extensions.agents.x-k8s.io/v1alpha1'],
  ['SandboxWarmPool', l1.SandboxWarmPool, 'SandboxWarmPool', 'extensions.agents.x-k8s.io/v1beta1'],
  ['SandboxWarmPoolV1Alpha1', l1.SandboxWarmPoolV1Alpha1, 'SandboxWarmPool', 'extensions.agents.x-k8s.io/v1alpha1'],
];

const SCALARS = {
  quantity: (text: string) => l1.Quantity.fromString(text),
  intOrString: (value: number | string) => (typeof value === 'number' ? l1.IntOrString.fromNumber(value) : l1.IntOrString.fromString(value)),
};
const EVERY_SPEC = Object.fromEntries(KIND_NAMES.map(kind => [kind, everyField(typedSpecOf(kind, 'v1beta1'), SCALARS)]));

function chart(): Chart {
  return new Chart(new App({ outdir: 'cdk8s.out' }), 'test');
}

/** A Sandbox of one container with more fields in its PodSpec, typed or not. */
function sandbox(podSpec: any = {}, spec: any = {}): l1.Sandbox {
  return new l1.Sandbox(chart(), 'box', {
    metadata: { name: 'box' },
    spec: { podTemplate: { spec: { containers: [{ name: 'main' }], ...podSpec } }, ...spec },
  });
}

function podSpecOf(object: ApiObject): any {
  return object.toJson().spec.podTemplate.spec;
}

describe.each(CLASSES)('%s', (_, type, kind, apiVersion) => {
  const { props, wire } = EVERY_SPEC[kind];

  test('has its own kind and version', () => {
    expect(type.GVK).toEqual({ apiVersion, kind });
    const object = new type(chart(), 'x', { metadata: { name: 'x' }, spec: props });
    expect(object).toMatchObject({ apiVersion, kind, apiGroup: apiVersion.split('/')[0] });
  });

  test('writes every field under its name on the wire', () => {
    const object = new type(chart(), 'x', { metadata: { name: 'x', labels: { hostIpc: 'a' } }, spec: props });
    expect(object.toJson()).toEqual({ apiVersion, kind, metadata: { name: 'x', labels: { hostIpc: 'a' } }, spec: wire });
  });

  test('writes what the CRD takes', () => {
    for (const version of VERSION_NAMES) {
      expect(valueProblems(schemaOf(kind, version, 'spec'), new type(chart(), 'x', { spec: props }).toJson().spec)).toEqual([]);
    }
  });

  test('takes fields under their wire names too', () => {
    expect(new type(chart(), 'x', { spec: wire }).toJson().spec).toEqual(wire);
  });

  test('gives the same manifest as plain data', () => {
    expect(type.manifest({ metadata: { name: 'x' }, spec: props })).toEqual({ apiVersion, kind, metadata: { name: 'x' }, spec: wire });
    expect(Object.keys(type.manifest({ metadata: { name: 'x' }, spec: props }))).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  });

  test('keeps its version and kind when the props say something else', () => {
    const document: any = { apiVersion: 'v1', kind: 'Pod', spec: props };
    expect(type.manifest(document)).toMatchObject({ apiVersion, kind });
    expect(new type(chart(), 'x', document).toJson()).toMatchObject({ apiVersion, kind });
  });

  test('keeps top-level fields that it does not know', () => {
    expect(new type(chart(), 'x', { spec: props, status: { podIPs: ['10.0.0.1'] } }).toJson().status).toEqual({ podIPs: ['10.0.0.1'] });
  });

  test('gives the same bytes however the props are ordered', () => {
    const bytes = Yaml.stringify(new type(chart(), 'x', { spec: props }).toJson());
    fc.assert(fc.property(fc.integer(), seed => {
      expect(Yaml.stringify(new type(chart(), 'x', { spec: shuffled(props, seed) }).toJson())).toBe(bytes);
    }), { numRuns: 20 });
  });

  test('sorts the fields of the spec by their name on the wire', () => {
    expectSorted(new type(chart(), 'x', { spec: props }).toJson().spec, 'spec');
  });

  test('applies operations in its own toJson, wherever they come from', () => {
    const object = new type(chart(), 'x', { spec: props });
    ApiObject.of(object).addJsonPatch(JsonPatch.add('/metadata/labels', { patched: 'yes' }));
    expect(object.toJson().metadata.labels).toEqual({ patched: 'yes' });
  });
});

/** The same objects with their members inserted in another order; class instances and lists stay as they are. */
function shuffled(value: any, seed: number): any {
  if (Array.isArray(value)) {
    return value.map(item => shuffled(item, seed));
  }
  if (value === null || typeof value !== 'object' || value.constructor !== Object) {
    return value;
  }
  const rank = (key: string) => [...key].reduce((sum, character) => Math.imul(sum ^ character.charCodeAt(0), 0x01000193), seed | 0);
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => rank(a) - rank(b)).map(([key, member]) => [key, shuffled(member, seed)]));
}

function expectSorted(value: any, path: string): void {
  if (value !== null && typeof value === 'object') {
    if (!Array.isArray(value)) {
      expect([path, Object.keys(value)]).toEqual([path, Object.keys(value).sort()]);
    }
    Object.entries(value).forEach(([key, member]) => expectSorted(member, `${path}.${key}`));
  }
}

describe('metadata', () => {
  test('comes from the chart where the props say nothing', () => {
    const app = new App({ outdir: 'cdk8s.out' });
    const team = new Chart(app, 'team', { namespace: 'agents', labels: { team: 'a' } });
    new l1.SandboxWarmPool(team, 'pool', { spec: { sandboxTemplateRef: { name: 'python' } } });
    const [manifest] = Testing.synth(team);
    expect(manifest.metadata).toEqual({ labels: { team: 'a' }, name: expect.stringMatching(/^team-pool-[a-z0-9]+$/), namespace: 'agents' });
  });

  test('is written between kind and spec', () => {
    expect(Object.keys(sandbox().toJson())).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  });
});

describe('values that are a number or a string', () => {
  const written = (value: any) => podSpecOf(sandbox({ overhead: { cpu: value } })).overhead.cpu;

  test('are written as what they hold', () => {
    expect(written(l1.Quantity.fromString('250m'))).toBe('250m');
    expect(written(l1.Quantity.fromNumber(2))).toBe(2);
    const ports = [l1.IntOrString.fromNumber(8080), l1.IntOrString.fromString('http')];
    const containers = ports.map((port, index) => ({ name: `main-${index}`, livenessProbe: { httpGet: { port } } }));
    expect(podSpecOf(sandbox({ containers })).containers.map((container: any) => container.livenessProbe.httpGet.port)).toEqual([8080, 'http']);
  });

  test('may be given as plain values', () => {
    expect(written('250m')).toBe('250m');
    expect(written(2)).toBe(2);
  });

  test('may come from another library that writes them the same way', () => {
    class Foreign {
      public constructor(public readonly value: string) {}
    }
    expect(written(new Foreign('1Gi'))).toBe('1Gi');
  });

  test.each([0.5, NaN, Infinity, 2 ** 53])('fail as the number %d, which the API server would refuse', value => {
    expect(() => l1.Quantity.fromNumber(value)).toThrow(`Quantity.fromNumber: value is ${value}: a number must be whole: write '${value}' with fromString`);
    expect(() => l1.IntOrString.fromNumber(value)).toThrow(`IntOrString.fromNumber: value is ${value}: a number must be whole`);
  });
});

describe('fields and keys that the types do not know', () => {
  test('survive at every depth, under the name that was given', () => {
    const json = podSpecOf(sandbox({ newField: { hostIpc: 1, deepURIs: [{ volumeId: 'x' }] }, containers: [{ name: 'main', newPolicy: 'A' }] }));
    expect(json.newField).toEqual({ hostIpc: 1, deepURIs: [{ volumeId: 'x' }] });
    expect(json.containers).toEqual([{ name: 'main', newPolicy: 'A' }]);
  });

  test('survive as keys of maps even where they look like something else', () => {
    const labels = { 'value': 'a', 'resolve': 'b', 'hostIpc': 'c', 'toString': 'd', 'hasOwnProperty': 'e', '0': 'f', 'example.com/spec': 'g' };
    expect(podSpecOf(sandbox({ nodeSelector: labels })).nodeSelector).toEqual(labels);
    expect(podSpecOf(sandbox({ overhead: { value: l1.Quantity.fromString('1'), hostIpc: '2' } })).overhead).toEqual({ value: '1', hostIpc: '2' });
  });

  test('do not change objects that they do not belong to', () => {
    const json = podSpecOf(sandbox(JSON.parse('{"__proto__":{"polluted":true},"hostname":"a"}')));
    expect(json.hostname).toBe('a');
    expect(json).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  });

  // cdk8s takes such a map for an instance of a class; what matters is that nothing is lost in silence.
  test('are refused where cdk8s cannot write them: a map with the key "constructor"', () => {
    expect(() => sandbox({ nodeSelector: { constructor: 'x' } }).toJson()).toThrow("Failed serializing construct at path 'test/box'");
  });
});

test('empty lists and objects are kept, since they mean something', () => {
  const object = new l1.SandboxTemplate(chart(), 'x', {
    spec: {
      podTemplate: { spec: { containers: [], nodeSelector: {}, securityContext: {}, volumes: [{ name: 'tmp', emptyDir: {} }] } },
      volumeClaimTemplates: [],
      networkPolicy: { ingress: [], egress: [{}] },
    },
  });
  expect(object.toJson().spec).toEqual({
    networkPolicy: { egress: [{}], ingress: [] },
    podTemplate: { spec: { containers: [], nodeSelector: {}, securityContext: {}, volumes: [{ name: 'tmp', emptyDir: {} }] } },
    volumeClaimTemplates: [],
  });
  expect(new l1.SandboxTemplate(chart(), 'x', { spec: { podTemplate: { spec: { containers: [] } }, networkPolicy: {} } }).toJson().spec.networkPolicy).toEqual({});
});

test('false, 0 and the empty string are kept, absent values are not', () => {
  expect(sandbox({ hostname: '', hostIpc: false, priority: 0, subdomain: undefined, nodeName: null }, { service: false, replicas: 0 }).toJson().spec).toEqual({
    podTemplate: { spec: { containers: [{ name: 'main' }], hostIPC: false, hostname: '', priority: 0 } },
    replicas: 0,
    service: false,
  });
});

test('absent values are not in the plain data either', () => {
  const spec: any = { podTemplate: { spec: { containers: [], hostIpc: undefined } }, service: undefined };
  const manifest = l1.Sandbox.manifest({ metadata: undefined, spec });
  expect(Object.keys(manifest)).toEqual(['apiVersion', 'kind', 'spec']);
  expect(Object.keys(manifest.spec)).toEqual(['podTemplate']);
  expect(Object.keys(manifest.spec.podTemplate.spec)).toEqual(['containers']);
});

test('values of the wrong shape are passed on for the API server to judge', () => {
  expect(podSpecOf(sandbox({ containers: { name: 'main' }, hostIpc: 'yes', overhead: 'much', tolerations: 'all' }))).toEqual({
    containers: { name: 'main' }, hostIPC: 'yes', overhead: 'much', tolerations: 'all',
  });
});

describe('lazy values', () => {
  const lazy = (value: any) => Lazy.any({ produce: () => value });
  const lazyMembers = (props: any) => Object.fromEntries(Object.entries(props).map(([key, value]) => [key, lazy(value)]));

  test('are mapped like others, at every level', () => {
    const ports = [lazy({ containerPort: 80, hostIp: '10.0.0.1' })];
    const limits = lazy({ cpu: l1.Quantity.fromString('1'), memory: lazy(l1.Quantity.fromString('1Gi')) });
    expect(podSpecOf(sandbox(lazyMembers({ containers: [lazy({ name: 'main', ports, resources: { limits } })], hostIpc: true })))).toEqual({
      containers: [{ name: 'main', ports: [{ containerPort: 80, hostIP: '10.0.0.1' }], resources: { limits: { cpu: '1', memory: '1Gi' } } }],
      hostIPC: true,
    });
  });

  test('may produce the whole spec', () => {
    const object = new l1.Sandbox(chart(), 'x', { spec: lazy(EVERY_SPEC.Sandbox.props) });
    expect(object.toJson().spec).toEqual(EVERY_SPEC.Sandbox.wire);
  });

  test('are produced late', () => {
    let hostname = 'early';
    const object = sandbox({ hostname: Lazy.any({ produce: () => hostname }) });
    hostname = 'late';
    expect(podSpecOf(object).hostname).toBe('late');
  });

  test('stay lazy in a manifest that becomes part of another object, and are mapped there', () => {
    const manifest = l1.Sandbox.manifest({ spec: { podTemplate: lazy({ spec: { containers: [], hostIpc: true } }) } });
    const list = new ApiObject(chart(), 'list', { apiVersion: 'v1', kind: 'List', items: [manifest] } as any);
    expect(list.toJson().items).toEqual([{ ...l1.Sandbox.GVK, spec: { podTemplate: { spec: { containers: [], hostIPC: true } } } }]);
  });
});

describe('operations of addJsonPatch', () => {
  const patched = (...operations: JsonPatch[]) => {
    const object = sandbox({ hostIpc: true });
    object.addJsonPatch(...operations);
    return object;
  };
  const POD = '/spec/podTemplate/spec';

  test('see the names of the wire', () => {
    expect(podSpecOf(patched(JsonPatch.test(`${POD}/hostIPC`, true), JsonPatch.replace(`${POD}/hostIPC`, false)))).toEqual({
      containers: [{ name: 'main' }], hostIPC: false,
    });
    expect(podSpecOf(patched(JsonPatch.remove(`${POD}/hostIPC`)))).toEqual({ containers: [{ name: 'main' }] });
  });

  test('write fields and values that the types do not know, as they are', () => {
    const value = { hostIpc: 1, volumeId: 'x', volumes: [{ downwardApi: {} }] };
    expect(podSpecOf(patched(JsonPatch.add(`${POD}/newField`, value))).newField).toEqual(value);
    expect(patched(JsonPatch.add('/spec/operatingMode', 'Hibernated')).toJson().spec.operatingMode).toBe('Hibernated');
  });

  test('work on lists, on metadata, and on keys with slashes', () => {
    const object = patched(
      JsonPatch.add(`${POD}/containers/-`, { name: 'side' }),
      JsonPatch.add(`${POD}/containers/0/image`, 'a'),
      JsonPatch.add('/metadata/annotations', {}),
      JsonPatch.add('/metadata/annotations/example.com~1owner', 'b'),
    );
    expect(podSpecOf(object).containers).toEqual([{ name: 'main', image: 'a' }, { name: 'side' }]);
    expect(object.toJson().metadata.annotations).toEqual({ 'example.com/owner': 'b' });
  });

  test('apply in order, over several calls', () => {
    const object = patched(JsonPatch.add('/spec/service', true));
    object.addJsonPatch(JsonPatch.copy('/spec/service', '/spec/copied'));
    object.addJsonPatch(JsonPatch.move('/spec/copied', '/spec/moved'), JsonPatch.replace('/spec/service', false));
    expect(object.toJson().spec).toMatchObject({ moved: true, service: false });
    expect(object.toJson().spec).not.toHaveProperty('copied');
  });

  test('may replace the whole manifest', () => {
    expect(patched(JsonPatch.replace('', { kind: 'Other' })).toJson()).toEqual({ kind: 'Other' });
  });

  test('keep null, which a merge may need', () => {
    expect(patched(JsonPatch.add('/spec/service', null)).toJson().spec.service).toBeNull();
  });

  test('give the same bytes each time, also when one edits what another added', () => {
    const object = patched(JsonPatch.add('/spec/new', { list: [1] }), JsonPatch.add('/spec/new/list/-', 2), JsonPatch.add('/spec/new/more', {}));
    const first = Yaml.stringify(object.toJson());
    expect(object.toJson().spec.new).toEqual({ list: [1, 2], more: {} });
    expect(Yaml.stringify(object.toJson())).toBe(first);
    expect(Yaml.stringify(...Testing.synth(Chart.of(object)))).toBe(first);
  });

  test('are recorded as they were when they were given', () => {
    const value = { list: [1] };
    const object = patched(JsonPatch.add('/spec/new', value));
    value.list.push(2);
    expect(object.toJson().spec.new).toEqual({ list: [1] });
    value.list.push(3);
    expect(object.toJson().spec.new).toEqual({ list: [1] });
  });

  test('do not reach the caller: a changed manifest is a copy', () => {
    const nodeSelector = { zone: 'a' };
    const value = { deep: { a: 1 } };
    const object = sandbox({ nodeSelector });
    object.addJsonPatch(JsonPatch.add('/spec/new', value), JsonPatch.add('/spec/new/deep/b', 2), JsonPatch.replace(`${POD}/nodeSelector/zone`, 'b'));
    const json = object.toJson();
    json.spec.new.deep.c = 3;
    json.spec.podTemplate.spec.nodeSelector.zone = 'c';
    expect(value).toEqual({ deep: { a: 1 } });
    expect(nodeSelector).toEqual({ zone: 'a' });
    expect(object.toJson().spec.new).toEqual({ deep: { a: 1, b: 2 } });
    expect(podSpecOf(object).nodeSelector).toEqual({ zone: 'b' });
  });

  test('fail with the construct, the number of the operation and the reason', () => {
    const remedy = 'paths use the names of the manifest, and the parent of a path must exist';
    expect(() => patched(JsonPatch.add('/spec/service', true), JsonPatch.add('/spec/nope/x', 1)).toJson())
      .toThrow(`test/box: operation 2 of addJsonPatch fails: Cannot set properties of undefined (setting 'x'): ${remedy}`);
    expect(() => patched(JsonPatch.test('/spec/service', true)).toJson())
      .toThrow(new Error(`test/box: operation 1 of addJsonPatch fails: Test operation failed: ${remedy}`));
  });
});

describe('CDK8S_DISABLE_SORT', () => {
  afterEach(() => {
    delete process.env.CDK8S_DISABLE_SORT;
  });

  test('keeps the order of the props', () => {
    process.env.CDK8S_DISABLE_SORT = '1';
    const json = sandbox({ hostname: 'a', setHostnameAsFqdn: true, hostIpc: true, dnsPolicy: 'None' }).toJson();
    expect(Object.keys(json.spec.podTemplate.spec)).toEqual(['containers', 'hostname', 'setHostnameAsFQDN', 'hostIPC', 'dnsPolicy']);
    expect(Object.keys(json)).toEqual(['apiVersion', 'kind', 'metadata', 'spec']);
  });
});
