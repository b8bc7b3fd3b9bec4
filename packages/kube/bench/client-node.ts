import { CustomObjectsApi, KubeConfig, type KubernetesObject, PatchStrategy, makeInformer, setHeaderOptions } from '@kubernetes/client-node';
import { SANDBOXES } from 'agent-sandbox-api';
import { NAMESPACE } from './subject.js';
import { measure } from './worker.js';

const { group, version, plural } = SANDBOXES;

await measure(kubeconfig => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CustomObjectsApi);
  const informer = makeInformer<KubernetesObject>(
    config, `/apis/${group}/${version}/${plural}`, () => api.listClusterCustomObject({ group, version, plural }),
  );
  return {
    sync: async () => {
      await informer.start();
      return informer.list().length;
    },
    patch: (name, label) => api.patchNamespacedCustomObject(
      { group, version, plural, namespace: NAMESPACE, name, body: { metadata: { labels: { bench: label } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    ),
    close: () => informer.stop(),
  };
});
