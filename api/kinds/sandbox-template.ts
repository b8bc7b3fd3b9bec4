import type { Kind } from '../schema';
import { ANY_VALUES, IGNORED, POD_TEMPLATE, SERVICE, VOLUME_CLAIM_TEMPLATES, bothVersions } from './shared';

export const SANDBOX_TEMPLATE: Kind = {
  group: 'extensions.agents.x-k8s.io',
  kind: 'SandboxTemplate',
  plural: 'sandboxtemplates',
  singular: 'sandboxtemplate',
  shortNames: ['sandboxtemplate'],
  description: 'A blueprint that warm pools and claims make Sandboxes from, with the network policy of their Pods.',
  spec: 'SandboxTemplateSpec',
  versions: bothVersions(),
  ignoredFields: {
    generatedSecrets: {
      type: 'array',
      items: ANY_VALUES,
      description: `Secrets to generate for each Sandbox. ${IGNORED}`,
    },
  },
  definitions: {
    SandboxTemplateSpec: {
      description: 'Blueprint of Sandboxes.',
      type: 'object',
      required: ['podTemplate'],
      properties: {
        podTemplate: POD_TEMPLATE,
        volumeClaimTemplates: { ...VOLUME_CLAIM_TEMPLATES, description: 'Persistent volumes of each Sandbox; each is added to the Pod as a volume of its name.' },
        service: SERVICE,
        networkPolicy: {
          $ref: 'SandboxNetworkPolicy',
          description: 'Rules of the NetworkPolicy that the controller keeps for the Pods of this template. They replace the default rules whole; `{}` denies everything in both directions.',
        },
        networkPolicyManagement: {
          type: 'string',
          enum: ['Managed', 'Unmanaged'],
          default: 'Managed',
          description: '`Managed` keeps one NetworkPolicy for the Pods of this template, `Unmanaged` keeps none.',
        },
        envVarsInjectionPolicy: {
          type: 'string',
          enum: ['Allowed', 'Overrides', 'Disallowed'],
          default: 'Disallowed',
          description: 'What `env` of claims may do. `Disallowed`: nothing. `Allowed`: add variables. `Overrides`: add or replace variables.',
        },
        volumeClaimTemplatesPolicy: {
          type: 'string',
          enum: ['Disallowed', 'Allowed', 'Overrides'],
          default: 'Disallowed',
          description: 'What `volumeClaimTemplates` of claims may do. `Disallowed`: nothing. `Allowed`: add volumes. `Overrides`: add or replace volumes.',
        },
      },
    },
    SandboxNetworkPolicy: {
      description: 'Ingress and egress rules as in a Kubernetes NetworkPolicy. A missing or empty list denies that direction.',
      type: 'object',
      properties: {
        ingress: { type: 'array', items: { $ref: 'NetworkPolicyIngressRule' }, description: 'What may connect to the Pods.' },
        egress: { type: 'array', items: { $ref: 'NetworkPolicyEgressRule' }, description: 'What the Pods may connect to.' },
      },
    },
  },
};
