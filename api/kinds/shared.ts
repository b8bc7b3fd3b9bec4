import type { Definitions, KindVersion, PrinterColumn, Schema } from '../schema';

const STRING_MAP: Schema = { type: 'object', additionalProperties: { type: 'string' } };

/** Types that several kinds embed. */
export const SHARED: Definitions = {
  PodMetadata: {
    description: 'Labels and annotations for a Pod.',
    type: 'object',
    properties: {
      labels: { ...STRING_MAP, description: 'Labels to set on the Pod. Keys below `agents.x-k8s.io/` and `extensions.agents.x-k8s.io/` are reserved and dropped.' },
      annotations: { ...STRING_MAP, description: 'Annotations to set on the Pod. The reserved prefixes of labels apply, and `opentelemetry.io/trace-context` is reserved too.' },
    },
  },
  PodTemplate: {
    description: 'Description of the one Pod of a sandbox.',
    type: 'object',
    required: ['spec'],
    properties: {
      metadata: { $ref: 'PodMetadata', description: 'Labels and annotations to propagate to the Pod.' },
      spec: { $ref: 'PodSpec', description: 'Specification of the Pod, as in Kubernetes. Values are checked when the Pod is created, not before. A change takes effect on the next Pod only.' },
    },
  },
  VolumeClaimMetadata: {
    description: 'Name, labels and annotations of a volume claim template.',
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Name of the volume in the Pod. The PersistentVolumeClaim is named `<name>-<sandbox name>`.' },
      labels: { ...STRING_MAP, description: 'Labels to set on the PersistentVolumeClaim.' },
      annotations: { ...STRING_MAP, description: 'Annotations to set on the PersistentVolumeClaim.' },
    },
  },
  VolumeClaimTemplate: {
    description: 'A PersistentVolumeClaim that is created for the sandbox, outlives its Pod, and is deleted with the sandbox.',
    type: 'object',
    required: ['spec'],
    properties: {
      metadata: { $ref: 'VolumeClaimMetadata', description: 'Name, labels and annotations of the claim.' },
      spec: { $ref: 'PersistentVolumeClaimSpec', description: 'Specification of the PersistentVolumeClaim, as in Kubernetes.' },
    },
  },
  Condition: {
    description: 'One observation about the state of an object.',
    type: 'object',
    required: ['lastTransitionTime', 'message', 'reason', 'status', 'type'],
    properties: {
      type: {
        type: 'string',
        maxLength: 316,
        pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$',
        description: 'Type of the condition, CamelCase.',
      },
      status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether the condition holds.' },
      reason: {
        type: 'string',
        minLength: 1,
        maxLength: 1024,
        pattern: '^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$',
        description: 'Machine-readable cause of the last transition, CamelCase.',
      },
      message: { type: 'string', maxLength: 32768, description: 'Human-readable details; may be empty.' },
      lastTransitionTime: { type: 'string', format: 'date-time', description: 'When `status` last changed.' },
      observedGeneration: { type: 'integer', format: 'int64', minimum: 0, description: 'The `metadata.generation` that the condition was computed from.' },
    },
  },
};

export const POD_TEMPLATE: Schema = { $ref: 'PodTemplate', description: 'The Pod to run.' };

export const SERVICE: Schema = {
  type: 'boolean',
  description: 'Whether to keep a headless Service of the sandbox\'s name: `true` creates and owns it, `false` removes the owned one, unset creates none but keeps an owned one.',
};

export const VOLUME_CLAIM_TEMPLATES: Schema = {
  'type': 'array',
  'items': { $ref: 'VolumeClaimTemplate' },
  'x-kubernetes-list-type': 'atomic',
};

export const POD_IPS: Schema = {
  type: 'array',
  items: { type: 'string' },
  description: 'All IP addresses of the Pod; absent when there is none.',
};

/** Conditions as an atomic list, as clients of this API have always seen them: a merge patch replaces all. */
export function conditions(description: string): Schema {
  return { type: 'array', items: { $ref: 'Condition' }, description };
}

/**
 * RFC 3339 in the form that every client can read. The format `date-time` alone also accepts a comma before the fraction and
 * offsets of a day and more, which Go and JavaScript cannot parse: such a time would never come.
 */
const RFC3339 = '^[0-9]{4}-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$';

/** Times of lifetimes: absolute, RFC 3339 with a zone. */
export function time(description: string): Schema {
  return { type: 'string', format: 'date-time', pattern: RFC3339, description };
}

export function conditionColumn(name: string, field: 'status' | 'reason'): PrinterColumn {
  return { name, type: 'string', jsonPath: `.status.conditions[?(@.type=='Ready')].${field}` };
}

export const AGE: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

/** A kind without anything that differs between its versions. */
export function bothVersions(printerColumns: readonly PrinterColumn[] = []): [KindVersion, KindVersion] {
  return [{ name: 'v1beta1', printerColumns }, { name: 'v1alpha1' }];
}

/** The end of the description of each of a kind's `ignoredFields`. */
export const IGNORED = 'Known and ignored: no release of the API has it.';

/** Fields of a form that is not settled: any names, with plain values. */
export const ANY_VALUES: Schema = { type: 'object', additionalProperties: { $ref: 'IntOrString' } };
