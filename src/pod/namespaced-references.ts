import type * as l1 from '../../imports';
import type { Problems } from '../checks';

/**
 * Holds a template for claims of other namespaces against the rule that its Pod names nothing of its own.
 *
 * @internal
 */
export function checkNamespacedReferences(problems: Problems, claimableFrom: readonly string[] | undefined, spec: l1.PodSpec | undefined): void {
  const references = claimableFrom?.length && spec ? namespacedReferences(spec) : [];
  if (references.length > 0) {
    problems.add('claimableFrom', claimableFrom, `claims of other namespaces would mean other objects there, so the controller refuses a template that names ${references.join(', ')}: remove them, or leave claimableFrom out`);
  }
}

/**
 * What a Pod names in its own namespace, as `kind 'name'`: it means other objects in every other namespace.
 *
 * @internal
 */
function namespacedReferences(spec: l1.PodSpec): string[] {
  const references: string[] = [];
  const note = (kind: string, name: string | undefined) => {
    if (name) {
      references.push(`${kind} '${name}'`);
    }
  };
  note('service account', spec.serviceAccountName);
  spec.imagePullSecrets?.forEach(secret => note('secret', secret.name));
  for (const volume of spec.volumes ?? []) {
    note('secret', volume.secret?.secretName);
    note('config map', volume.configMap?.name);
    note('persistent volume claim', volume.persistentVolumeClaim?.claimName);
    for (const source of volume.projected?.sources ?? []) {
      note('secret', source.secret?.name);
      note('config map', source.configMap?.name);
    }
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const variable of container.env ?? []) {
      note('secret', variable.valueFrom?.secretKeyRef?.name);
      note('config map', variable.valueFrom?.configMapKeyRef?.name);
    }
    for (const source of container.envFrom ?? []) {
      note('secret', source.secretRef?.name);
      note('config map', source.configMapRef?.name);
    }
  }
  return [...new Set(references)];
}
