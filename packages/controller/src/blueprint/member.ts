import {
  ANNOTATION, CREATED_BY, GROUP, LABEL, LAUNCH_TYPE, VERSION, nameHash, type Sandbox, type SandboxTemplate, type SandboxWarmPool,
} from 'agent-sandbox-api';
import { controllerReference } from '../object/ownership.js';
import { templateHash } from '../template/identity.js';
import { blueprintHash, blueprintOf, podTemplateHash } from './blueprint.js';

/** Letters and digits that spell no words and are not mistaken for each other; what Kubernetes uses for generated names. */
const SAFE_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX_LENGTH = 5;
const LONGEST_LABEL = 63;

/** A random end of a name. `below(n)` gives a whole number from 0 to n - 1. */
export function randomSuffix(below: (n: number) => number): string {
  return Array.from({ length: SUFFIX_LENGTH }, () => SAFE_ALPHABET[below(SAFE_ALPHABET.length)]).join('');
}

/** The name of a pool's Sandbox: that of the pool, cut so that the whole can name a Service, and a random suffix. */
export function memberName(pool: SandboxWarmPool, suffix: string): string {
  return `${`${pool.metadata.name}-`.slice(0, LONGEST_LABEL - suffix.length)}${suffix}`;
}

export interface MemberOptions {
  readonly name: string;
  /** Whether the cluster autoscaler may evict the Pod, where the template does not say. */
  readonly evictable: boolean;
}

/**
 * A Sandbox of a pool as it is created. Its name is known, and so is that of its Pod: the annotation is there from the
 * beginning, which saves a write.
 */
export function memberObject(pool: SandboxWarmPool, template: SandboxTemplate, { name, evictable }: MemberOptions): Sandbox {
  const namespace = pool.metadata.namespace ?? '';
  const { podTemplate, ...rest } = blueprintOf(template);
  const hashes = {
    [LABEL.warmPool]: poolHash(pool),
    [LABEL.templateRefHash]: templateHash(template, namespace),
    [LABEL.podTemplateHash]: podTemplateHash(template),
    [LABEL.templateHash]: blueprintHash(template),
  };
  const podAnnotations = { ...(evictable ? { [ANNOTATION.safeToEvict]: 'true' } : {}), ...podTemplate.metadata?.annotations };
  return {
    apiVersion: `${GROUP}/${VERSION}`,
    kind: 'Sandbox',
    metadata: {
      name,
      namespace,
      labels: { ...hashes, [LABEL.launchType]: LAUNCH_TYPE.warm, [LABEL.createdBy]: CREATED_BY.controller },
      annotations: { [ANNOTATION.templateRef]: template.metadata.name ?? '', [ANNOTATION.podName]: name },
      ownerReferences: [controllerReference(pool)],
    },
    spec: {
      ...rest,
      podTemplate: {
        ...podTemplate,
        metadata: {
          ...podTemplate.metadata,
          labels: { ...podTemplate.metadata?.labels, ...hashes },
          ...(Object.keys(podAnnotations).length === 0 ? {} : { annotations: podAnnotations }),
        },
      },
    },
  };
}

/** The value that a pool's Sandboxes and their Pods carry as label. */
export function poolHash(pool: SandboxWarmPool): string {
  return nameHash(pool.metadata.name ?? '');
}
