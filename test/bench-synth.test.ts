import { ApiObject, App, Chart } from 'cdk8s';
import type { ChartFor } from '../bench/synth/charts';
import { TWINS } from '../bench/synth/subjects';

/** A module as `cdk8s import` writes it for one of our definitions, as far as the apps use it: objects with wire names, and values of two types. */
const mockStock = (group: string, ...kinds: readonly string[]) => new Proxy({}, {
  get: (_, name: string) => (kinds.includes(name)
    ? class extends ApiObject {
      constructor(scope: Chart, id: string, props: object) {
        super(scope, id, { apiVersion: `${group}/v1beta1`, kind: name, ...props });
      }
    }
    : { fromString: (value: string) => value, fromNumber: (value: number) => value }),
});

jest.mock('stock-import/sandboxes', () => mockStock('agents.x-k8s.io', 'Sandbox'), { virtual: true });
jest.mock('stock-import/sandboxclaims', () => mockStock('extensions.agents.x-k8s.io', 'SandboxClaim'), { virtual: true });
jest.mock('stock-import/sandboxtemplates', () => mockStock('extensions.agents.x-k8s.io', 'SandboxTemplate'), { virtual: true });
jest.mock('stock-import/sandboxwarmpools', () => mockStock('extensions.agents.x-k8s.io', 'SandboxWarmPool'), { virtual: true });

function manifests(id: string, isOneChart: boolean): unknown {
  const { build } = jest.requireActual(`../bench/synth/apps/${id}`) as { build(chartFor: ChartFor, count: number): void };
  const app = new App();
  const shared = isOneChart ? new Chart(app, 'bench', { namespace: 'agents' }) : undefined;
  build(name => shared ?? new Chart(app, name, { namespace: 'agents' }), 3);
  return { yaml: app.synthYaml(), charts: app.charts.map(chart => chart.node.path) };
}

describe.each(TWINS)('%s and %s, which are compared as twins,', (a, b) => {
  test.each([['in one chart', true], ['with a chart for each', false]])('write the same manifests %s', (_, isOneChart) => {
    expect(manifests(a, isOneChart)).toEqual(manifests(b, isOneChart));
  });
});
