import { manifestsOf } from '../bench/check/objects';
import { Checks, NetworkModel, Posture } from '../src';
import { LABEL, nameHash } from '../src/generated/vocabulary.gen';
import { workOf } from './support/work';

const [few, many] = [100, 400].map(count => manifestsOf(count));

/** All objects in one namespace: no index by namespace hides what compares each with each. */
function inOneNamespace(manifests: any[]): any[] {
  const text = JSON.stringify(manifests.filter(({ kind }) => kind !== 'Namespace'));
  // Names stay unique: they begin with that of the namespace.
  return JSON.parse(text).map((each: any) => {
    const { namespace } = each.metadata;
    const prefixed = (name: string) => name.replace(/^(sandbox-)?/, `$1${namespace}-`);
    const { spec } = each;
    return {
      ...each,
      metadata: { ...each.metadata, namespace: 'all', name: prefixed(each.metadata.name) },
      spec: {
        ...spec,
        ...(spec.sandboxTemplateRef && { sandboxTemplateRef: { name: prefixed(spec.sandboxTemplateRef.name) } }),
        ...(spec.warmPoolRef && { warmPoolRef: { name: prefixed(spec.warmPoolRef.name) } }),
        ...(spec.podSelector?.matchLabels && { podSelector: { matchLabels: { [LABEL.sandboxNameHash]: nameHash(prefixed(each.metadata.name).replace(/^sandbox-/, '')) } } }),
      },
    };
  });
}

const STEPS: ReadonlyArray<readonly [name: string, run: (manifests: any[]) => unknown]> = [
  ['checks', manifests => Checks.ofManifests(manifests)],
  ['the network matrix', manifests => NetworkModel.ofManifests(manifests).matrix()],
  ['posture', manifests => Posture.ofManifests(manifests).toText()],
];

describe('four times the objects are four times the work', () => {
  test.each(STEPS)('for %s', (_name, run) => {
    run(few);
    expect(workOf(() => run(many)) / workOf(() => run(few))).toBeLessThan(4.4);
  });

  test.each(STEPS)('for %s, all of one namespace', (_name, run) => {
    const [less, more] = [few, many].map(inOneNamespace);
    run(less);
    expect(workOf(() => run(more)) / workOf(() => run(less))).toBeLessThan(4.4);
  });
});

test('equal policies are worked out once: ten times the Sandboxes ask about no more addresses', () => {
  const boxes = (count: number) => manifestsOf(100).filter(({ kind }) => kind === 'Sandbox' || kind === 'NetworkPolicy').slice(0, 2)
    .flatMap(each => Array.from({ length: count }, (_, index) => ({ ...each, metadata: { ...each.metadata, namespace: `team-${index}` } })));
  const matrix = (count: number) => workOf(() => NetworkModel.ofManifests(boxes(count)).matrix());
  matrix(1);
  const [one, ten, twenty] = [1, 10, 20].map(matrix);
  // What an object of its own costs, against what the answers cost.
  expect((twenty - ten) / 10).toBeLessThan(one / 10);
});
