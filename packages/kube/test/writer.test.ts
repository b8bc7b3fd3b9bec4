import type { Cluster } from '../src/cluster.js';
import { Informer } from '../src/informer.js';
import { type Write, Writer } from '../src/writer.js';
import { FakeApiServer } from './fake-api-server.js';
import { COLLECTION, CONFIG_MAPS, type ConfigMap, clusterOf, configMap, eventually } from './support.js';

const ref = { namespace: 'a', name: 'x' };

describe('Writer', () => {
  let server: FakeApiServer;
  let cluster: Cluster;
  const sent = () => server.requests.filter(({ method }) => method !== 'GET').map(({ method, path, query, headers, body }) => ({ method, path, query, type: headers['content-type'], body }));
  beforeEach(async () => {
    server = await FakeApiServer.start();
    cluster = clusterOf(server);
  });
  afterEach(async () => {
    await cluster.close();
    await server.stop();
  });

  test('a create is complete with kind and version, and may leave the name to the server', async () => {
    const writer = new Writer(cluster, { fieldManager: 'sandbox-controller' });
    const created = await writer.create(CONFIG_MAPS, { metadata: { namespace: 'a', generateName: 'x-' } });
    expect(created.metadata.name).toMatch(/^x-\d+$/);
    expect(sent()).toEqual([{
      method: 'POST', path: '/api/v1/namespaces/a/configmaps', query: { fieldManager: 'sandbox-controller' }, type: 'application/json',
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'a', generateName: 'x-' } },
    }]);
  });

  test('a merge patch carries the version and uid that it is meant for', async () => {
    const stored = server.put(COLLECTION, configMap('a', 'x'));
    const writer = new Writer(cluster);
    await writer.mergePatch(CONFIG_MAPS, ref, { metadata: { labels: { a: '1' } } }, { resourceVersion: stored.metadata.resourceVersion, uid: stored.metadata.uid });
    await expect(writer.mergePatch(CONFIG_MAPS, ref, { data: {} }, { resourceVersion: stored.metadata.resourceVersion })).rejects.toMatchObject({ situation: 'conflict' });
    expect(sent()).toEqual([
      { method: 'PATCH', path: '/api/v1/namespaces/a/configmaps/x', query: {}, type: 'application/merge-patch+json', body: { metadata: { labels: { a: '1' }, resourceVersion: '101', uid: 'uid-1' } } },
      { method: 'PATCH', path: '/api/v1/namespaces/a/configmaps/x', query: {}, type: 'application/merge-patch+json', body: { data: {}, metadata: { resourceVersion: '101' } } },
    ]);
  });

  test('a JSON patch begins with its tests', async () => {
    await new Writer(cluster).jsonPatch(CONFIG_MAPS, ref, [{ op: 'remove', path: '/data' }], { uid: 'u', resourceVersion: '7' }).catch(() => undefined);
    expect(sent()[0]).toMatchObject({
      type: 'application/json-patch+json',
      body: [{ op: 'test', path: '/metadata/uid', value: 'u' }, { op: 'test', path: '/metadata/resourceVersion', value: '7' }, { op: 'remove', path: '/data' }],
    });
  });

  test('an apply needs a manager, and says whether it takes over', async () => {
    expect(() => new Writer(cluster).apply(CONFIG_MAPS, configMap('a', 'x'))).toThrow('server-side apply needs a field manager: give the Writer a fieldManager');
    await new Writer(cluster, { fieldManager: 'me' }).apply(CONFIG_MAPS, configMap('a', 'x'), { force: true, dryRun: true }).catch(() => undefined);
    expect(sent()[0]).toMatchObject({ type: 'application/apply-patch+yaml', query: { fieldManager: 'me', force: 'true', dryRun: 'All' } });
  });

  test('a deletion says what it is meant for', async () => {
    await new Writer(cluster).delete(CONFIG_MAPS, ref, { uid: 'u', resourceVersion: '7', propagationPolicy: 'Foreground', gracePeriodSeconds: 0 }).catch(() => undefined);
    expect(sent()[0]).toMatchObject({
      method: 'DELETE', path: '/api/v1/namespaces/a/configmaps/x',
      body: { kind: 'DeleteOptions', preconditions: { uid: 'u', resourceVersion: '7' }, propagationPolicy: 'Foreground', gracePeriodSeconds: 0 },
    });
  });

  test('each write is announced before it is sent, and can be stopped there', async () => {
    const writes: string[] = [];
    const show = ({ verb, resource, subresource, namespace, name }: Write) => `${verb} ${resource.plural}/${subresource} ${namespace}/${name}`;
    const writer = new Writer(cluster, {
      onWrite: write => {
        writes.push(show(write));
        if (writes.length === 4) {
          throw new Error('crashed');
        }
      },
    });
    await writer.create(CONFIG_MAPS, configMap('a', 'x'));
    await writer.mergePatch(CONFIG_MAPS, ref, { status: { ready: true } }, { subresource: 'status' });
    await writer.update(CONFIG_MAPS, configMap('a', 'x'));
    await expect(writer.delete(CONFIG_MAPS, ref)).rejects.toThrow('crashed');
    expect(writes).toEqual(['create configmaps/ a/undefined', 'patch configmaps/status a/x', 'update configmaps/ a/x', 'delete configmaps/ a/x']);
    expect(sent()).toHaveLength(3);
  });

  describe('with a connected cache', () => {
    let stop: AbortController;
    let running: Promise<void>;
    let informer: Informer<ConfigMap>;
    let writer: Writer;
    beforeEach(async () => {
      stop = new AbortController();
      informer = new Informer<ConfigMap>(cluster, CONFIG_MAPS);
      writer = new Writer(cluster).connect(informer);
      server.put(COLLECTION, configMap('a', 'x', { value: '1' }));
      running = informer.run(stop.signal);
      await informer.waitForSync();
      await eventually('the watch', () => server.watchCount === 1);
      // From here on the cache gets nothing but the writer's answers.
      server.fail(({ isWatch }) => isWatch, 'cut', 1000);
      server.cutWatches();
    });
    afterEach(async () => {
      stop.abort();
      await running;
    });

    test('what was written is what the next look sees', async () => {
      const patched = await writer.mergePatch(CONFIG_MAPS, ref, { data: { value: '2' } });
      expect(informer.store.get('a/x')).toBe(patched);
      const created = await writer.create(CONFIG_MAPS, configMap('a', 'y'));
      expect(informer.store.get('a/y')).toBe(created);
      await writer.update(CONFIG_MAPS, { ...created, data: { value: '3' } });
      expect(informer.store.get('a/y')?.data).toEqual({ value: '3' });
    });

    test('what was deleted is gone', async () => {
      await expect(writer.delete(CONFIG_MAPS, ref)).resolves.toBeUndefined();
      expect(informer.store.get('a/x')).toBeUndefined();
    });

    test('what lives on because of a finalizer is seen to be on its end', async () => {
      const created = await writer.create(CONFIG_MAPS, { ...configMap('a', 'y'), metadata: { namespace: 'a', name: 'y', finalizers: ['example.com/hold'] } });
      const dying = await writer.delete(CONFIG_MAPS, { namespace: 'a', name: 'y' }, { uid: created.metadata.uid });
      expect(dying?.metadata.deletionTimestamp).toBeTruthy();
      expect(informer.store.get('a/y')).toBe(dying);
    });

    test('a dry run and other subresources leave the cache alone', async () => {
      const before = informer.store.get('a/x');
      await writer.mergePatch(CONFIG_MAPS, ref, { data: { value: '2' } }, { dryRun: true });
      await writer.mergePatch(CONFIG_MAPS, ref, { spec: { replicas: 1 } }, { subresource: 'scale' });
      expect(informer.store.get('a/x')).toBe(before);
    });
  });
});
