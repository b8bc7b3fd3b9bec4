import type { KubeObject } from '../src/object/metadata.js';
import { LABEL, nameHash, type PodSpec } from 'agent-sandbox-api';
import { servicePorts } from '../src/sandbox/ports.js';
import { NAMESPACE, SandboxBench, TRACKED, foreignOwner, sandbox, service, summary } from './fixtures.js';

const withPorts = (...ports: { containerPort: number; name?: string; protocol?: string }[]): PodSpec => ({ containers: [{ name: 'main', image: 'i', ports }] });

test('S29 S84 creates a headless Service and reports its name', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox({ service: true, podTemplate: { spec: withPorts({ containerPort: 8888 }) } }));
  bench.settle({ options: { clusterDomain: 'example.org' } });
  expect(bench.service).toMatchObject({
    metadata: { labels: TRACKED, ownerReferences: [{ kind: 'Sandbox', controller: true }] },
    spec: { clusterIP: 'None', selector: TRACKED, ports: [{ name: 'p-8888-tcp', protocol: 'TCP', port: 8888, targetPort: 8888 }] },
  });
  expect(bench.sandbox.status).toMatchObject({ service: 'box', serviceFQDN: 'box.agents.svc.example.org' });
});

test('S68 S69 has the ports of the containers sorted, once each, with names', () => {
  expect(servicePorts(withPorts())).toEqual([]);
  expect(servicePorts(withPorts({ containerPort: 0 }, { containerPort: 9000, protocol: 'UDP' }, { containerPort: 80, name: 'http' }, { containerPort: 80 }))).toEqual([
    { name: 'http', protocol: 'TCP', port: 80, targetPort: 80 },
    { name: 'p-9000-udp', protocol: 'UDP', port: 9000, targetPort: 9000 },
  ]);
});

test('S70 has the ports of init containers that keep running', () => {
  const initContainers = [
    { name: 'a', image: 'i', restartPolicy: 'Always', ports: [{ containerPort: 1 }] },
    { name: 'b', image: 'i', ports: [{ containerPort: 2 }] },
  ];
  expect(servicePorts({ containers: [], initContainers }).map(({ port }) => port)).toEqual([1]);
});

test('S71 S72 makes names unique', () => {
  expect(servicePorts(withPorts({ containerPort: 1, name: 'x' }, { containerPort: 2, name: 'x' }, { containerPort: 3, name: 'p-2-tcp' })).map(({ name }) => name))
    .toEqual(['x', 'p-2-tcp-2', 'p-2-tcp']);
});

test.each([true, undefined])('S73 S81 repairs selector and label of its Service with service: %s', wanted => {
  const bench = new SandboxBench().ready(sandbox({ service: true }));
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.service = wanted;
  });
  bench.settle();
  bench.model.edit(bench.service!, draft => {
    draft.spec!.selector = { other: 'x' };
    draft.metadata.labels = {};
    draft.spec!.ports = [{ name: 'odd', port: 1, targetPort: 1, protocol: 'TCP' }];
  });
  expect(summary(bench.reconcile())).toEqual(['patch Service']);
  expect(bench.service).toMatchObject({ metadata: { labels: TRACKED }, spec: { selector: TRACKED } });
  expect(bench.service?.spec?.ports?.length ?? 0).toBe(wanted ? 0 : 1);
  expect(bench.sandbox.status?.service).toBe('box');
});

test('S74 leaves port fields alone that others manage', () => {
  const bench = new SandboxBench().ready(sandbox({ service: true, podTemplate: { spec: withPorts({ containerPort: 80 }) } }));
  bench.model.edit(bench.service!, draft => {
    Object.assign(draft.spec!.ports![0]!, { appProtocol: 'h2c' });
  });
  expect(bench.reconcile()).toEqual([]);
});

test.each([[true, 1], [undefined, 1], [false, 0]])('S75 treats the Service of another owner as an error with service: %s (%d)', (wanted, errors) => {
  const bench = new SandboxBench();
  const other = bench.model.create(service({ ownerReferences: [foreignOwner()] }));
  bench.model.create(sandbox({ service: wanted }));
  bench.reconcile();
  expect(bench.errors()).toHaveLength(errors);
  expect(bench.result?.blockedBy.map(({ kind }) => kind)).toEqual(errors === 0 ? [] : ['Service']);
  expect(bench.service).toBe(other);
  expect(bench.sandbox.status?.service).toBeUndefined();
});

