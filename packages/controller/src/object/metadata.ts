import { LABEL, knownCreator, type ObjectMeta } from 'agent-sandbox-api';
import { parseTime } from './time.js';

/** Anything with a kind and metadata. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export type StringMap = { readonly [key: string]: string };

export function isDeleting(object: { readonly metadata: ObjectMeta }): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function labelOf(object: { readonly metadata: ObjectMeta }, key: string): string | undefined {
  return object.metadata.labels?.[key];
}

export function annotationOf(object: { readonly metadata: ObjectMeta }, key: string): string | undefined {
  return object.metadata.annotations?.[key];
}

/** The normalized `created-by` label of an object, if it has one. */
export function createdByOf(object: { readonly metadata: ObjectMeta }): string | undefined {
  const value = labelOf(object, LABEL.createdBy);
  return value ? knownCreator(value) : undefined;
}

/** `a` is older than `b`: by creation time, then by UID. */
export function isOlder(a: { readonly metadata: ObjectMeta }, b: { readonly metadata: ObjectMeta }): boolean {
  const [at, bt] = [parseTime(a.metadata.creationTimestamp) ?? Infinity, parseTime(b.metadata.creationTimestamp) ?? Infinity];
  return at !== bt ? at < bt : (a.metadata.uid ?? '') < (b.metadata.uid ?? '');
}
