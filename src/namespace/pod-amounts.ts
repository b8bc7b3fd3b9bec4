import type * as l1 from '../../imports';
import { Quantity } from '../checks';
import type { RuntimeClassOverhead } from '../pod';

/** Amounts by the name of their resource. */
type Amounts = Readonly<Record<string, Quantity>>;

/** What a Pod counts for in a quota. @internal */
export type PodAmounts = Readonly<Record<'requests' | 'limits', Amounts>>;

/**
 * What a Pod counts for in a quota, as Kubernetes computes it: containers and sidecars together, or the largest init container beside the sidecars
 * that have started before it, if that is more; the resources of the Pod as a whole instead, where it has them; and the overhead. Takes the spec of
 * a construct, or of a manifest.
 *
 * @internal
 */
export function podAmounts(spec: l1.PodSpec, overhead: RuntimeClassOverhead | undefined): PodAmounts {
  const over: Amounts = amountsOf(Object.fromEntries(Object.entries(overhead ?? {}).map(([resource, value]) => [resource, { value }])));
  return { requests: side(spec, over, requestsOf), limits: side(spec, over, ({ limits }) => amountsOf(limits)) };
}

function side(spec: l1.PodSpec, overhead: Amounts, of: (resources: l1.ResourceRequirements) => Amounts): Amounts {
  const own = (container: l1.Container) => of(container.resources ?? {});
  let sidecars: Amounts = {};
  let most: Amounts = {};
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      sidecars = combined(sidecars, own(container), sumOf);
    } else {
      most = combined(most, combined(sidecars, own(container), sumOf), larger);
    }
  }
  const running = spec.containers.reduce((sum, container) => combined(sum, own(container), sumOf), sidecars);
  return combined({ ...combined(running, most, larger), ...of(spec.resources ?? {}) }, overhead, sumOf);
}

/** The API server takes a limit as the request, where there is none. */
function requestsOf({ requests, limits }: l1.ResourceRequirements): Amounts {
  return { ...amountsOf(limits), ...amountsOf(requests) };
}

function amountsOf(map: { readonly [resource: string]: { readonly value: unknown } | string } | undefined): Amounts {
  return Object.fromEntries(Object.entries(map ?? {}).flatMap(([resource, written]) => {
    const amount = Quantity.tryParse(String(typeof written === 'object' ? written.value : written));
    return amount ? [[resource, amount]] : [];
  }));
}

function combined(a: Amounts, b: Amounts, both: (a: Quantity, b: Quantity) => Quantity): Amounts {
  return { ...a, ...Object.fromEntries(Object.entries(b).map(([resource, amount]) => [resource, a[resource] ? both(a[resource], amount) : amount])) };
}

function larger(a: Quantity, b: Quantity): Quantity {
  return a.exceeds(b) ? a : b;
}

function sumOf(a: Quantity, b: Quantity): Quantity {
  return a.plus(b);
}
