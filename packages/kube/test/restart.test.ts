import { keyOf } from 'agent-sandbox-api';
import { ControlPlane } from '../../../testbed/src/control-plane.js';
import { describeWithPrograms } from '../../../testbed/src/jest/index.js';
import { Cluster } from '../src/cluster.js';
import { isNotFound } from '../src/errors.js';
import { Informer } from '../src/informer.js';
import { loadCredentials } from '../src/kubeconfig.js';
import { LeaderElector } from '../src/leader.js';
import { Reader } from '../src/reader.js';
import { Writer } from '../src/writer.js';
import { CONFIG_MAPS, type ConfigMap, configMap, eventually } from './support.js';

const SUITE_MS = 180_000;

describeWithPrograms('when the API server restarts', () => {
  test('caches catch up, writes go on, and the leader stays the leader', async () => {
    await using controlPlane = await ControlPlane.start();
    const cluster = new Cluster({ credentials: loadCredentials({ kubeconfig: (await controlPlane.kubeconfig()).path }), userAgent: 'kube-test/1.0' });
    const stop = new AbortController();
    const informer = new Informer<ConfigMap>(cluster, CONFIG_MAPS, { namespaces: ['default'] });
    const writer = new Writer(cluster);
    const told = new Map<string, ConfigMap>();
    informer.store.addHandler({
      add: object => told.set(keyOf(object), object), update: (_, object) => told.set(keyOf(object), object), delete: object => told.delete(keyOf(object)),
    });
    const elector = new LeaderElector({ cluster, namespace: 'default', name: 'lock', identity: 'one', leaseDurationMs: 60_000, renewDeadlineMs: 50_000 });
    let terms = 0;
    const leading = elector.run(signal => {
      terms++;
      return new Promise(resolve => signal.addEventListener('abort', () => resolve()));
    }, stop.signal);
    const running = informer.run(stop.signal);
    const list = async () => (await new Reader(cluster).list(CONFIG_MAPS, { namespace: 'default' })).map(object => `${keyOf(object)}@${object.metadata.resourceVersion}`).sort();
    try {
      await informer.waitForSync();
      await eventually('the leader', () => terms === 1);
      for (let round = 1; round <= 2; round++) {
        await writer.create(CONFIG_MAPS, configMap('default', `before-${round}`));
        await eventually('the object', () => told.has(`default/before-${round}`));
        await controlPlane.restart('kube-apiserver');
        await writer.create(CONFIG_MAPS, configMap('default', `after-${round}`));
        await writer.delete(CONFIG_MAPS, { namespace: 'default', name: `before-${round}` }).catch(error => expect(isNotFound(error)).toBe(true));
        await eventually('the changes', () => told.has(`default/after-${round}`) && !told.has(`default/before-${round}`), { timeoutMs: 40_000 });
      }
      expect([...told.values()].map(object => `${keyOf(object)}@${object.metadata.resourceVersion}`).sort()).toEqual(await list());
      expect(informer.lastError).toBeUndefined();
      expect([terms, elector.isLeader]).toEqual([1, true]);
    } finally {
      stop.abort();
      await Promise.all([running, leading]);
      await cluster.close();
    }
  }, SUITE_MS);
});