test.each([[{ [LABEL.adoptable]: 'true' }], [TRACKED]])('S76 S78 adopts an unowned headless Service labelled %j', labels => {
  const bench = new SandboxBench();
  bench.model.create(service({ labels }, { clusterIP: 'None', ports: [{ name: 'old', port: 1 }] }));
  bench.model.create(sandbox({ service: true }));
  bench.settle();
  expect(bench.service).toMatchObject({ metadata: { labels: TRACKED, ownerReferences: [{ kind: 'Sandbox' }] }, spec: { selector: TRACKED } });
  expect(bench.service?.spec?.ports).toBeUndefined();
});

test('S77 refuses a Service with a cluster IP', () => {
  const bench = new SandboxBench();
  bench.model.create(service({ labels: TRACKED }, { clusterIP: '10.96.0.1' }));
  bench.model.create(sandbox({ service: true }));
  bench.reconcile();
  expect(bench.errors()).toEqual(['cannot adopt service "box" for sandbox "box": its clusterIP 10.96.0.1 cannot be changed to None']);
});

test('S79 refuses an unowned Service without authorisation', () => {
  const bench = new SandboxBench();
  bench.model.create(service());
  bench.model.create(sandbox({ service: true }));
  bench.reconcile();
  expect(bench.errors()[0]).toContain('cannot adopt unowned service "box"');
});

test('S80 S82 makes no Service when it is unset and ignores an unowned one', () => {
  const bench = new SandboxBench().ready();
  expect(bench.service).toBeUndefined();
  const other = bench.model.create(service());
  expect(bench.reconcile()).toEqual([]);
  expect(bench.service).toBe(other);
});

test('S83 deletes its Service when it is not wanted, and leaves an unowned one', () => {
  const bench = new SandboxBench().ready(sandbox({ service: true }));
  bench.model.edit(bench.sandbox, draft => {
    draft.spec.service = false;
  });
  bench.settle();
  expect(bench.service).toBeUndefined();
  expect(bench.sandbox.status).not.toHaveProperty('service');
  expect(bench.sandbox.status).not.toHaveProperty('serviceFQDN');
  bench.model.create(service());
  expect(bench.reconcile()).toEqual([]);
});

const data = { volumeClaimTemplates: [{ metadata: { name: 'data', labels: { a: '1' }, annotations: { b: '2' } }, spec: { accessModes: ['ReadWriteOnce'] } }] };
const claim = (bench: SandboxBench) => bench.model.get('PersistentVolumeClaim', NAMESPACE, 'data-box');

test('S30 S85 creates the claims of its volumes before its Pod', () => {
  const bench = new SandboxBench();
  bench.model.create(sandbox(data));
  expect(summary(bench.reconcile()).slice(0, 2)).toEqual(['create PersistentVolumeClaim', 'create Pod']);
  expect(claim(bench)).toMatchObject({
    metadata: { labels: { a: '1', ...TRACKED }, annotations: { b: '2' }, ownerReferences: [{ kind: 'Sandbox', controller: true }] },
    spec: { accessModes: ['ReadWriteOnce'] },
  });
});

test('S85 adopts an unowned claim that says so, refuses others', () => {
  const pvc = (labels: { [key: string]: string }, ownerReferences = [] as ReturnType<typeof foreignOwner>[]) =>
    ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data-box', namespace: NAMESPACE, labels, ownerReferences } });
  const adopting = new SandboxBench();
  adopting.model.create(pvc({ [LABEL.adoptable]: 'true' }));
  adopting.ready(sandbox(data));
  expect(claim(adopting)?.metadata.ownerReferences).toHaveLength(1);
  for (const [object, message] of [
    [pvc({}), 'cannot adopt unowned PVC "data-box"'],
    [pvc(TRACKED, [foreignOwner()]), 'PVC "data-box" is owned by Deployment/other (UID: foreign), not by sandbox "box"'],
  ] as const) {
    const bench = new SandboxBench();
    bench.model.create(object);
    bench.model.create(sandbox(data));
    bench.reconcile();
    expect(bench.errors()[0]).toContain(message);
    expect(bench.result?.blockedBy).toMatchObject([{ kind: 'PersistentVolumeClaim', name: 'data-box' }]);
    expect(bench.pod).toBeDefined();
  }
});

test.each(['Service', 'PersistentVolumeClaim'] as const)('does not adopt a %s that another owner took meanwhile', kind => {
  const bench = new SandboxBench();
  const name = kind === 'Service' ? 'box' : 'data-box';
  const object = bench.model.create<KubeObject>({ apiVersion: 'v1', kind, metadata: { name, namespace: NAMESPACE, labels: TRACKED } });
  bench.model.create(sandbox({ service: true, ...data }));
  const cache = bench.model.snapshot();
  bench.model.edit(object, draft => {
    draft.metadata.ownerReferences = [foreignOwner()];
  });
  bench.reconcile({ cache });
  expect(bench.model.get(kind, NAMESPACE, name)?.metadata.ownerReferences).toEqual([foreignOwner()]);
  expect(bench.errors()[0]).toContain('has been modified');
});

