import { CustomObjectsApi, KubeConfig, KubernetesObject, PatchStrategy, makeInformer, setHeaderOptions } from '@kubernetes/client-node';
import { GROUP, NAMESPACE, PLURAL, VERSION } from './subject.js';
import { measure } from './worker.js';

await measure(kubeconfig => {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CustomObjectsApi);
  const informer = makeInformer<KubernetesObject>(
    config, `/apis/${GROUP}/${VERSION}/${PLURAL}`, () => api.listClusterCustomObject({ group: GROUP, version: VERSION, plural: PLURAL }),
  );
  return {
    sync: async () => {
      await informer.start();
      return informer.list().length;
    },
    patch: (name, label) => api.patchNamespacedCustomObject(
      { group: GROUP, version: VERSION, plural: PLURAL, namespace: NAMESPACE, name, body: { metadata: { labels: { bench: label } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    ),
    close: () => informer.stop(),
  };
});
