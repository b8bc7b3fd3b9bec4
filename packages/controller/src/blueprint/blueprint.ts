import { type SandboxSpec, type SandboxTemplate, definedOnly } from 'agent-sandbox-api';
import { contentHash } from '../object/content-hash.js';
import { withSecureDefaults } from '../template/defaults.js';
import { templateHash } from '../template/identity.js';

/** The part of a Sandbox's spec that comes from its template. */
export type Blueprint = Pick<SandboxSpec, 'podTemplate' | 'volumeClaimTemplates' | 'service'>;

/** What a template gives the Sandboxes that pools and claims make from it, with secure defaults. Shares its parts with the template. */
export function blueprintOf(template: SandboxTemplate): Blueprint {
  return derived(template).blueprint;
}

/** Value of the label that identifies the Pod template of a pool's Sandbox. For information only. */
export function podTemplateHash(template: SandboxTemplate): string {
  return derived(template).podTemplateHash;
}

/**
 * Value of the label that identifies the blueprint of a pool's Sandbox. Equal blueprints have equal hashes in this
 * program; another implementation hashes other bytes, so that a difference alone means nothing: see `isStale`.
 */
export function blueprintHash(template: SandboxTemplate): string {
  return derived(template).hash;
}

/** `templateHash`, kept for the namespace where it is asked for thousands of times. */
export function templateRefHash(template: SandboxTemplate, namespace: string): string {
  return namespace === template.metadata.namespace ? derived(template).refHash : templateHash(template, namespace);
}

interface Derived {
  readonly blueprint: Blueprint;
  readonly podTemplateHash: string;
  readonly hash: string;
  readonly refHash: string;
}

/** Templates in the cache never change, and each reconciliation of a pool needs them. */
const known = new WeakMap<SandboxTemplate, Derived>();

function derived(template: SandboxTemplate): Derived {
  const found = known.get(template) ?? derive(template);
  known.set(template, found);
  return found;
}

function derive(template: SandboxTemplate): Derived {
  const { podTemplate, volumeClaimTemplates, service } = template.spec;
  const blueprint: Blueprint = {
    podTemplate: { ...podTemplate, spec: withSecureDefaults(template) },
    ...definedOnly({ volumeClaimTemplates, service }),
  };
  return {
    blueprint,
    podTemplateHash: contentHash(blueprint.podTemplate),
    hash: contentHash(blueprint),
    refHash: templateHash(template, template.metadata.namespace ?? ''),
  };
}
