import { EVENTS, LEASES, PERSISTENT_VOLUME_CLAIMS, PODS, type Resource, SANDBOXES, SERVICES, keyOf } from 'agent-sandbox-api';
import { describeWithControlPlane } from '../../../testbed/src/jest/index.js';
import { Cluster, type ClusterOptions } from '../src/cluster.js';
import type { Credentials } from '../src/credentials.js';
import type { ApiError } from '../src/errors.js';
import { EventRecorder } from '../src/events.js';
import { Informer } from '../src/informer.js';
import { loadCredentials } from '../src/kubeconfig.js';
import { LeaderElector } from '../src/leader.js';
import { compareResourceVersions } from '../src/object.js';
import { Reader } from '../src/reader.js';
import { Writer } from '../src/writer.js';
import { Cutter } from './cutter.js';
import { CONFIG_MAPS, type ConfigMap, configMap, eventually } from './support.js';

describeWithControlPlane('with a real API server', testbed => {
  let credentials: Credentials;
  let cluster: Cluster;
  let reader: Reader;
  let stop: AbortController;
  const running: Promise<unknown>[] = [];
  const clusters: Cluster[] = [];

  const connect = (as: Credentials = credentials, options: Partial<ClusterOptions> = {}) => {
    clusters.push(new Cluster({ credentials: as, userAgent: 'kube-test/1.0', ...options }));
    return clusters.at(-1)!;
  };
  const start = <T extends ConfigMap>(informer: Informer<T>) => {
    running.push(informer.run(stop.signal));
    return informer;
  };
  const inNamespace = () => ({ namespaces: [testbed.namespace] });
  // A pod needs a ServiceAccount, and without a controller manager the default one is missing.
  beforeAll(() => testbed.cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: testbed.namespace, name: 'pods' } }));
  beforeEach(async () => {
    stop = new AbortController();
    credentials = loadCredentials({ kubeconfig: (await testbed.cluster.kubeconfig()).path });
    cluster = connect();
    reader = new Reader(cluster);
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running.splice(0));
    await Promise.all(clusters.splice(0).map(one => one.close()));
  });

  test('an informer sees what others create, change and delete', async () => {
    const { admin } = testbed.cluster;
    const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: testbed.namespace, name: 'others' };
    const informer = start(new Informer<ConfigMap>(cluster, CONFIG_MAPS, inNamespace()));
    const calls: string[] = [];
    const isMine = (object: ConfigMap) => object.metadata.name === 'others';
    informer.store.addHandler({
      add: (object, origin) => isMine(object) && calls.push(`add ${origin}`),
      update: (_, object, origin) => isMine(object) && calls.push(`update ${object.data?.a} ${origin}`),
      delete: (object, origin) => isMine(object) && calls.push(`delete ${origin}`),
    });
    await informer.waitForSync();
    await admin.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: testbed.namespace, name: 'others' } });
    await admin.merge(ref, { data: { a: '1' } });
    await admin.delete(ref);
    await eventually('three calls', () => calls.length === 3);
    expect(calls).toEqual(['add watch', 'update 1 watch', 'delete watch']);
  });

  test('a list in pages is complete and of one moment', async () => {
    const writer = new Writer(cluster);
    const labels = { paged: 'yes' };
    await Promise.all(Array.from({ length: 7 }, (_, number) => writer.create(CONFIG_MAPS, configMap(testbed.namespace, `paged-${number}`, {}, labels))));
    const pages: number[] = [];
    const versions = new Set<string>();
    for await (const { items, resourceVersion } of reader.pages(CONFIG_MAPS, { namespace: testbed.namespace, labelSelector: 'paged=yes', pageSize: 3 })) {
      pages.push(items.length);
      versions.add(resourceVersion);
    }
    expect([pages, versions.size]).toEqual([[3, 3, 1], 1]);
  });

  test('a watch that breaks misses nothing and needs no new list', async () => {
    const { cutter, credentials: through } = await Cutter.inFrontOf(credentials);
    try {
      const lists: number[] = [];
      const ends: string[] = [];
      const informer = start(new Informer<ConfigMap>(connect(through), CONFIG_MAPS, {
        ...inNamespace(), metrics: { listed: (_, count) => lists.push(count), watchEnded: (_, why) => ends.push(why) },
      }));
      await informer.waitForSync();
      const writer = new Writer(cluster);
      for (let round = 1; round <= 3; round++) {
        cutter.cut();
        await writer.create(CONFIG_MAPS, configMap(testbed.namespace, `while-cut-${round}`));
        await eventually('what was missed', () => informer.store.get(`${testbed.namespace}/while-cut-${round}`));
      }
      expect(lists).toHaveLength(1);
      expect(ends.length).toBeGreaterThan(0);
    } finally {
      stop.abort();
      await cutter.close();
    }
  });

  test('a bookmark of the server moves the place to go on, although nothing of ours has changed', async () => {
    const events: string[] = [];
    const requests: string[] = [];
    const own = connect(credentials, { metrics: { request: ({ verb }) => requests.push(verb) } });
    const informer = start(new Informer(own, CONFIG_MAPS, { ...inNamespace(), watchSeconds: 3, metrics: { event: (_, type) => events.push(type) } }));
    // The server sends no bookmark for what had happened before the watch began.
    await eventually('the watch', () => requests.includes('watch'));
    const elsewhere = await testbed.cluster.createNamespace('kube-bookmark');
    try {
      const { metadata } = await new Writer(cluster).create(CONFIG_MAPS, configMap(elsewhere, 'moves-the-version'));
      await eventually('a bookmark', () => compareResourceVersions(informer.store.position(testbed.namespace), metadata.resourceVersion)! >= 0, { timeoutMs: 20_000 });
      expect(new Set(events)).toEqual(new Set(['BOOKMARK']));
    } finally {
      await testbed.cluster.deleteNamespace(elsewhere);
    }
  }, 30_000);

  test('what is written is what the cache says at once, however many write at the same time', async () => {
    const informer = start(new Informer<ConfigMap>(cluster, CONFIG_MAPS, inNamespace()));
    const writer = new Writer(cluster).connect(informer);
    await informer.waitForSync();
    const seen = new Map<string, bigint>();
    let backwards = 0;
    const look = (object: ConfigMap) => {
      const version = BigInt(object.metadata.resourceVersion!);
      backwards += version <= (seen.get(object.metadata.uid!) ?? 0n) ? 1 : 0;
      seen.set(object.metadata.uid!, version);
    };
    informer.store.addHandler({ add: look, update: (_, object) => look(object) });
    seen.clear();
    await Promise.all(Array.from({ length: 10 }, async (_, number) => {
      const ref = { namespace: testbed.namespace, name: `through-${number}` };
      await writer.create(CONFIG_MAPS, configMap(ref.namespace, ref.name, { count: '0' }));
      for (let count = 1; count <= 10; count++) {
        const { data, metadata } = informer.store.get(ref)!;
        expect(data?.count).toBe(String(count - 1));
        await writer.mergePatch(CONFIG_MAPS, ref, { data: { count: String(count) } }, { resourceVersion: metadata.resourceVersion });
      }
      if (number % 2 === 0) {
        await writer.delete(CONFIG_MAPS, ref);
        expect(informer.store.get(ref)).toBeUndefined();
      }
    }));
    expect(backwards).toBe(0);
    const show = (objects: ConfigMap[]) => objects.map(object => `${keyOf(object)}@${object.metadata.resourceVersion}`).sort();
    const stored = await reader.list(CONFIG_MAPS, { namespace: testbed.namespace });
    await eventually('the watch to catch up', () => String(show(informer.store.list())) === String(show(stored)));
  }, 30_000);

  test.each<[string, Resource<any>, object, boolean]>([
    ['a ConfigMap is gone', CONFIG_MAPS, {}, false],
    ['a ConfigMap with a finalizer lives on', CONFIG_MAPS, { metadata: { finalizers: ['example.com/hold'] } }, true],
    ['a Service, with which the server answers, is gone', SERVICES, { spec: { clusterIP: 'None', selector: { a: 'b' } } }, false],
    ['a claim under the protection of its finalizer lives on', PERSISTENT_VOLUME_CLAIMS, { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }, true],
    ['a Sandbox is gone', SANDBOXES, { spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'example.com/image' }] } } } }, false],
    ['a pod that no node has is gone', PODS, { spec: { serviceAccountName: 'pods', schedulingGates: [{ name: 'example.com/never' }], containers: [{ name: 'main', image: 'example.com/image' }] } }, false],
  ])('after a deletion %s, and the cache knows', async (title, resource, fields: any, livesOn) => {
    const informer = start(new Informer<any>(cluster, resource, inNamespace()));
    const writer = new Writer(cluster).connect(informer);
    await informer.waitForSync();
    const ref = { namespace: testbed.namespace, name: `deleted-${title.length}` };
    await writer.create(resource, { ...fields, metadata: { ...ref, ...fields.metadata } });
    // The controller that protects claims may remove the finalizer at once.
    const answer = await writer.delete(resource, ref);
    expect(answer !== undefined).toBe(livesOn);
    const cached = informer.store.get(ref);
    expect(cached === undefined || (livesOn && cached.metadata.deletionTimestamp !== undefined)).toBe(true);
    if (livesOn) {
      await writer.mergePatch(resource, ref, { metadata: { finalizers: null } }).catch(error => expect(error.situation).toBe('notFound'));
    }
    await eventually('the end', () => !informer.store.get(ref));
    await expect(reader.find(resource, ref)).resolves.toBeUndefined();
  });

  test('refusals are distinguished', async () => {
    const writer = new Writer(cluster, { fieldManager: 'kube-test' });
    const ref = { namespace: testbed.namespace, name: 'refused' };
    const first = await writer.create(CONFIG_MAPS, configMap(ref.namespace, ref.name, { a: '1' }));
    const situation = (write: Promise<unknown>) => write.then(() => 'done', (error: ApiError) => error.situation);
    const stale = { resourceVersion: first.metadata.resourceVersion };
    await writer.mergePatch(CONFIG_MAPS, ref, { data: { a: '2' } });
    expect(await situation(writer.create(CONFIG_MAPS, configMap(ref.namespace, ref.name)))).toBe('alreadyExists');
    expect(await situation(writer.mergePatch(CONFIG_MAPS, ref, { data: { a: '3' } }, stale))).toBe('conflict');
    expect(await situation(writer.mergePatch(CONFIG_MAPS, ref, { data: { a: '3' } }, { ...stale, uid: 'other' }))).toBe('conflict');
    expect(await situation(writer.mergePatch(CONFIG_MAPS, ref, { data: { a: '3' } }, { uid: 'other' }))).toBe('invalid');
    expect(await situation(writer.jsonPatch(CONFIG_MAPS, ref, [{ op: 'test', path: '/data/a', value: '1' }]))).toBe('invalid');
    expect(await situation(writer.jsonPatch(CONFIG_MAPS, ref, [{ op: 'replace', path: '/data/a', value: '3' }], { uid: first.metadata.uid }))).toBe('done');
    expect(await situation(writer.delete(CONFIG_MAPS, ref, stale))).toBe('conflict');
    expect(await situation(writer.delete(CONFIG_MAPS, ref, { uid: 'other' }))).toBe('conflict');
    expect(await situation(writer.mergePatch(CONFIG_MAPS, { ...ref, name: 'missing' }, {}))).toBe('notFound');
    expect(await situation(writer.create(CONFIG_MAPS, configMap(ref.namespace, 'Not_A_Name')))).toBe('invalid');
    expect(await situation(reader.get({ group: 'example.com', version: 'v1', kind: 'None', plural: 'nones', namespaced: true }, ref))).toBe('notFound');
    const jane = loadCredentials({ kubeconfig: (await testbed.cluster.kubeconfig({ user: 'jane' })).path });
    expect(await situation(new Reader(connect(jane)).get(CONFIG_MAPS, ref))).toBe('forbidden');
    const anonymous = connect({ ...credentials, server: credentials.server, reject: () => undefined, access: async () => ({ headers: { authorization: 'Bearer wrong' }, tls: { ca: (await credentials.access()).tls.ca } }) });
    expect(await situation(new Reader(anonymous).get(CONFIG_MAPS, ref))).toBe('unauthorized');
  });

  test('server-side apply sets what it is given, and refuses to take what others manage', async () => {
    const ref = { namespace: testbed.namespace, name: 'applied' };
    const one = new Writer(cluster, { fieldManager: 'one' });
    const two = new Writer(cluster, { fieldManager: 'two' });
    await one.apply(CONFIG_MAPS, { metadata: ref, data: { a: '1' } });
    await expect(two.apply(CONFIG_MAPS, { metadata: ref, data: { a: '2' } })).rejects.toMatchObject({ situation: 'conflict' });
    await expect(two.apply(CONFIG_MAPS, { metadata: ref, data: { a: '2' } }, { force: true, dryRun: true })).resolves.toMatchObject({ data: { a: '2' } });
    await expect(reader.get(CONFIG_MAPS, ref)).resolves.toMatchObject({ data: { a: '1' } });
  });

  test('status is written through its subresource only', async () => {
    const writer = new Writer(cluster);
    const ref = { namespace: testbed.namespace, name: 'with-status' };
    await writer.create(SANDBOXES, {
      apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: ref, spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'example.com/image' }] } } },
    });
    await writer.mergePatch(SANDBOXES, ref, { status: { selector: 'a=b' } });
    expect((await reader.get(SANDBOXES, ref)).status?.selector).toBeUndefined();
    const written = await writer.mergePatch(SANDBOXES, ref, { status: { selector: 'a=b' } }, { subresource: 'status' });
    expect(written.status?.selector).toBe('a=b');
  });

  test('the Roles of some namespaces are enough for a cache of these', async () => {
    const { admin } = testbed.cluster;
    const other = await testbed.cluster.createNamespace('kube-roles');
    try {
      for (const namespace of [testbed.namespace, other]) {
        await admin.create({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { namespace, name: 'reads' }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'watch'] }] });
        await admin.create({
          apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { namespace, name: 'reads' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reads' }, subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'reader' }],
        });
      }
      const limited = connect(loadCredentials({ kubeconfig: (await testbed.cluster.kubeconfig({ user: 'reader' })).path }));
      const informer = start(new Informer<ConfigMap>(limited, CONFIG_MAPS, { namespaces: [testbed.namespace, other] }));
      await informer.waitForSync({ timeoutMs: 15_000 });
      await new Writer(cluster).create(CONFIG_MAPS, configMap(other, 'seen'));
      await eventually('the object', () => informer.store.get(`${other}/seen`));
      const refused = start(new Informer<ConfigMap>(limited, CONFIG_MAPS));
      await expect(refused.waitForSync({ timeoutMs: 1000 })).rejects.toThrow('last error: list configmaps: 403 Forbidden');
    } finally {
      await testbed.cluster.deleteNamespace(other);
    }
  }, 30_000);

  test('of two candidates one leads, and the other takes over when it is released, or falls silent', async () => {
    const fast = { leaseDurationMs: 2000, renewDeadlineMs: 1500, retryPeriodMs: 200 };
    const leaders: string[] = [];
    const cutters: Cutter[] = [];
    const candidate = async (identity: string) => {
      const { cutter, credentials: own } = await Cutter.inFrontOf(credentials);
      cutters.push(cutter);
      const end = new AbortController();
      stop.signal.addEventListener('abort', () => end.abort());
      const elector = new LeaderElector({ cluster: connect(own), namespace: testbed.namespace, name: 'lock', identity, ...fast });
      const outcome = elector.run(signal => {
        leaders.push(identity);
        return new Promise(resolve => signal.addEventListener('abort', () => resolve()));
      }, end.signal).then(() => 'ended', error => error.name);
      running.push(outcome);
      return { end, cutter, outcome };
    };
    try {
      const one = await candidate('one');
      await eventually('the first', () => leaders.includes('one'));
      const two = await candidate('two');
      one.end.abort();
      expect(await one.outcome).toBe('ended');
      await eventually('the second', () => leaders.includes('two'));
      const three = await candidate('three');
      await two.cutter.close();
      expect(await two.outcome).toBe('LeadershipLostError');
      await eventually('the third', () => leaders.includes('three'));
      expect(leaders).toEqual(['one', 'two', 'three']);
      const lease = await reader.get(LEASES, { namespace: testbed.namespace, name: 'lock' });
      expect(lease.spec).toMatchObject({ holderIdentity: 'three', leaseTransitions: 2 });
      three.end.abort();
      expect(await three.outcome).toBe('ended');
    } finally {
      stop.abort();
      await Promise.all(running.splice(0));
      await Promise.all(cutters.map(cutter => cutter.close()));
    }
  }, 30_000);

  test('Events are taken by the server, and repetitions counted', async () => {
    const recorder = new EventRecorder({ cluster, controller: 'kube-test', instance: 'pod-1', seriesFlushMs: 10 });
    const regarding = await new Writer(cluster).create(CONFIG_MAPS, configMap(testbed.namespace, 'eventful'));
    for (let times = 0; times < 3; times++) {
      recorder.record(regarding, { type: 'Warning', reason: 'Tested', action: 'Testing', note: 'for a test' });
    }
    const find = async () => (await reader.list(EVENTS, { namespace: testbed.namespace })).filter(({ reason }) => reason === 'Tested');
    await eventually('the count', async () => (await find())[0]?.series?.count === 3);
    await recorder.close();
    expect(await find()).toMatchObject([{ type: 'Warning', action: 'Testing', note: 'for a test', reportingController: 'kube-test', regarding: { uid: regarding.metadata.uid } }]);
  });
});
