import { definedOnly } from './defined-only.gen.js';
import type { SandboxClaim, VolumeClaimTemplate } from './types.gen.js';
import { reservedAnnotationDomain } from './semantics.gen.js';
import { ANNOTATION, EXTENSIONS_GROUP, LABEL, RESERVED_ANNOTATIONS, RESERVED_PREFIXES, ROUTER, VERSION } from './vocabulary.gen.js';

/** What a claim asks for is wrong. Nothing was sent. */
export class ClaimInputError extends Error {
  /** @param field the option that is wrong, such as `lifetime.seconds` or `env` */
  constructor(public readonly field: string, public readonly problem: string, public readonly remedy: string) {
    super(`${problem}: ${remedy}`);
    this.name = 'ClaimInputError';
  }
}

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

/** Who makes a claim, and how. */
export interface ClaimOrigin {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Name of the claim where the options have none. */
  readonly name: string;
  /** Value of the label `createdBy`. @default - no label */
  readonly createdBy?: string;
  /** Annotations of the claim. @default - none besides the time */
  readonly annotations?: Readonly<Record<string, string>>;
  readonly trace?: TraceContext;
}

/** The claim as it is created. Throws `ClaimInputError` for what the server or the controller would refuse later. */
export function buildClaim(namespace: string, options: ClaimOptions, origin: ClaimOrigin): SandboxClaim {
  const { now, name: otherwise, createdBy, annotations, trace } = origin;
  const name = options.name ?? otherwise;
  checkNamespace(namespace);
  checkName('name', name);
  if ((options.pool === undefined) === (options.template === undefined)) {
    throw new ClaimInputError('', 'a sandbox is made from a pool or from a template', 'give exactly one of pool and template');
  }
  checkName(options.pool === undefined ? 'template' : 'pool', options.pool ?? options.template!);
  checkLabels('labels', options.labels);
  checkLabels('podLabels', options.podLabels);
  checkReserved(options.podLabels, options.podAnnotations);
  const podMetadata = { ...optional('labels', options.podLabels), ...optional('annotations', options.podAnnotations) };
  const lifecycle = lifecycleOf(options.lifetime, now);
  return {
    apiVersion: `${EXTENSIONS_GROUP}/${VERSION}`,
    kind: 'SandboxClaim',
    metadata: {
      name,
      namespace,
      labels: { ...options.labels, ...definedOnly({ [LABEL.createdBy]: createdBy }) },
      annotations: {
        [ANNOTATION.clientFirstRequestedAt]: new Date(now).toISOString(),
        ...annotations,
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

/** Throws unless it is a DNS label of at most 63 characters. */
export function checkNamespace(namespace: string): void {
  if (namespace.length > 63 || !DNS_LABEL.test(namespace)) {
    throw new ClaimInputError('namespace', `namespace ${JSON.stringify(namespace)} is not a DNS label`, 'use lower-case letters, digits and inner hyphens, at most 63');
  }
}

/** Throws unless it is a DNS subdomain of at most 253 characters. */
export function checkName(field: string, name: string): void {
  if (name.length > 253 || !SUBDOMAIN.test(name)) {
    throw new ClaimInputError(field, `${field} ${JSON.stringify(name)} is not a DNS subdomain`, 'use lower-case letters, digits, inner hyphens and dots, at most 253');
  }
}

function checkLabels(field: string, labels: Readonly<Record<string, string>> = {}): void {
  for (const [key, value] of Object.entries(labels)) {
    checkKey(field, 'label', key);
    if (value !== '' && !QUALIFIED_NAME.test(value)) {
      throw new ClaimInputError(field, `${field} has ${JSON.stringify(value)} for "${key}", which is not a label value`, 'use at most 63 letters, digits, and inner "-", "_", "."');
    }
  }
}

function checkKey(field: string, what: string, key: string): void {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  if (!QUALIFIED_NAME.test(key.slice(slash + 1)) || (prefix !== undefined && (prefix.length > 253 || !SUBDOMAIN.test(prefix)))) {
    throw new ClaimInputError(
      field, `${field} has ${JSON.stringify(key)}, which is not ${what === 'label' ? 'a' : 'an'} ${what} key`,
      'use [prefix/]name: the prefix a DNS subdomain, the name 1 to 63 letters, digits, and inner "-", "_", "."',
    );
  }
}

/** What the controller refuses to put on Pods, whatever it is configured with. */
function checkReserved(labels: Readonly<Record<string, string>> = {}, annotations: Readonly<Record<string, string>> = {}): void {
  for (const [key, value] of Object.entries(labels)) {
    if (RESERVED_PREFIXES.some(prefix => key.startsWith(prefix)) || (key === 'app' && value.toLowerCase() === ROUTER.labels.app)) {
      throw new ClaimInputError('podLabels', `podLabels has "${key}", which is reserved`, 'choose another key');
    }
  }
  for (const key of Object.keys(annotations)) {
    checkKey('podAnnotations', 'annotation', key);
    const domain = reservedAnnotationDomain(key);
    if (domain !== undefined || RESERVED_ANNOTATIONS.includes(key)) {
      throw new ClaimInputError('podAnnotations', `podAnnotations has "${key}", which is reserved`, domain === undefined ? 'leave it out' : `choose a prefix that is not under ${domain}`);
    }
  }
}

function envOf(env: Readonly<Record<string, string>>): { name: string; value: string }[] {
  return Object.entries(env).map(([name, value]) => {
    if (!ENV_NAME.test(name) || name === '.' || name.startsWith('..')) {
      throw new ClaimInputError('env', `env has ${JSON.stringify(name)}, which is not the name of a variable`, 'use letters, digits, "_", "-", "."; the first is no digit');
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
    throw new ClaimInputError('lifetime', 'lifetime has seconds and until', 'give one of them');
  }
  if (seconds !== undefined && (!Number.isSafeInteger(seconds) || seconds <= 0)) {
    throw new ClaimInputError('lifetime.seconds', `lifetime.seconds is ${seconds}`, 'give a positive integer');
  }
  if (afterFinishedSeconds !== undefined && (!Number.isSafeInteger(afterFinishedSeconds) || afterFinishedSeconds < 0)) {
    throw new ClaimInputError('lifetime.afterFinishedSeconds', `lifetime.afterFinishedSeconds is ${afterFinishedSeconds}`, 'give an integer of 0 or more');
  }
  const end = until?.getTime() ?? (seconds === undefined ? undefined : now + seconds * 1000);
  if (end === undefined && afterFinishedSeconds === undefined) {
    throw new ClaimInputError('lifetime', 'lifetime says nothing about an end', 'give seconds, until or afterFinishedSeconds');
  }
  if (end !== undefined && !(end <= LAST_MOMENT)) {
    throw new ClaimInputError('lifetime', 'lifetime ends after the year 9999', 'give an earlier end');
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
