import * as fc from 'fast-check';
import { keyOf } from 'agent-sandbox-api';
import { Informer } from '../src/informer.js';
import { isNotFound } from '../src/errors.js';
import { Writer } from '../src/writer.js';
import { FakeApiServer } from './fake-api-server.js';
import { COLLECTION, CONFIG_MAPS, type ConfigMap, clusterOf, configMap, eventually } from './support.js';

const key = fc.record({ namespace: fc.constantFrom('a', 'b'), name: fc.constantFrom('x', 'y', 'z') });
const mine = fc.boolean();
const command = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('put' as const), key, mine }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('write' as const), key, mine }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'end' as const, 'compact' as const, 'bookmark' as const, 'settle' as const) }) },
);

test('whatever others write, we write, and the network does, the cache ends equal to the server', async () => {
  await fc.assert(fc.asyncProperty(fc.array(command, { maxLength: 40, size: 'max' }), fc.boolean(), fc.boolean(), async (commands, split, selects) => {
    const server = await FakeApiServer.start();
    const cluster = clusterOf(server);
    const informer = new Informer<ConfigMap>(cluster, CONFIG_MAPS, {
      namespaces: split ? ['a', 'b'] : undefined, labelSelector: selects ? 'mine' : undefined, pageSize: 2, backoff: { baseMs: 1, maxMs: 1 },
    });
    const told = new Map<string, ConfigMap>();
    informer.store.addHandler({
      add: object => told.set(keyOf(object), object), update: (_, object) => told.set(keyOf(object), object), delete: object => told.delete(keyOf(object)),
    });
    const writer = new Writer(cluster).connect(informer);
    const stop = new AbortController();
    const running = informer.run(stop.signal);
    const versions = (objects: Iterable<{ metadata: { namespace?: string; name?: string; resourceVersion?: string } }>) =>
      [...objects].map(({ metadata }) => `${metadata.namespace}/${metadata.name}@${metadata.resourceVersion}`).sort();
    const expected = () => versions([...server.all(COLLECTION).values()].filter(({ metadata }) => !selects || metadata.labels?.mine));
    const settled = () => eventually(`${expected()} instead of ${versions(informer.store.list())}`, () => informer.hasSynced && String(versions(informer.store.list())) === String(expected()));
    const labels = (isMine: boolean) => (isMine ? { mine: 'yes' } : undefined);
    try {
      for (const step of commands) {
        switch (step.do) {
          case 'put': server.put(COLLECTION, configMap(step.key.namespace, step.key.name, {}, labels(step.mine))); break;
          case 'remove': server.remove(COLLECTION, `${step.key.namespace}/${step.key.name}`); break;
          case 'write': {
            const exists = server.all(COLLECTION).has(`${step.key.namespace}/${step.key.name}`);
            const written = exists
              ? await writer.mergePatch(CONFIG_MAPS, step.key, { metadata: { labels: { mine: step.mine ? 'yes' : null } } })
              : await writer.create(CONFIG_MAPS, configMap(step.key.namespace, step.key.name, {}, labels(step.mine)));
            const cached = informer.store.get(step.key);
            // There are no other writers, so the next look sees the own write.
            expect(cached?.metadata.resourceVersion).toBe(selects && !step.mine ? undefined : written.metadata.resourceVersion);
            break;
          }
          case 'delete':
            await writer.delete(CONFIG_MAPS, step.key).then(
              () => expect(informer.store.get(step.key)).toBeUndefined(),
              // The cache need not know yet that others were first.
              error => expect(isNotFound(error)).toBe(true),
            );
            break;
          case 'cut': server.cutWatches(); break;
          case 'end': server.endWatches(); break;
          case 'compact': server.compact(); break;
          case 'bookmark': server.bookmark(); break;
          default: await settled();
        }
      }
      await settled();
      expect(versions(told.values())).toEqual(versions(informer.store.list()));
    } finally {
      stop.abort();
      await running;
      await cluster.close();
      await server.stop();
    }
  }), { numRuns: 40 });
}, 60_000);
