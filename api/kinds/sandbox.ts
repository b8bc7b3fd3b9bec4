import type { Kind, ValidationRule } from '../schema';
import { AGE, ANY_VALUES, IGNORED, POD_IPS, POD_TEMPLATE, SERVICE, VOLUME_CLAIM_TEMPLATES, conditionColumn, conditions, time } from './shared';

/**
 * A sandbox runs when `operatingMode` is not `Suspended` and `replicas` is not 0. The first generation of clients
 * knows only `replicas`, the second only `operatingMode`. A write that resumes with one of them while the other still
 * suspends would seem to work without an effect, so it is refused.
 */
const HALF_RESUMES: readonly ValidationRule[] = [
  {
    rule: "!(has(oldSelf.operatingMode) && oldSelf.operatingMode == 'Suspended' && (!has(self.operatingMode) || self.operatingMode != 'Suspended') && has(self.replicas) && self.replicas == 0)",
    message: 'spec.replicas is 0: set it to 1 in the same request',
  },
  {
    rule: "!(has(oldSelf.replicas) && oldSelf.replicas == 0 && has(self.replicas) && self.replicas == 1 && has(oldSelf.operatingMode) && oldSelf.operatingMode == 'Suspended' && has(self.operatingMode) && self.operatingMode == 'Suspended')",
    message: 'spec.operatingMode is Suspended: set it to Running in the same request',
  },
];

const IMMUTABLE_CLAIM_TEMPLATES: ValidationRule = {
  rule: 'has(self.volumeClaimTemplates) == has(oldSelf.volumeClaimTemplates) && (!has(self.volumeClaimTemplates) || self.volumeClaimTemplates == oldSelf.volumeClaimTemplates)',
  message: 'volumeClaimTemplates is immutable',
};

/** Clients of v1alpha1 do not know `operatingMode`: their full updates would drop it and resume by accident. */
const KEEPS_SUSPENDED: ValidationRule = {
  rule: "!(has(oldSelf.operatingMode) && oldSelf.operatingMode == 'Suspended') || has(self.operatingMode)",
  message: 'spec.operatingMode is Suspended and this update would drop it: send it along, or set it to Running to resume',
};

/**
 * A Service of the Sandbox's name could not be created. Objects that were stored before keep their name and service: a rule that
 * looked at them, too, would refuse every write of their status.
 */
const SERVICE_NAME: ValidationRule = {
  rule: '!has(self.spec.service) || !self.spec.service || size(self.metadata.name) <= 63 || (oldSelf.hasValue() && has(oldSelf.value().spec.service) && oldSelf.value().spec.service)',
  message: 'metadata.name must have at most 63 characters where spec.service is true, since the Service has the same name',
  optionalOldSelf: true,
};

export const SANDBOX: Kind = {
  group: 'agents.x-k8s.io',
  kind: 'Sandbox',
  plural: 'sandboxes',
  singular: 'sandbox',
  shortNames: ['sandbox'],
  description: 'An isolated, stateful workspace: one Pod with a stable name, storage that survives it, pause and resume, and expiry.',
  spec: 'SandboxSpec',
  status: 'SandboxStatus',
  validations: [SERVICE_NAME],
  versions: [
    {
      name: 'v1beta1',
      printerColumns: [conditionColumn('Ready', 'status'), conditionColumn('Reason', 'reason'), AGE],
      specDefaults: { operatingMode: 'Running' },
      specValidations: [IMMUTABLE_CLAIM_TEMPLATES, ...HALF_RESUMES],
    },
    {
      name: 'v1alpha1',
      scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
      specValidations: [IMMUTABLE_CLAIM_TEMPLATES, ...HALF_RESUMES, KEEPS_SUSPENDED],
    },
  ],
  ignoredFields: {
    podFailurePolicy: { type: 'string', description: `What happens when the Pod fails: Ignore or Recreate (KEP-729). ${IGNORED}` },
    autoSuspendPolicy: {
      type: 'object',
      description: `When the Sandbox suspends by itself (KEP-968). ${IGNORED}`,
      properties: {
        idleDetectionStrategies: {
          type: 'array',
          items: {
            type: 'object',
            properties: {
              type: { type: 'string', description: 'Timer, WorkloadSignal or ExternalMetric.' },
              timerConfig: { ...ANY_VALUES, description: 'Settings of a Timer.' },
              signalConfig: { ...ANY_VALUES, description: 'Settings of a WorkloadSignal.' },
            },
          },
          description: 'How it is found out that the Sandbox is idle.',
        },
        suspendThresholdSeconds: { type: 'integer', format: 'int32', description: 'Seconds without activity.' },
        preWakeupBufferSeconds: { type: 'integer', format: 'int32', description: 'Seconds by which a resumption precedes its time.' },
      },
    },
    scheduledWakeupTime: { type: 'string', description: `When the Sandbox resumes by itself (KEP-1174). ${IGNORED}` },
  },
  definitions: {
    SandboxSpec: {
      description: 'Desired state of a Sandbox.',
      type: 'object',
      required: ['podTemplate'],
      properties: {
        podTemplate: POD_TEMPLATE,
        volumeClaimTemplates: {
          ...VOLUME_CLAIM_TEMPLATES,
          description: 'Persistent volumes of the sandbox; each is added to the Pod as a volume of its name. Immutable: absent and empty are different values.',
        },
        service: SERVICE,
        shutdownTime: time('When the sandbox expires: absolute, RFC 3339.'),
        shutdownPolicy: {
          type: 'string',
          enum: ['Delete', 'Retain'],
          default: 'Retain',
          description: 'What happens to the Sandbox object at `shutdownTime`: `Delete` removes it with its volumes, `Retain` removes the Pod and the Service and keeps the object.',
        },
        operatingMode: {
          type: 'string',
          enum: ['Running', 'Suspended'],
          description: 'Desired power state. `Suspended` deletes the Pod and keeps the volumes. The sandbox runs only while `replicas` is 1 as well.',
        },
        replicas: {
          type: 'integer',
          format: 'int32',
          minimum: 0,
          maximum: 1,
          default: 1,
          description: 'Power state of the first generation of this API: 0 suspends. The sandbox runs only while `operatingMode` is `Running` as well.',
        },
      },
    },
    SandboxStatus: {
      description: 'Observed state of a Sandbox.',
      type: 'object',
      properties: {
        conditions: conditions('`Ready`, `Suspended`, `Finished` and `PodScheduled`; `UpToDate` while the Pod runs an earlier `podTemplate.spec`.'),
        selector: { type: 'string', description: 'Label selector of the Pod.' },
        service: { type: 'string', description: 'Name of the headless Service; absent when there is none.' },
        serviceFQDN: { type: 'string', description: 'DNS name of the headless Service; absent when there is none.' },
        podIPs: POD_IPS,
        nodeName: { type: 'string', description: 'Node of the Pod; absent when there is none.' },
        replicas: { type: 'integer', format: 'int32', minimum: 0, description: 'Number of Pods, 0 or 1.' },
      },
    },
  },
};
