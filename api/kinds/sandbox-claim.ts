import type { Kind } from '../schema';
import { AGE, IGNORED, POD_IPS, VOLUME_CLAIM_TEMPLATES, conditionColumn, conditions, time } from './shared';

const VALIDATIONS = [
  {
    rule: 'has(self.warmPoolRef) != has(self.sandboxTemplateRef)',
    message: 'exactly one of spec.warmPoolRef and spec.sandboxTemplateRef must be set',
  },
  {
    rule: '!has(self.warmpool) || has(self.sandboxTemplateRef)',
    message: 'spec.warmpool goes with spec.sandboxTemplateRef only: name a pool with spec.warmPoolRef.name',
  },
];

export const SANDBOX_CLAIM: Kind = {
  group: 'extensions.agents.x-k8s.io',
  kind: 'SandboxClaim',
  plural: 'sandboxclaims',
  singular: 'sandboxclaim',
  shortNames: ['sandboxclaim'],
  description: 'A request for one Sandbox: a warm one from a pool where there is one, else a new one from the template.',
  spec: 'SandboxClaimSpec',
  status: 'SandboxClaimStatus',
  versions: [
    {
      name: 'v1beta1',
      printerColumns: [
        conditionColumn('Ready', 'status'),
        { name: 'Sandbox', type: 'string', jsonPath: '.status.sandbox.name' },
        conditionColumn('Reason', 'reason'),
        AGE,
      ],
      specValidations: VALIDATIONS,
    },
    { name: 'v1alpha1', specValidations: VALIDATIONS },
  ],
  ignoredFields: {
    safeToEvict: { type: 'boolean', description: `Whether the Pod may be evicted. ${IGNORED}` },
  },
  definitions: {
    SandboxClaimSpec: {
      description: 'Desired state of a SandboxClaim.',
      type: 'object',
      properties: {
        warmPoolRef: { $ref: 'SandboxWarmPoolRef', description: 'The pool to take a Sandbox from, in the same namespace. Its template also serves cold starts.' },
        sandboxTemplateRef: { $ref: 'ClaimSandboxTemplateRef', description: 'The template to make a Sandbox from, instead of a pool.' },
        warmpool: {
          type: 'string',
          description: 'Goes with `sandboxTemplateRef`. Absent or `none`: a new Sandbox named like the claim. `default`: a Sandbox of any pool of the template. Another value: of the pool of that name.',
        },
        lifecycle: { $ref: 'SandboxClaimLifecycle', description: 'When the claim ends. Absent: never.' },
        additionalPodMetadata: {
          $ref: 'PodMetadata',
          description: 'Labels and annotations to add to the Pod. Labels need a prefix that the controller allows, `sandbox.users.io` by default.',
        },
        env: {
          'type': 'array',
          'items': { $ref: 'SandboxClaimEnvVar' },
          'x-kubernetes-list-type': 'atomic',
          'description': 'Environment variables to inject, where the template allows it. Forces a cold start.',
        },
        volumeClaimTemplates: {
          ...VOLUME_CLAIM_TEMPLATES,
          description: 'Persistent volumes to add or replace, where the template allows it. Forces a cold start.',
        },
      },
    },
    SandboxWarmPoolRef: {
      description: 'Names a SandboxWarmPool of the same namespace.',
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string', minLength: 1, description: 'Name of the SandboxWarmPool.' } },
    },
    ClaimSandboxTemplateRef: {
      description: 'Names a SandboxTemplate.',
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string', description: 'Name of the SandboxTemplate.' },
        namespace: {
          type: 'string',
          description: 'Namespace of the SandboxTemplate, which must permit it with the annotation `agents.x-k8s.io/claimable-from`. Absent: the namespace of the claim.',
        },
      },
    },
    SandboxClaimLifecycle: {
      description: 'When a claim ends, and what happens then.',
      type: 'object',
      properties: {
        shutdownTime: time('When the claim expires: absolute, RFC 3339.'),
        ttlSecondsAfterFinished: {
          type: 'integer',
          format: 'int32',
          minimum: 0,
          description: 'Seconds from the end of the Pod\'s work (condition `Finished`) to the expiry of the claim; 0 is at once.',
        },
        shutdownPolicy: {
          type: 'string',
          enum: ['Delete', 'DeleteForeground', 'Retain'],
          default: 'Retain',
          description: 'What happens to the claim at expiry: `Delete` removes it, `DeleteForeground` removes it after its Sandbox is gone, `Retain` keeps the object. The Sandbox is removed in every case.',
        },
      },
    },
    SandboxClaimEnvVar: {
      description: 'An environment variable for a container of the Sandbox.',
      type: 'object',
      required: ['name', 'value'],
      properties: {
        name: { type: 'string', description: 'Name of the variable.' },
        value: { type: 'string', description: 'Value of the variable. It is stored in plain text: secrets belong into the template, as references.' },
        containerName: { type: 'string', description: 'Container or init container to inject into. Absent or empty: the first container that is not an init container.' },
      },
    },
    SandboxClaimStatus: {
      description: 'Observed state of a SandboxClaim.',
      type: 'object',
      properties: {
        conditions: conditions('`Ready` and `Finished`; `UpToDate` while the Sandbox was chosen or made by an earlier state of the claim.'),
        sandbox: { $ref: 'SandboxClaimSandboxStatus', description: 'The Sandbox that the claim is bound to.' },
        sandboxName: { type: 'string', description: 'Same as `sandbox.name`, for clients of the first generation.' },
      },
    },
    SandboxClaimSandboxStatus: {
      description: 'The Sandbox that a claim is bound to.',
      type: 'object',
      properties: {
        name: { type: 'string', description: 'Name of the Sandbox.' },
        podIPs: POD_IPS,
        serviceFQDN: { type: 'string', description: 'DNS name of the headless Service of the Sandbox; absent when there is none.' },
      },
    },
  },
};
