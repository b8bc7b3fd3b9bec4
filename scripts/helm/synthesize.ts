import { App } from 'cdk8s';
import { AgentSandboxController } from '../../src';
import { withPlaceholders } from '../../src/checks';
import { type Knob, type Props, type Values, isAlways, isBoolean, propsOf, setAt } from './knob';
import { NAMESPACE, type Sentinels } from './sentinels';

/** Knobs that do not have their default. */
export type Assignment = readonly Knob[];

/** Keeps the definitions when a release is uninstalled: with them would go every Sandbox, and its volumes. */
const CRD_ANNOTATIONS = { 'helm.sh/resource-policy': 'keep' };

/** The objects of props, as Helm installs them: without Namespace. */
export function objectsOf(props: Props, namespace: string): any[] {
  const app = new App({ outdir: '/nonexistent' });
  // Placeholders are texts and objects that no type of Kubernetes has; the schema of the chart says what its values may be.
  return withPlaceholders(() => new AgentSandboxController(app, 'agent-sandbox', { ...props, namespace, createNamespace: false, crdAnnotations: CRD_ANNOTATIONS }).toJson());
}

/** Several values make up one text: a helper of the chart computes it. */
const COMPUTED: readonly [pattern: RegExp, text: string] = [/--authz-mode=[a-z,-]*/g, '--authz-mode=computed'];

/** Synthesizes the construct with sentinels in place of values. */
export class Synthesizer {
  private readonly known = new Map<string, Map<string, any> | undefined>();

  constructor(private readonly knobs: readonly Knob[], private readonly sentinels: Sentinels) {}

  /**
   * Objects by kind, namespace and name, where all knobs that always have a value have their sentinel, and those of the
   * assignment are not at their default. Undefined where the construct refuses the combination.
   *
   * @param together knobs of which only what has to be there with them is set
   */
  public objects(assignment: Assignment, together: Assignment = []): Map<string, any> | undefined {
    const key = [...assignment.map(({ value }) => value).sort(), '+', ...together.map(({ value }) => value)].join();
    if (!this.known.has(key)) {
      this.known.set(key, this.synthesize(assignment, together));
    }
    return this.known.get(key);
  }

  private synthesize(assignment: Assignment, together: Assignment): Map<string, any> | undefined {
    const values: Values = {};
    for (const knob of this.knobs) {
      if (isBoolean(knob)) {
        setAt(values, knob.value, assignment.includes(knob) ? !knob.default : knob.default);
      } else if (knob.value in SINGLE && assignment.some(({ value }) => value === SINGLE[knob.value].value)) {
        setAt(values, knob.value, 1);
      } else if (isAlways(knob) || assignment.includes(knob)) {
        setAt(values, knob.value, this.sentinels.of(knob).value);
      }
    }
    for (const [path, value] of [...assignment, ...together].flatMap(knob => Object.entries(knob.together ?? {}))) {
      if (!assignment.some(knob => knob.value === path)) {
        setAt(values, path, value);
      }
    }
    try {
      const objects: any[] = JSON.parse(JSON.stringify(objectsOf({ ...propsOf(this.knobs, values), crds: false }, NAMESPACE)).replace(...COMPUTED));
      return new Map(objects.map(object => [[object.kind, object.metadata.namespace, object.metadata.name].join('/'), object]));
    } catch {
      return undefined;
    }
  }
}

const single = (value: string, condition: string): Knob => ({ value: `${value} is 1`, prop: '', type: 'boolean', default: false, description: '', condition });

/** What a single replica does without, by the knob that counts replicas. */
export const SINGLE: { readonly [value: string]: Knob } = {
  'replicas': single('replicas', 'le (int64 $.Values.replicas) 1'),
  'router.replicas': single('router.replicas', 'and (le (int64 $.Values.router.replicas) 1) (kindIs "invalid" $.Values.router.autoscaling.maxReplicas)'),
};
