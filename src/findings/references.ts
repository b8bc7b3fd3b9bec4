import { distance, nearest } from '../checks';
import { FindingSeverity } from './finding';
import { blueprints, containersOf, podTemplateOf, workloads } from './pods';
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
    id: 'nearly-a-name',
    severity: FindingSeverity.WARNING,
    summary: 'An object names another that this app does not have, by a name that is nearly that of one that it has in the same namespace.',
    check: (world, report) => {
      forEachReference(world, (subject, { field, kind, name }) => {
        if (typeof name !== 'string' || world.beside(subject, kind, name) || world.elsewhere(subject, kind, name).length > 0) {
          return;
        }
        const names = world.of(kind).filter(each => each.namespaceKey === subject.namespaceKey).map(each => each.name);
        const near = name.length > 3 ? misspelt(name, names) : undefined;
        if (near !== undefined) {
          report(subject, field, name, `this app has no ${kind} of this name, and one that is called '${near}' (${world.beside(subject, kind, near)!.place})`, `write '${near}', if that is meant`);
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

/** The name that differs by one or two letters; numbers at the end tell objects apart on purpose. */
function misspelt(name: string, names: readonly string[]): string | undefined {
  const near = nearest(name, names.filter(each => Math.abs(each.length - name.length) <= 2));
  const word = (text: string) => text.replace(/[-\d]+$/, '');
  return near !== undefined && distance(name, near) <= 2 && word(near) !== word(name) ? near : undefined;
}

function forEachReference(world: World, visit: (subject: Subject, reference: Reference) => void): void {
  for (const subject of [...blueprints(world), ...workloads(world)]) {
    podReferences(podTemplateOf(subject)?.spec ?? {}, subject.isOurs ? 'spec.podTemplate.spec' : 'the Pod').forEach(reference => visit(subject, reference));
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

function podReferences(spec: any, path: string): Reference[] {
  const references: Reference[] = [];
  const note = (field: string, kind: string, name: string | undefined, key?: string, optional?: boolean) => {
    if (name) {
      references.push({ field: `${path}.${field}`, kind, name, key, optional });
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
