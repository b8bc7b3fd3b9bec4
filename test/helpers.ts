import { ApiObject, App, Chart, ChartProps } from 'cdk8s';
import { IConstruct } from 'constructs';

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
