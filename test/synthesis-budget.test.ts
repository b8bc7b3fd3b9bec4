import { ApiObject, App, Chart, JsonPatch } from 'cdk8s';
import { Construct } from 'constructs';
import { Isolation, Sandbox, SandboxClaim, SandboxTemplate, SandboxWarmPool } from '../src';
import { CONTAINER, POD, messageOf } from './helpers';

/**
 * What a synthesis may cost, counted in work and not in time: the benchmark of bench/README.md has the times.
 */

/** An app with many objects of each kind, in some charts, and one that is of no construct of ours. */
function appOf(charts: number, each: number): App {
  const app = new App();
  for (let index = 0; index < charts; index++) {
    const chart = new Chart(app, `chart-${index}`, { namespace: `agents-${index}` });
    const template = new SandboxTemplate(chart, 'python', { ...POD, containers: [CONTAINER], isolation: Isolation.gvisor() });
    const pool = new SandboxWarmPool(chart, 'pool', { template, replicas: 2 });
    new ApiObject(chart, 'config', { apiVersion: 'v1', kind: 'Service', metadata: { name: 'other' }, spec: {} });
    for (let at = 0; at < each; at++) {
      new Sandbox(chart, `sandbox-${at}`, POD);
      new SandboxClaim(chart, `claim-${at}`, { pool });
    }
  }
  return app;
}

const objectsOf = (app: App) => app.node.findAll().filter((each): each is ApiObject => ApiObject.isApiObject(each));

/** How often each object of an app is rendered while `run` does its work. */
function renderings(app: App, run: () => void): number[] {
  const objects = objectsOf(app);
  const counts = new Map<ApiObject, number>(objects.map(object => [object, 0]));
  // All classes of objects end in this method.
  const spy = jest.spyOn(ApiObject.prototype, 'toJson').mockImplementation(function (this: ApiObject) {
    counts.set(this, counts.get(this)! + 1);
    return original.call(this);
  });
  try {
    run();
  } finally {
    spy.mockRestore();
  }
  return objects.map(object => counts.get(object)!);
}
const original = ApiObject.prototype.toJson;

describe('a synthesis', () => {
  test.each([['synth', 1], ['synth', 20], ['synthYaml', 1], ['synthYaml', 20]] as const)('by %s renders each object once, with %d charts', (method, charts) => {
    const app = appOf(charts, 3);
    expect(new Set(renderings(app, () => app[method]()))).toEqual(new Set([1]));
  });

  test('leaves the objects as they were', () => {
    const app = appOf(1, 1);
    app.synthYaml();
    expect(objectsOf(app).filter(object => Object.hasOwn(object, 'toJson'))).toEqual([]);
    const [object] = objectsOf(app);
    expect(object.toJson()).not.toBe(object.toJson());
  });

  test('that fails leaves the objects as they were', () => {
    const app = appOf(1, 1);
    new SandboxClaim(app.node.children[0] as Chart, 'again', { name: 'claim-0', pool: SandboxWarmPool.fromName('pool') });
    expect(messageOf(() => app.synthYaml())).toContain('[duplicate-name]');
    expect(objectsOf(app).filter(object => Object.hasOwn(object, 'toJson'))).toEqual([]);
  });

  test('writes what it wrote before the objects were rendered for the findings', () => {
    const app = appOf(3, 2);
    const alone = new App();
    const twin = appOf(3, 2);
    // A validation, which could change objects, has each of them rendered by its chart.
    twin.node.addValidation({ validate: () => [] });
    expect(new Set(renderings(twin, () => expect(twin.synthYaml()).toBe(app.synthYaml())))).toEqual(new Set([2]));
    expect(alone.synthYaml()).toBe('');
  });

  test.each<[string, (app: App, object: ApiObject) => void]>([
    ['a validation', (app, object) => new Construct(app.node.children[0] as Chart, 'late').node.addValidation({
      validate: () => {
        object.metadata.addLabel('late', 'yes');
        return [];
      },
    })],
    ['a chart of its own class', (app, object) => app.node.children[0].node.addDependency(new (class extends Chart {
      public toJson(): any[] {
        object.metadata.addLabel('late', 'yes');
        return super.toJson();
      }
    })(app, 'late'))],
  ])('writes what %s changes', (_, change) => {
    const app = appOf(1, 1);
    change(app, objectsOf(app)[0]);
    expect(app.synthYaml()).toContain('late: "yes"');
  });
});

test('a chart alone is checked once, whatever its objects, and again after a patch', () => {
  const app = appOf(1, 1);
  const chart = app.node.children[0] as Chart;
  chart.toJson();
  expect(new Set(renderings(app, () => chart.toJson()))).toEqual(new Set([1]));
  const sandbox = objectsOf(app).find(object => object.kind === 'Sandbox')!;
  sandbox.addJsonPatch(JsonPatch.add('/metadata/labels', { team: 'data' }));
  expect(new Set(renderings(app, () => chart.toJson()))).toEqual(new Set([2]));
});
