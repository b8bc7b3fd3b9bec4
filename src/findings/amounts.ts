import { Quantity } from '../checks';
import { EXTENSIONS_GROUP } from '../generated/vocabulary.gen';
import { podAmounts } from '../namespace';
import { largest } from './contradictions';
import { FindingSeverity } from './finding';
import { templateOf } from './pods';
import type { Rule, Subject, World } from './world';

/** Rules about amounts of a namespace and what is in it. */
export const AMOUNT_RULES: readonly Rule[] = [
  {
    id: 'quota-of-amounts',
    severity: FindingSeverity.ERROR,
    summary: 'The Sandboxes of a namespace, with its pools at their maximum, need more CPU or memory than its quota has.',
    check: (world, report) => {
      for (const quota of world.of('ResourceQuota')) {
        for (const [resource, hard] of Object.entries<any>(quota.spec.hard ?? {})) {
          const [, side = 'requests', amount] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(resource) ?? [];
          const most = Quantity.tryParse(String(hard));
          if (amount === undefined || !most) {
            continue;
          }
          const needs = needsOf(world, quota, side as 'requests' | 'limits', amount);
          const all = needs.reduce((sum, { each, count }) => sum.plus(each.times(count)), Quantity.ZERO);
          if (all.exceeds(most)) {
            report(quota, `spec.hard['${resource}']`, hard, `its Sandboxes need ${all} when its pools are full (${needs.map(({ name, each, count }) => `${name}: ${count} x ${each}`).join(', ')})`,
              `raise it to more than ${all}, or make pools or Pods smaller`);
          }
        }
      }
    },
  },
  {
    id: 'quota-of-claims',
    severity: FindingSeverity.ERROR,
    summary: 'A namespace has more claims than its quota.',
    check: (world, report) => {
      const resource = `count/sandboxclaims.${EXTENSIONS_GROUP}`;
      for (const quota of world.of('ResourceQuota').filter(each => each.spec.hard?.[resource] !== undefined)) {
        const count = world.of('SandboxClaim').filter(each => each.isOurs && each.namespaceKey === quota.namespaceKey).length;
        if (count > Number(quota.spec.hard[resource])) {
          report(quota, `spec.hard['${resource}']`, quota.spec.hard[resource], `the namespace has ${count === 1 ? 'a claim' : `${count} claims`}`, `raise it to ${count} or more, or leave claims out`);
        }
      }
    },
  },
];

interface Need {
  readonly name: string;
  readonly each: Quantity;
  readonly count: number;
}

/** What Sandboxes and pools of the namespace of a quota need, as far as their Pods say it. */
function needsOf(world: World, quota: Subject, side: 'requests' | 'limits', amount: string): Need[] {
  const ofPod = (spec: any): Quantity | undefined => {
    const runtimeClass = spec?.runtimeClassName === undefined ? undefined : world.of('RuntimeClass').find(({ name }) => name === spec.runtimeClassName);
    return Array.isArray(spec?.containers) ? podAmounts(spec, runtimeClass?.manifest.overhead?.podFixed)[side][amount] : undefined;
  };
  const inside = (kind: string) => world.of(kind).filter(each => each.isOurs && each.namespaceKey === quota.namespaceKey);
  return [
    ...inside('SandboxWarmPool').map(pool => ({ name: pool.name, each: ofPod(templateOf(world, pool)?.spec.podTemplate?.spec), count: largest(world, pool) })),
    ...inside('Sandbox').map(sandbox => ({ name: sandbox.name, each: ofPod(sandbox.spec.podTemplate?.spec), count: 1 })),
  ].flatMap(({ name, each, count }) => (each && count > 0 ? [{ name, each, count }] : []));
}
