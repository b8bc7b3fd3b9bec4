import { FindingSeverity } from './finding';
import { blueprints, containersOf } from './pods';
import type { Rule, Subject, World } from './world';

/** What an object names in its own namespace. */
interface Reference {
  readonly field: string;
  readonly kind: string;
  readonly name: string;
  /** Key in a Secret or ConfigMap. */
  readonly key?: string;
  readonly optional?: boolean;
}

export const REFERENCE_RULES: readonly Rule[] = [
  {
    id: 'other-namespace',
    severity: FindingSeverity.ERROR,
    summary: 'An object names another that this app defines in another namespace only; references do not cross namespaces.',
    check: (world, report) => {
      forEachReference(world, (subject, { field, kind, name }) => {
        const others = world.beside(subject, kind, name) ? [] : world.elsewhere(subject, kind, name);
        if (others.length > 0) {
          report(subject, field, name, `this app has a ${kind} of this name in namespace '${others[0].namespace}' only (${others[0].place}), and '${subject.namespace}' cannot see it`,
            `define it in '${subject.namespace}', or this object in '${others[0].namespace}'`);
        }
      });
    },
  },
  {
    id: 'missing-key',
    severity: FindingSeverity.ERROR,
    summary: 'A Pod names a key that the Secret or ConfigMap of this app does not have.',
    check: (world, report) => {
      forEachReference(world, (subject, { field, kind, name, key, optional }) => {
        const target = key === undefined || optional ? undefined : world.beside(subject, kind, name);
        const keys = target && Object.keys({ ...target.manifest.data, ...target.manifest.stringData, ...target.manifest.binaryData });
        // An empty one is filled by something else.
        if (keys && keys.length > 0 && !keys.includes(key!)) {
          report(subject, field, key, `the ${kind} ${target.place} has no such key`, `use one of ${keys.sort().map(each => `'${each}'`).join(', ')}, or add it there`);
        }
      });
    },
  },
];

function forEachReference(world: World, visit: (subject: Subject, reference: Reference) => void): void {
  for (const blueprint of blueprints(world)) {
    podReferences(blueprint.spec.podTemplate?.spec ?? {}).forEach(reference => visit(blueprint, reference));
  }
  for (const pool of world.of('SandboxWarmPool').filter(each => each.isOurs)) {
    visit(pool, { field: 'spec.sandboxTemplateRef.name', kind: 'SandboxTemplate', name: pool.spec.sandboxTemplateRef?.name });
  }
  for (const claim of world.of('SandboxClaim').filter(each => each.isOurs)) {
    const { warmPoolRef, sandboxTemplateRef } = claim.spec;
    if (warmPoolRef) {
      visit(claim, { field: 'spec.warmPoolRef.name', kind: 'SandboxWarmPool', name: warmPoolRef.name });
    } else if (sandboxTemplateRef && sandboxTemplateRef.namespace === undefined) {
      visit(claim, { field: 'spec.sandboxTemplateRef.name', kind: 'SandboxTemplate', name: sandboxTemplateRef.name });
    }
  }
  for (const scaler of [...world.of('HorizontalPodAutoscaler'), ...world.of('ScaledObject')]) {
    const target = scaler.spec.scaleTargetRef;
    if (target?.kind === 'SandboxWarmPool') {
      visit(scaler, { field: 'spec.scaleTargetRef.name', kind: 'SandboxWarmPool', name: target.name });
    }
  }
}

const POD = 'spec.podTemplate.spec';

function podReferences(spec: any): Reference[] {
  const references: Reference[] = [];
  const note = (field: string, kind: string, name: string | undefined, key?: string, optional?: boolean) => {
    if (name) {
      references.push({ field: `${POD}.${field}`, kind, name, key, optional });
    }
  };
  note('serviceAccountName', 'ServiceAccount', spec.serviceAccountName);
  (spec.imagePullSecrets ?? []).forEach((secret: any, index: number) => note(`imagePullSecrets[${index}]`, 'Secret', secret.name));
  for (const volume of spec.volumes ?? []) {
    const at = `volumes['${volume.name}']`;
    const files = (kind: string, source: any, name: string | undefined) => {
      note(at, kind, name);
      (source?.items ?? []).forEach((item: any) => note(at, kind, name, item.key, source.optional));
    };
    files('Secret', volume.secret, volume.secret?.secretName);
    files('ConfigMap', volume.configMap, volume.configMap?.name);
    note(at, 'PersistentVolumeClaim', volume.persistentVolumeClaim?.claimName);
    for (const source of volume.projected?.sources ?? []) {
      files('Secret', source.secret, source.secret?.name);
      files('ConfigMap', source.configMap, source.configMap?.name);
    }
  }
  for (const container of containersOf(spec)) {
    for (const { name, valueFrom } of container.env ?? []) {
      const at = `container '${container.name}'.env['${name}']`;
      note(at, 'Secret', valueFrom?.secretKeyRef?.name, valueFrom?.secretKeyRef?.key, valueFrom?.secretKeyRef?.optional);
      note(at, 'ConfigMap', valueFrom?.configMapKeyRef?.name, valueFrom?.configMapKeyRef?.key, valueFrom?.configMapKeyRef?.optional);
    }
    for (const source of container.envFrom ?? []) {
      note(`container '${container.name}'.envFrom`, 'Secret', source.secretRef?.name);
      note(`container '${container.name}'.envFrom`, 'ConfigMap', source.configMapRef?.name);
    }
  }
  return references;
}
