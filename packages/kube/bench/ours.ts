import { Cluster, Informer, KubeObject, Writer, customResource, loadCredentials } from '../src/index.js';
import { GROUP, NAMESPACE, PLURAL, VERSION } from './subject.js';
import { measure } from './worker.js';

await measure(kubeconfig => {
  const resource = customResource<KubeObject>(GROUP, VERSION, 'Sandbox', PLURAL);
  const cluster = new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'bench' });
  const informer = new Informer(cluster, resource);
  const writer = new Writer(cluster);
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  return {
    sync: async () => {
      running = informer.run(stop.signal);
      await informer.waitForSync();
      return informer.store.size;
    },
    patch: (name, label) => writer.mergePatch(resource, { namespace: NAMESPACE, name }, { metadata: { labels: { bench: label } } }),
    close: async () => {
      stop.abort();
      await running;
      await cluster.close();
    },
  };
});
