import { NAMESPACES } from 'agent-sandbox-api';
import { ManualClock } from '../src/clock.js';
import type { Cluster } from '../src/cluster.js';
import { Informer, type InformerOptions, SyncTimeoutError } from '../src/informer.js';
import { silentLogger } from '../src/logger.js';
import { FakeApiServer, type Received } from './fake-api-server.js';
import { COLLECTION, CONFIG_MAPS, type ConfigMap, clusterOf, configMap, eventually } from './support.js';

const isList = ({ isWatch, method }: Received) => method === 'GET' && !isWatch;
const isWatch = (request: Received) => request.isWatch;

describe('Informer', () => {
  let server: FakeApiServer;
  let cluster: Cluster;
  let clock: ManualClock;
  let stop: AbortController;
  let running: Promise<void>[];
  let ends: string[];

  const start = (options: InformerOptions<ConfigMap> = {}) => {
    const informer = new Informer(cluster, CONFIG_MAPS, { metrics: { watchEnded: (_, why) => ends.push(why) }, ...options });
    running.push(informer.run(stop.signal));
    return informer;
  };
  const watched = (count = 1) => eventually(`${count} watches`, () => server.watchCount === count);
  const data = (informer: Informer<ConfigMap>, key: string) => informer.store.get(key)?.data?.value;
  /** Moves time on as soon as the informer pauses for this long. */
  const pause = async (ms: number) => {
    await eventually(`a pause of ${ms} ms (next timer in ${clock.nextTimerMs})`, () => clock.nextTimerMs === ms);
    clock.advance(ms);
  };
  beforeEach(async () => {
    server = await FakeApiServer.start();
    clock = new ManualClock();
    cluster = clusterOf(server, { clock });
    stop = new AbortController();
    running = [];
    ends = [];
  });
  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    await cluster.close();
    await server.stop();
  });

  test('lists page by page, watches from the version of the list, and sees every kind of change', async () => {
    for (let number = 0; number < 7; number++) {
      server.put(COLLECTION, configMap('a', `x-${number}`));
    }
    const informer = start({ pageSize: 3 });
    expect(informer.hasSynced).toBe(false);
    await informer.waitForSync();
    expect(informer.store.size).toBe(7);
    expect(server.requests.filter(isList).map(({ query }) => [query.limit, query.continue, query.resourceVersion])).toEqual([
      ['3', undefined, undefined], ['3', 'page-1', undefined], ['3', 'page-2', undefined],
    ]);
    await watched();
    const { query } = server.requests.find(isWatch)!;
    expect(query).toMatchObject({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '107', timeoutSeconds: '300' });

    server.put(COLLECTION, configMap('a', 'new', { value: '1' }));
    await eventually('the addition', () => data(informer, 'a/new') === '1');
    server.put(COLLECTION, configMap('a', 'new', { value: '2' }));
    await eventually('the change', () => data(informer, 'a/new') === '2');
    server.remove(COLLECTION, 'a/x-0');
    await eventually('the deletion', () => !informer.store.get('a/x-0'));
    expect(server.requests.filter(isList)).toHaveLength(3);
  });

  test('objects of a list are as complete as those of a watch', async () => {
    server.put(COLLECTION, { metadata: { namespace: 'a', name: 'bare' } });
    const informer = start();
    await informer.waitForSync();
    expect(informer.store.get('a/bare')).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
  });

  test('a watch that breaks goes on where it was, without another list', async () => {
    const informer = start();
    await watched();
    server.put(COLLECTION, configMap('a', 'x', { value: '1' }));
    await eventually('the event', () => data(informer, 'a/x') === '1');
    server.cutWatches();
    server.put(COLLECTION, configMap('a', 'x', { value: '2' }));
    await pause(100);
    await eventually('what was missed', () => data(informer, 'a/x') === '2');
    expect(server.requests.filter(isList)).toHaveLength(1);
    expect(server.requests.filter(isWatch).map(({ query }) => query.resourceVersion)).toEqual(['100', '101']);
    expect(ends).toEqual(['failed']);
  });

  test('a watch that the server ends as planned goes on at once', async () => {
    const informer = start();
    await watched();
    server.put(COLLECTION, configMap('a', 'x', { value: '1' }));
    await eventually('the event', () => data(informer, 'a/x') === '1');
    server.endWatches();
    await eventually('another watch', () => server.requests.filter(isWatch).length === 2);
    expect(ends).toEqual(['closed']);
  });

  test('watches that end at once and tell nothing are not repeated without a pause', async () => {
    start();
    for (const ms of [100, 200, 400]) {
      await watched();
      server.endWatches();
      await pause(ms);
    }
    await watched();
    server.bookmark();
    await eventually('the bookmark', () => server.requests.filter(isWatch).length === 4);
  });

  test('a bookmark moves the place where a broken watch goes on', async () => {
    const informer = start();
    await watched();
    server.put('/api/v1/secrets', configMap('a', 'other'));
    server.bookmark();
    await eventually('the bookmark', () => informer.store.position() === '101');
    server.compact();
    server.cutWatches();
    await pause(100);
    await watched();
    expect(server.requests.filter(isWatch).at(-1)!.query.resourceVersion).toBe('101');
    expect(server.requests.filter(isList)).toHaveLength(1);
  });

  test.each([['by status', false], ['by an event', true]])('a version that is too old (reported %s) leads to a new list, which finds missed deletions', async (_, asEvent) => {
    server.goneAsEvent = asEvent;
    server.put(COLLECTION, configMap('a', 'deleted'));
    server.put(COLLECTION, configMap('a', 'changed', { value: '1' }));
    const informer = start();
    const calls: string[] = [];
    await watched();
    informer.store.addHandler({
      add: (object, origin) => calls.push(`add ${object.metadata.name} ${origin}`),
      update: (_before, after, origin) => calls.push(`update ${after.metadata.name} ${origin}`),
      delete: (object, origin) => calls.push(`delete ${object.metadata.name} ${origin}`),
    });
    calls.splice(0);
    server.cutWatches();
    server.remove(COLLECTION, 'a/deleted');
    server.put(COLLECTION, configMap('a', 'changed', { value: '2' }));
    server.put(COLLECTION, configMap('a', 'new'));
    server.compact();
    await pause(100);
    await pause(200);
    await eventually('the list', () => data(informer, 'a/changed') === '2');
    expect(calls).toEqual(['update changed list', 'add new list', 'delete deleted list']);
    expect(ends).toEqual(['failed', 'gone']);
    await watched();
  });

  test('a page that is too old leads to one list in one piece', async () => {
    for (let number = 0; number < 5; number++) {
      server.put(COLLECTION, configMap('a', `x-${number}`));
    }
    const { arrived, open } = server.hold(({ query }) => query.continue !== undefined);
    const informer = start({ pageSize: 2 });
    await arrived;
    server.compact();
    open();
    await informer.waitForSync();
    expect(informer.store.size).toBe(5);
    expect(server.requests.filter(isList).map(({ query }) => query.limit)).toEqual(['2', '2', undefined]);
  });

  test('failures are repeated with growing pauses, or after the time the server asks for, and are visible', async () => {
    server.fail(isList, { code: 403, reason: 'Forbidden' }, 2);
    server.fail(isList, { code: 429, reason: 'TooManyRequests', retryAfter: 7 });
    const informer = start();
    await pause(100);
    await pause(200);
    await pause(7000);
    await informer.waitForSync();
    expect(informer.lastError).toBeUndefined();
    expect(server.requests.filter(isList)).toHaveLength(4);
  });

  test.each([
    ['ClusterRole', {}], ['Role in the namespace a', { namespaces: ['a'] }],
  ])('a right that is missing is named as the rule that its %s needs, in a warning', async (role, options: InformerOptions<ConfigMap>) => {
    const warnings: string[] = [];
    cluster = clusterOf(server, { clock, logger: { ...silentLogger, warn: (_, message) => warnings.push(message) } });
    server.fail(isList, { code: 403, reason: 'Forbidden' });
    start(options);
    await eventually('a warning', () => warnings[0]);
    expect(warnings[0]).toContain(`add the rule {apiGroups: [""], resources: ["configmaps"], verbs: ["list", "watch"]} to its ${role}`);
  });

  test('a version that the server keeps refusing for another reason leads to a new list', async () => {
    const informer = start();
    await watched();
    server.fail(isWatch, { code: 400, reason: 'BadRequest' }, 3);
    server.cutWatches();
    for (const ms of [100, 200, 400, 800]) {
      await pause(ms);
    }
    await eventually('a list', () => server.requests.filter(isList).length === 2);
    await watched();
    expect(informer.hasSynced).toBe(true);
  });

  test('a watch without a sign of life is given up', async () => {
    const informer = start({ idleTimeoutMs: 10 });
    await eventually('the end of a watch', () => ends.length === 1, { timeoutMs: 4000 });
    expect(ends).toEqual(['failed']);
    await pause(100);
    expect(informer.store.size).toBe(0);
  });

  test('lines that arrive in pieces, and characters in halves, are put together', async () => {
    const informer = start();
    await watched();
    const text = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: { metadata: { namespace: 'a', name: 'x', uid: 'u', resourceVersion: '200' }, data: { value: 'schön' } } })}\n`);
    const middle = text.indexOf(0xc3) + 1;
    server.sendRaw(text.subarray(0, middle));
    await new Promise(resolve => setImmediate(resolve));
    server.sendRaw(text.subarray(middle));
    await eventually('the object', () => data(informer, 'a/x') === 'schön');
  });

  test('a line that is no JSON ends the watch, which goes on where it was', async () => {
    const informer = start();
    await watched();
    server.sendRaw('not json\n');
    await pause(100);
    await watched();
    server.put(COLLECTION, configMap('a', 'x', { value: '1' }));
    await eventually('the event', () => data(informer, 'a/x') === '1');
  });

  describe('with selectors', () => {
    test('asks the server for the objects it wants, and sees them come and go', async () => {
      server.put(COLLECTION, configMap('a', 'mine', {}, { owner: 'me' }));
      server.put(COLLECTION, configMap('a', 'other', {}));
      const informer = start({ labelSelector: 'owner=me' });
      await informer.waitForSync();
      expect(informer.store.list().map(object => object.metadata.name)).toEqual(['mine']);
      await watched();
      server.put(COLLECTION, configMap('a', 'mine'));
      server.put(COLLECTION, configMap('a', 'other', {}, { owner: 'me' }));
      await eventually('the change', () => informer.store.get('a/other') && !informer.store.get('a/mine'));
      expect(server.requests.map(({ query }) => query.labelSelector)).toEqual(['owner=me', 'owner=me']);
    });

    test('a selector that is wrong is refused before the server is asked', () => {
      expect(() => new Informer(cluster, CONFIG_MAPS, { labelSelector: 'a b' })).toThrow('label selector "a b"');
    });

    test('with a field selector, own writes change and never add', async () => {
      const informer = start({ fieldSelector: 'metadata.name=x' });
      await watched();
      const object = (name: string, version: string) => ({ ...configMap('a', name), metadata: { namespace: 'a', name, uid: name, resourceVersion: version } });
      expect(informer.store.observe(object('y', '200'))).toBe(false);
      server.put(COLLECTION, configMap('a', 'x'));
      await eventually('the object', () => informer.store.get('a/x'));
      expect(informer.store.observe({ ...informer.store.get('a/x')!, metadata: { ...informer.store.get('a/x')!.metadata, resourceVersion: '201' } })).toBe(true);
    });
  });

  describe('with several namespaces', () => {
    test('lists and watches each for itself, in one store, and is complete when all are', async () => {
      server.put(COLLECTION, configMap('a', 'x'));
      server.put(COLLECTION, configMap('b', 'x'));
      server.put(COLLECTION, configMap('c', 'x'));
      const { arrived, open } = server.hold(({ path }) => path.includes('/namespaces/b/'));
      const informer = start({ namespaces: ['a', 'b', 'a'] });
      await arrived;
      await watched(1);
      expect([informer.hasSynced, informer.store.size]).toEqual([false, 1]);
      open();
      await informer.waitForSync();
      await watched(2);
      expect(informer.store.list().map(object => object.metadata.namespace).sort()).toEqual(['a', 'b']);
      expect(new Set(server.requests.map(({ path }) => path))).toEqual(new Set(['/api/v1/namespaces/a/configmaps', '/api/v1/namespaces/b/configmaps']));
    });

    test('a namespace that is refused does not hold up the others, and the error names it', async () => {
      server.put(COLLECTION, configMap('a', 'x'));
      server.fail(({ path }) => path.includes('/namespaces/b/'), { code: 403, reason: 'Forbidden' }, 1000);
      const informer = start({ namespaces: ['a', 'b'] });
      const waiting = informer.waitForSync({ timeoutMs: 60 }).catch(error => error);
      await eventually('one namespace', () => informer.store.size === 1 && informer.lastError);
      clock.advance(60);
      const error = await waiting;
      expect(error).toBeInstanceOf(SyncTimeoutError);
      expect(error.message).toBe('no complete list of configmaps in "a", configmaps in "b" within 60 ms; last error: list configmaps in "b": 403 Forbidden: injected 403');
    });

    test('none at all, or some for a cluster-scoped kind, is refused', () => {
      expect(() => new Informer(cluster, CONFIG_MAPS, { namespaces: [] })).toThrow('namespaces is an empty list: name at least one, or leave it out for the whole cluster');
      expect(() => new Informer(cluster, NAMESPACES, { namespaces: ['a'] })).toThrow('namespaces are cluster-scoped: leave out namespaces');
    });
  });

  test('waiting for a complete list ends with the signal', async () => {
    server.hold(isList);
    const informer = start();
    const controller = new AbortController();
    const waiting = informer.waitForSync({ signal: controller.signal });
    controller.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    await expect(informer.waitForSync({ signal: controller.signal })).rejects.toThrow('stop');
  });

  test('runs once', async () => {
    const informer = start();
    await expect(informer.run(stop.signal)).rejects.toThrow('the informer of configmaps runs already');
  });
});