test('makes a lost volume claim again', () => {
  const bench = new SandboxBench().ready(sandbox(data));
  bench.model.destroy(claim(bench)!);
  expect(summary(bench.reconcile())).toEqual(['create PersistentVolumeClaim']);
});

describe('names', () => {
  const TWINS = ['browser-prod-team-2151', 'browser-template-team-2200'] as const;

  test('refuses the younger of two Sandboxes whose names have one hash, until the elder goes', () => {
    expect(nameHash(TWINS[0])).toBe(nameHash(TWINS[1]));
    const bench = new SandboxBench();
    bench.model.create(sandbox({}, { name: TWINS[0] }));
    bench.model.now += 1000;
    bench.model.create(sandbox({}, { name: TWINS[1] }));
    expect(summary(bench.reconcile({ name: TWINS[1] }))).toEqual(['patch Sandbox/status']);
    const young = () => bench.model.get('Sandbox', NAMESPACE, TWINS[1])!;
    expect(young().status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      reason: 'InvalidConfiguration',
      message: 'the name "browser-template-team-2200" has the same hash 22b058e1 as the older sandbox "browser-prod-team-2151": choose another name',
    });
    expect(bench.result).toMatchObject({ errors: [], blockedBy: [{ kind: 'Sandbox', name: TWINS[0] }] });
    expect(summary(bench.reconcile({ name: TWINS[0] }))).toContain('create Pod');
    bench.model.destroy(bench.model.get('Sandbox', NAMESPACE, TWINS[0])!);
    bench.model.collect();
    expect(summary(bench.reconcile({ name: TWINS[1] }))).toContain('create Pod');
  });

  test.each([[0, 1], [1, 0]])('of twins of one second the one that has a Pod stays alone, whatever the UIDs say (%i first)', (first, second) => {
    const bench = new SandboxBench();
    bench.model.create(sandbox({}, { name: TWINS[first] }));
    bench.settle({ name: TWINS[first] });
    bench.model.create(sandbox({}, { name: TWINS[second] }));
    const uids = [first, second].map(i => bench.model.get('Sandbox', NAMESPACE, TWINS[i]!)!.metadata.uid!);
    bench.model.edit(bench.model.get('Sandbox', NAMESPACE, TWINS[second])!, draft => {
      draft.metadata.uid = `0-${uids[1]}`;
    });
    expect(summary(bench.reconcile({ name: TWINS[second] }))).toEqual(['patch Sandbox/status']);
    expect(bench.reconcile({ name: TWINS[first] })).toEqual([]);
  });

  test('does not take its Pod from a Sandbox whose elder twin shows up late', () => {
    const bench = new SandboxBench();
    bench.model.create(sandbox({}, { name: TWINS[1] }));
    bench.settle({ name: TWINS[1] });
    bench.model.create(sandbox({}, { name: TWINS[0], creationTimestamp: '2020-01-01T00:00:00Z' }));
    bench.model.edit(bench.model.get('Sandbox', NAMESPACE, TWINS[0])!, draft => {
      draft.metadata.creationTimestamp = '2020-01-01T00:00:00Z';
    });
    expect(bench.reconcile({ name: TWINS[1] })).toEqual([]);
  });

  test.each([
    ['1box', { service: true }, 'the name "1box" cannot be the name of a Service'],
    ['b.x', { service: true }, 'the name "b.x" cannot be the name of a Service'],
    ['b'.repeat(64), { service: true }, 'cannot be the name of a Service'],
    ['box', { volumeClaimTemplates: [{ metadata: { name: 'v'.repeat(64) }, spec: {} }] }, 'cannot be the name of a volume'],
    ['b'.repeat(250), { volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] }, 'has 255 characters, more than 253'],
  ])('refuses %s with %j before it has children', (name, spec, message) => {
    const bench = new SandboxBench();
    bench.model.create(sandbox(spec, { name }));
    expect(summary(bench.reconcile({ name }))).toEqual(['patch Sandbox/status']);
    const ready = bench.model.get('Sandbox', NAMESPACE, name)?.status?.conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', reason: 'InvalidConfiguration' });
    expect(ready?.message).toContain(message);
    expect(bench.errors()).toEqual([]);
  });

  test('accepts such names where there is no Service', () => {
    const bench = new SandboxBench();
    bench.model.create(sandbox({}, { name: '1.box' }));
    expect(summary(bench.reconcile({ name: '1.box' }))).toContain('create Pod');
  });
});
