import type { Chart } from 'cdk8s';
import type { Json, KindName, VersionName } from '../../../api/test/crd-files';
import { Isolation, Sandbox, SandboxClaim, type SandboxClaimProps, type SandboxContainer, SandboxTemplate, type SandboxTemplateProps, SandboxWarmPool, type SandboxWarmPoolProps } from '../../../src';
import type { KubeObject } from '../../../testbed/src/index.js';
import { synth, testChart } from '../../helpers';
import { apiVersion } from './bench';

/** The error of the constructs: what throws, and a part of the message. */
export type Earlier = readonly [build: (chart: Chart) => unknown, message: string];

/** A manifest that the server refuses. */
export interface Refused {
  readonly title: string;
  /** The manifest; the namespace of the suite is added to it. */
  readonly object: KubeObject;
  /** A part of the server's answer. */
  readonly reason: string;
  /** The error of the constructs, which comes first; or why there is none. */
  readonly earlier: Earlier | string;
}

export const IMAGE = 'registry.example/app:1';
/** Why the constructs do not check a field: the compiler does. */
export const TYPED = 'the types of the constructs do not allow it';

/** An object of one of the four kinds. */
export function ours(kind: KindName, spec: unknown, metadata: Json = {}, version: VersionName = 'v1beta1'): KubeObject {
  return { apiVersion: apiVersion(kind, version), kind, metadata: { name: 'refused', ...metadata }, spec };
}

/** A Sandbox of v1beta1 with a Pod. */
export function sandboxOf(podSpec: unknown, fields: Json = {}): KubeObject {
  return ours('Sandbox', { podTemplate: { spec: podSpec }, ...fields });
}

/** A Sandbox of v1beta1 with one container. */
export function sandboxWith(container: Json): KubeObject {
  return sandboxOf({ containers: [{ name: 'main', image: IMAGE, ...container }] });
}

/** The Pod that a controller would make. */
export function podOf(spec: Json): KubeObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'refused' }, spec: { containers: [{ name: 'main', image: IMAGE }], ...spec } };
}

/** The Pod that a controller would make, with one container. */
export function podWith(container: Json): KubeObject {
  return podOf({ containers: [{ name: 'main', image: IMAGE, ...container }] });
}

/** A Sandbox of the constructs, with what is wrong with it. */
export function sandbox(props: Json, id = 'box'): Earlier[0] {
  return chart => new Sandbox(chart, id, { containers: [{ image: IMAGE }], isolation: Isolation.none(), ...props });
}

/** A template of the constructs, with what is wrong with its one container. */
export function container(props: Partial<SandboxContainer>, template: Partial<SandboxTemplateProps> = {}): Earlier[0] {
  return chart => new SandboxTemplate(chart, 'template', { containers: [{ image: IMAGE, ...props }], isolation: Isolation.none(), ...template });
}

/** A pool of the constructs, with what is wrong with it. */
export function pool(props: Partial<SandboxWarmPoolProps>): Earlier[0] {
  return chart => new SandboxWarmPool(chart, 'pool', { template: SandboxTemplate.fromName('template'), ...props });
}

/** A claim of the constructs, with what is wrong with it. */
export function claim(props: SandboxClaimProps): Earlier[0] {
  return chart => new SandboxClaim(chart, 'claim', props);
}

/** Runs what should throw, synthesis included. */
export function build([construct]: Earlier): void {
  const chart = testChart({ namespace: 'default' });
  construct(chart);
  const problems = chart.node.root.node.findAll().flatMap(node => node.node.validate());
  if (problems.length > 0) {
    throw new Error(problems.join('\n'));
  }
  synth(chart);
}
