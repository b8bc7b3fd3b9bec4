import { SANDBOXES } from 'agent-sandbox-api';
import { Cluster, Informer, Writer, loadCredentials } from '../src/index.js';
import { NAMESPACE } from './subject.js';
import { measure } from './worker.js';

await measure(kubeconfig => {
  const cluster = new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'bench' });
  const informer = new Informer(cluster, SANDBOXES);
  const writer = new Writer(cluster);
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  return {
    sync: async () => {
      running = informer.run(stop.signal);
      await informer.waitForSync();
      return informer.store.size;
    },
    patch: (name, label) => writer.mergePatch(SANDBOXES, { namespace: NAMESPACE, name }, { metadata: { labels: { bench: label } } }),
    close: async () => {
      stop.abort();
      await running;
      await cluster.close();
    },
  };
});
