import { ANNOTATION, LABEL, type PodMetadata, ROUTER, type SandboxClaim, definedOnly, isUnder, reservedAnnotationDomain } from 'agent-sandbox-api';
import { labelOf, type StringMap } from '../object/metadata.js';

/** Labels of idle members that a claimed Sandbox must not carry. */
export const POOL_LABELS: readonly string[] = [LABEL.warmPool, LABEL.podTemplateHash, LABEL.templateHash];

const LONGEST_PREFIX = 253;
const LONGEST_NAME = 63;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** What is wrong with the additional metadata of a claim; `undefined`: nothing. */
export function metadataProblem({ labels = {}, annotations = {} }: PodMetadata, allowedDomains: readonly string[]): string | undefined {
  const problems = [
    ...Object.entries(labels).map(([key, value]) => labelProblem(key, value, allowedDomains)),
    ...Object.keys(annotations).map(annotationProblem),
  ];
  return problems.find(problem => problem !== undefined);
}

function labelProblem(key: string, value: string, allowedDomains: readonly string[]): string | undefined {
  if (key.toLowerCase() === 'app' && value.toLowerCase() === ROUTER.labels.app) {
    return `the label "${key}: ${value}" is not allowed in additionalPodMetadata: it would make the Pod a sandbox router`;
  }
  const malformed = keyProblem('label', key);
  if (malformed !== undefined) {
    return malformed;
  }
  const prefix = prefixOf(key);
  if (prefix === undefined || !allowedDomains.some(domain => isUnder(prefix, domain))) {
    return `the label key "${key}" in additionalPodMetadata needs a prefix of an allowed domain: ${allowedDomains.join(', ')}`;
  }
  return value.length > LONGEST_NAME || (value !== '' && !NAME.test(value))
    ? `the value "${value}" of the label "${key}" in additionalPodMetadata is not valid: use at most ${LONGEST_NAME} letters, digits, "-", "_" and "."`
    : undefined;
}

function annotationProblem(key: string): string | undefined {
  const malformed = keyProblem('annotation', key);
  if (malformed !== undefined) {
    return malformed;
  }
  const domain = reservedAnnotationDomain(key);
  return domain && `the annotation key "${key}" in additionalPodMetadata is reserved: choose a prefix that is not under ${domain}`;
}

function keyProblem(what: string, key: string): string | undefined {
  const prefix = prefixOf(key);
  const name = key.slice(key.indexOf('/') + 1);
  const validPrefix = prefix === undefined || (prefix.length <= LONGEST_PREFIX && SUBDOMAIN.test(prefix));
  return validPrefix && name.length <= LONGEST_NAME && NAME.test(name) ? undefined : `the ${what} key "${key}" in additionalPodMetadata is not a qualified name such as example.com/name`;
}

function prefixOf(key: string): string | undefined {
  const slash = key.indexOf('/');
  return slash < 0 ? undefined : key.slice(0, slash);
}

/** The domains that a configuration file lists, separated by commas or line breaks; `undefined` when it lists none. */
export function parseLabelDomains(text: string): readonly string[] | undefined {
  const domains = text.split(/[,\r\n]/).map(entry => entry.trim().toLowerCase()).filter(entry => entry !== '');
  return domains.length === 0 ? undefined : domains;
}

/** Metadata of a Pod template, and the keys that the template and the claim disagree about. */
export interface MergedMetadata {
  readonly labels: { [key: string]: string };
  readonly annotations: { [key: string]: string };
  readonly conflict?: string;
}

/** Pod metadata of a claimed Sandbox: that of its template, its identity labels, and the additions of the claim. */
export function claimedPodMetadata(base: PodMetadata, claim: SandboxClaim, templateHash: string | undefined): MergedMetadata {
  const { labels: moreLabels = {}, annotations: moreAnnotations = {} } = claim.spec.additionalPodMetadata ?? {};
  const conflict = conflictOf('label', base.labels, moreLabels) ?? conflictOf('annotation', base.annotations, moreAnnotations);
  return {
    labels: { ...without(base.labels, LABEL.createdBy), ...moreLabels, ...identityLabels(claim, templateHash) },
    annotations: { ...base.annotations, ...moreAnnotations },
    ...definedOnly({ conflict }),
  };
}

/** Metadata of a pool member's Pod template without what the pool put there, for when the template cannot be read. */
export function withoutPoolMetadata({ labels = {}, annotations = {} }: PodMetadata): PodMetadata {
  const kept = Object.entries(annotations).filter(([key, value]) => key !== ANNOTATION.safeToEvict || value !== 'true');
  return {
    labels: without(labels, ...POOL_LABELS),
    annotations: Object.fromEntries(kept),
  };
}

/** A map without some of its keys. */
export function without(map: StringMap = {}, ...keys: readonly string[]): { [key: string]: string } {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}

/** Labels that identify the owner of a Pod: the claim, the template, and the kind of client if the claim names it. */
export function identityLabels(claim: SandboxClaim, templateHash: string | undefined): { [key: string]: string } {
  const createdBy = createdByLabel(claim);
  return {
    [LABEL.claimUid]: claim.metadata.uid ?? '',
    ...definedOnly({ [LABEL.templateRefHash]: templateHash, [LABEL.createdBy]: createdBy }),
  };
}

/** The kind of client that created the claim, as given. */
export function createdByLabel(claim: SandboxClaim): string | undefined {
  return labelOf(claim, LABEL.createdBy) || undefined;
}

function conflictOf(what: string, base: StringMap = {}, added: StringMap): string | undefined {
  const key = Object.keys(added).find(candidate => Object.hasOwn(base, candidate) && base[candidate] !== added[candidate]);
  return key === undefined
    ? undefined
    : `metadata override conflict: the ${what} "${key}" is "${base[key]}" already, not "${added[key]}": drop it from additionalPodMetadata`;
}
