import { randomBytes } from 'node:crypto';
import {
  ANNOTATION, CREATED_BY, EXTENSIONS_GROUP, LABEL, type SandboxClaim, VERSION, type VolumeClaimTemplate, definedOnly,
} from 'agent-sandbox-api';
import { SandboxInputError } from './errors.js';

/** When a claim ends by itself. */
export interface Lifetime {
  /** Seconds from now; a positive integer. Not together with `until`. @default - no limit */
  readonly seconds?: number;
  /** Moment of the end. Not together with `seconds`. @default - no limit */
  readonly until?: Date;
  /** Seconds from the end of the Pod's work; 0 is at once. @default - no such limit */
  readonly afterFinishedSeconds?: number;
  /** What then happens to the claim object; its Sandbox is removed in every case. @default Delete */
  readonly policy?: 'Delete' | 'DeleteForeground' | 'Retain';
}

/** What a claim asks for. */
export interface ClaimOptions {
  /** Name of the SandboxWarmPool. Either this or `template`. */
  readonly pool?: string;
  /** Name of the SandboxTemplate, for a cold start without a pool. Other controllers of this API know pools only. */
  readonly template?: string;
  /** Name of the claim; a DNS subdomain. @default - `sandbox-claim-` and 8 random hexadecimal digits */
  readonly name?: string;
  /** @default - the sandbox lives until it is deleted */
  readonly lifetime?: Lifetime;
  /** Environment variables, where the template allows them; they force a cold start. Stored in plain text: no secrets. @default - none */
  readonly env?: Readonly<Record<string, string>>;
  /** Labels of the claim. @default - only `created-by` */
  readonly labels?: Readonly<Record<string, string>>;
  /** Labels of the Pod; the controller allows certain prefixes only. @default - none */
  readonly podLabels?: Readonly<Record<string, string>>;
  /** Annotations of the Pod. @default - none */
  readonly podAnnotations?: Readonly<Record<string, string>>;
  /** Volumes to add or replace, where the template allows it; they force a cold start. @default - none */
  readonly volumeClaims?: readonly VolumeClaimTemplate[];
}

/** W3C trace headers. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
/** Names of variables as the API server takes them. */
const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/;

/** A name that no other claim has. */
function randomClaimName(): string {
  return `sandbox-claim-${randomBytes(4).toString('hex')}`;
}

/**
 * The claim as it is created. Throws `SandboxInputError` for what the server or the controller would refuse later.
 *
 * @param now milliseconds since 1970
 */
export function buildClaim(namespace: string, options: ClaimOptions, now: number, trace?: TraceContext): SandboxClaim {
  const name = options.name ?? randomClaimName();
  checkNamespace(namespace);
  checkName('name', name);
  if ((options.pool === undefined) === (options.template === undefined)) {
    throw new SandboxInputError('a sandbox is made from a pool or from a template', { remedy: 'give exactly one of pool and template' });
  }
  checkName(options.pool === undefined ? 'template' : 'pool', options.pool ?? options.template!);
  checkLabels('labels', options.labels);
  checkLabels('podLabels', options.podLabels);
  const podMetadata = { ...optional('labels', options.podLabels), ...optional('annotations', options.podAnnotations) };
  const lifecycle = lifecycleOf(options.lifetime, now);
  return {
    apiVersion: `${EXTENSIONS_GROUP}/${VERSION}`,
    kind: 'SandboxClaim',
    metadata: {
      name,
      namespace,
      labels: { ...options.labels, [LABEL.createdBy]: CREATED_BY.typescriptClient },
      annotations: {
        [ANNOTATION.clientFirstRequestedAt]: new Date(now).toISOString(),
        ...(trace && { [ANNOTATION.traceContext]: JSON.stringify(trace.tracestate ? trace : { traceparent: trace.traceparent }) }),
      },
    },
    spec: {
      ...(options.pool === undefined ? { sandboxTemplateRef: { name: options.template! } } : { warmPoolRef: { name: options.pool } }),
      ...(lifecycle && { lifecycle }),
      ...(Object.keys(podMetadata).length > 0 && { additionalPodMetadata: podMetadata }),
      ...(options.env && Object.keys(options.env).length > 0 && { env: envOf(options.env) }),
      ...(options.volumeClaims && options.volumeClaims.length > 0 && { volumeClaimTemplates: [...options.volumeClaims] }),
    },
  };
}

