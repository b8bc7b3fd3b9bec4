import { type ApiObjectMetadata, Chart } from 'cdk8s';
import type { Construct } from 'constructs';
import { dnsLabel, dnsSubdomain, labelValue, type Problems, qualifiedName } from '../checks';
import type { ObjectMetadataProps } from './kubernetes-object';

/** Versions of the Agent Sandbox API. */
export enum AgentSandboxVersion {
  /** The stored version; for every cluster since v0.5 of the API. */
  V1BETA1 = 'v1beta1',

  /** The deprecated version, for clusters that have no other. What it cannot express is an error. */
  V1ALPHA1 = 'v1alpha1',
}

/** Name and metadata of an object. */
export interface AgentSandboxObjectProps extends ObjectMetadataProps {
  /**
   * Name of the object. Changing it makes another object: a renamed Sandbox loses its volumes.
   *
   * @default - the construct's id, so that moving a construct in the tree never renames a workspace
   */
  readonly name?: string;

  /**
   * Namespace of the object.
   *
   * @default - the namespace of the chart
   */
  readonly namespace?: string;

  /**
   * Version of the API to emit.
   *
   * @default AgentSandboxVersion.V1BETA1
   */
  readonly apiVersion?: AgentSandboxVersion;
}

/**
 * Name and namespace that an object will have.
 *
 * @internal
 */
export interface ObjectIdentity {
  readonly name: string;
  readonly namespace?: string;
}

/** @internal */
export function identityOf(scope: Construct, id: string, props: AgentSandboxObjectProps): ObjectIdentity {
  return { name: props.name ?? id, namespace: props.namespace ?? Chart.of(scope).namespace };
}

/**
 * Checks name and metadata.
 *
 * @internal
 */
export function checkObject(problems: Problems, identity: ObjectIdentity, props: AgentSandboxObjectProps): void {
  if (props.name === undefined) {
    problems.check('name (the construct id)', identity.name, id => dnsSubdomain(id) && `${dnsSubdomain(id)}; or keep the id and set name`);
  } else {
    problems.check('name', props.name, dnsSubdomain);
  }
  problems.check('namespace', identity.namespace, dnsLabel);
  checkLabels(problems, 'labels', props.labels);
  checkKeys(problems, 'annotations', props.annotations);
}

/** @internal */
export function checkLabels(problems: Problems, prop: string, labels: { readonly [key: string]: string } | undefined): void {
  checkKeys(problems, prop, labels);
  for (const [key, value] of Object.entries(labels ?? {})) {
    problems.check(`${prop}['${key}']`, value, labelValue);
  }
}

/** What all annotations of an object may have together, keys and values, in bytes. */
const MAX_ANNOTATIONS = 256 * 1024;

/** @internal */
export function checkKeys(problems: Problems, prop: string, map: { readonly [key: string]: string } | undefined): void {
  const size = Object.entries(map ?? {}).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)), 0);
  if (size > MAX_ANNOTATIONS) {
    problems.add(prop, `${size} bytes`, `Kubernetes takes ${MAX_ANNOTATIONS} bytes in all, keys and values: keep large data in a ConfigMap`);
  }
  for (const key of Object.keys(map ?? {})) {
    problems.check(`${prop} key`, key, qualifiedName);
  }
}

/** @internal */
export function objectMetadata(identity: ObjectIdentity, props: AgentSandboxObjectProps): ApiObjectMetadata {
  return { name: identity.name, namespace: identity.namespace, labels: props.labels, annotations: props.annotations };
}

/**
 * Whether two objects are known to be in different namespaces. A namespace that is not written is chosen when the
 * manifest is applied, and compares equal to any.
 *
 * @internal
 */
export function inDifferentNamespaces(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}
