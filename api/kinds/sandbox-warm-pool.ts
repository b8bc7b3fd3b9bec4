import type { Kind, PrinterColumn } from '../schema';
import { AGE, ANY_VALUES, IGNORED, conditions } from './shared';

const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' };
const COLUMNS: readonly PrinterColumn[] = [
  { name: 'Ready', type: 'integer', jsonPath: '.status.readyReplicas' },
  { name: 'Desired', type: 'integer', jsonPath: '.spec.replicas' },
  { name: 'Up-To-Date', type: 'integer', jsonPath: '.status.updatedReplicas' },
  AGE,
];

export const SANDBOX_WARM_POOL: Kind = {
  group: 'extensions.agents.x-k8s.io',
  kind: 'SandboxWarmPool',
  plural: 'sandboxwarmpools',
  singular: 'sandboxwarmpool',
  shortNames: ['swp'],
  description: 'A number of idle Sandboxes of one template, kept ready for claims.',
  spec: 'SandboxWarmPoolSpec',
  status: 'SandboxWarmPoolStatus',
  versions: [
    { name: 'v1beta1', printerColumns: COLUMNS, scale: SCALE, specDefaults: { replicas: 1 } },
    { name: 'v1alpha1', printerColumns: COLUMNS, scale: SCALE, specRequired: ['replicas'] },
  ],
  ignoredFields: {
    claimDefaults: {
      type: 'object',
      description: `What claims of the pool have unless they say otherwise (KEP-1306). ${IGNORED}`,
      properties: { lifecycle: { ...ANY_VALUES, description: 'When claims end.' } },
    },
  },
  definitions: {
    SandboxWarmPoolSpec: {
      description: 'Desired state of a SandboxWarmPool.',
      type: 'object',
      required: ['sandboxTemplateRef'],
      properties: {
        replicas: { type: 'integer', format: 'int32', minimum: 0, description: 'Number of idle Sandboxes to keep. Leave it out where an autoscaler sets it.' },
        sandboxTemplateRef: { $ref: 'PoolSandboxTemplateRef', description: 'The template of the Sandboxes, in the same namespace.' },
        readinessGracePeriodSeconds: {
          type: 'integer',
          format: 'int32',
          minimum: 30,
          description: 'Seconds that an idle Sandbox may be not ready before it is replaced. Absent: the flag `--sandbox-warm-pool-readiness-grace-period` of the controller. A change makes no Sandbox stale.',
        },
        updateStrategy: { $ref: 'SandboxWarmPoolUpdateStrategy', description: 'What happens to idle Sandboxes when the template changes.' },
      },
    },
    PoolSandboxTemplateRef: {
      description: 'Names a SandboxTemplate of the same namespace.',
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string', description: 'Name of the SandboxTemplate.' } },
    },
    SandboxWarmPoolUpdateStrategy: {
      description: 'What happens to idle Sandboxes when the template changes.',
      type: 'object',
      properties: {
        type: {
          type: 'string',
          enum: ['Recreate', 'OnReplenish'],
          default: 'OnReplenish',
          description: '`Recreate` replaces idle Sandboxes of an older template at once, `OnReplenish` leaves them until they are claimed.',
        },
      },
    },
    SandboxWarmPoolStatus: {
      description: 'Observed state of a SandboxWarmPool. A missing number means 0.',
      type: 'object',
      properties: {
        'replicas': { type: 'integer', format: 'int32', description: 'Number of idle Sandboxes that are not being deleted.' },
        'readyReplicas': { type: 'integer', format: 'int32', description: 'Number of idle Sandboxes that are ready.' },
        'updatedReplicas': { type: 'integer', format: 'int32', description: 'Number of idle Sandboxes that were made from the template as it is now.' },
        'selector': { type: 'string', description: 'Label selector of the idle Sandboxes and their Pods.' },
        'observedGeneration': { type: 'integer', format: 'int64', minimum: 0, description: 'The `metadata.generation` that was last acted on.' },
        'conditions': {
          ...conditions('`Available` and `Progressing`.'),
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
        },
      },
    },
  },
};