/** Pool or template that a claim names, as a text for people. */
export function originOf(claim: SandboxClaim): string {
  const { warmPoolRef, sandboxTemplateRef } = claim.spec;
  return warmPoolRef ? `pool "${warmPoolRef.name}"` : `template "${sandboxTemplateRef?.name ?? ''}"`;
}

/** Throws unless it is a DNS label of at most 63 characters. */
export function checkNamespace(namespace: string): void {
  if (namespace.length > 63 || !DNS_LABEL.test(namespace)) {
    throw new SandboxInputError(`namespace ${JSON.stringify(namespace)} is not a DNS label`, { remedy: 'use lower-case letters, digits and inner hyphens, at most 63' });
  }
}

/** Throws unless it is a DNS subdomain of at most 253 characters. */
export function checkName(field: string, name: string): void {
  if (name.length > 253 || !SUBDOMAIN.test(name)) {
    throw new SandboxInputError(`${field} ${JSON.stringify(name)} is not a DNS subdomain`, {
      remedy: 'use lower-case letters, digits, inner hyphens and dots, at most 253',
    });
  }
}

function checkLabels(field: string, labels: Readonly<Record<string, string>> = {}): void {
  for (const [key, value] of Object.entries(labels)) {
    const slash = key.indexOf('/');
    const prefix = slash < 0 ? undefined : key.slice(0, slash);
    if (!QUALIFIED_NAME.test(key.slice(slash + 1)) || (prefix !== undefined && (prefix.length > 253 || !SUBDOMAIN.test(prefix)))) {
      throw new SandboxInputError(`${field} has ${JSON.stringify(key)}, which is not a label key`, {
        remedy: 'use [prefix/]name: the prefix a DNS subdomain, the name 1 to 63 letters, digits, and inner "-", "_", "."',
      });
    }
    if (value !== '' && !QUALIFIED_NAME.test(value)) {
      throw new SandboxInputError(`${field} has ${JSON.stringify(value)} for "${key}", which is not a label value`, {
        remedy: 'use at most 63 letters, digits, and inner "-", "_", "."',
      });
    }
  }
}

function envOf(env: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(env).map(([name, value]) => {
    if (!ENV_NAME.test(name) || name === '.' || name.startsWith('..')) {
      throw new SandboxInputError(`env has ${JSON.stringify(name)}, which is not the name of a variable`, {
        remedy: 'use letters, digits, "_", "-", "."; the first is no digit',
      });
    }
    return { name, value };
  });
}

function lifecycleOf(lifetime: Lifetime | undefined, now: number): SandboxClaim['spec']['lifecycle'] {
  if (!lifetime) {
    return undefined;
  }
  const { seconds, until, afterFinishedSeconds, policy = 'Delete' } = lifetime;
  if (seconds !== undefined && until !== undefined) {
    throw new SandboxInputError('lifetime has seconds and until', { remedy: 'give one of them' });
  }
  if (seconds !== undefined && (!Number.isSafeInteger(seconds) || seconds <= 0)) {
    throw new SandboxInputError(`lifetime.seconds is ${seconds}`, { remedy: 'give a positive integer' });
  }
  if (afterFinishedSeconds !== undefined && (!Number.isSafeInteger(afterFinishedSeconds) || afterFinishedSeconds < 0)) {
    throw new SandboxInputError(`lifetime.afterFinishedSeconds is ${afterFinishedSeconds}`, { remedy: 'give an integer of 0 or more' });
  }
  const end = until?.getTime() ?? (seconds === undefined ? undefined : now + seconds * 1000);
  if (end === undefined && afterFinishedSeconds === undefined) {
    throw new SandboxInputError('lifetime says nothing about an end', { remedy: 'give seconds, until or afterFinishedSeconds' });
  }
  if (end !== undefined && !(end <= LAST_MOMENT)) {
    throw new SandboxInputError('lifetime ends after the year 9999', { remedy: 'give an earlier end' });
  }
  return {
    // Whole seconds: the API has no others.
    ...definedOnly({
      shutdownTime: end === undefined ? undefined : new Date(end).toISOString().replace(/\.\d+Z$/, 'Z'),
      ttlSecondsAfterFinished: afterFinishedSeconds,
    }),
    shutdownPolicy: policy,
  };
}

/** RFC 3339 has years of four digits. */
const LAST_MOMENT = Date.UTC(9999, 11, 31, 23, 59, 59);

function optional<K extends string>(key: K, map: Readonly<Record<string, string>> | undefined): { [P in K]?: Record<string, string> } {
  return map && Object.keys(map).length > 0 ? { [key]: { ...map } } as { [P in K]?: Record<string, string> } : {};
}
