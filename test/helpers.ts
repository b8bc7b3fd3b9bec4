import { ApiObject, App, Chart, type ChartProps } from 'cdk8s';
import type { IConstruct } from 'constructs';
import { schemaOf } from '../api/test/crd-files';
import { valueProblems } from '../api/test/structural-schema';
import { Isolation, Sandbox, type SandboxContainer, type SandboxProps, SandboxTemplate, type SandboxTemplateProps } from '../src';

/** An app that is never written to disk. */
export function testApp(): App {
  return new App({ outdir: '/nonexistent' });
}

export function testChart(props: ChartProps = {}, app: App = testApp()): Chart {
  return new Chart(app, 'test', props);
}

/** The manifests of a chart, after the validations that synthesis runs. */
export function synth(chart: Chart): any[] {
  return chart.toJson();
}

/** The one manifest of a kind in a chart. */
export function manifest(chart: Chart, kind: string): any {
  const found = synth(chart).filter(object => object.kind === kind);
  if (found.length !== 1) {
    throw new Error(`expected one ${kind}, found ${found.length}`);
  }
  return found[0];
}

/** The spec of the Pod in a manifest. */
export function podSpec(object: any): any {
  return object.spec.podTemplate.spec;
}

/** The manifest of a construct alone. */
export function manifestOf(construct: IConstruct): any {
  return ApiObject.of(construct).toJson();
}

/** A container that has everything it needs and nothing else. */
export const CONTAINER: SandboxContainer = { image: 'registry.example/python@sha256:0123' };

/** The least that a Sandbox or template needs. */
export const POD = { containers: [CONTAINER], isolation: Isolation.gvisor() };

/** The manifest of a Sandbox that has `props` besides the least. */
export function sandbox(props: Partial<SandboxProps> = {}, chart = testChart()): any {
  new Sandbox(chart, 'box', { ...POD, ...props });
  return manifest(chart, 'Sandbox');
}

/** The only container of a Sandbox that has `props` besides the least. */
export function container(props: Partial<SandboxContainer> = {}, chart = testChart()): any {
  return podSpec(sandbox({ containers: [{ ...CONTAINER, ...props }] }, chart)).containers[0];
}

/** The manifest of a template that has `props` besides the least. */
export function template(props: Partial<SandboxTemplateProps> = {}, chart = testChart()): any {
  new SandboxTemplate(chart, 'python', { ...POD, ...props });
  return manifest(chart, 'SandboxTemplate');
}

/** What the schema of its kind and version says against the spec of a manifest. */
export function schemaProblems(object: any): string[] {
  const [, version] = object.apiVersion.split('/');
  return valueProblems(schemaOf(object.kind, version, 'spec'), object.spec, 'spec');
}

/** The message of the error that `action` throws. */
export function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was thrown');
}
