import type { SandboxSpec } from 'agent-sandbox-api';
import { semanticallyEqual } from '../object/diff.js';
import type { Blueprint } from './blueprint.js';

/**
 * Whether a Sandbox has the spec of a blueprint: its Pod spec, its volume claim templates by order, name and spec, and
 * `service`, where unset is not `false`. Labels and annotations do not count. Quantities are compared by value and empty
 * `resources` are none, since programs in Go write both in their own way.
 */
export function hasBlueprint(spec: SandboxSpec, blueprint: Blueprint): boolean {
  return (spec.service ?? undefined) === (blueprint.service ?? undefined) && semanticallyEqual(compared(spec), compared(blueprint));
}

function compared({ podTemplate, volumeClaimTemplates = [] }: Blueprint): unknown {
  return {
    pod: canonical(podTemplate.spec),
    volumes: volumeClaimTemplates.map(({ metadata, spec }) => ({ name: metadata?.name, spec: canonical(spec) })),
  };
}

const QUANTITIES = new Set(['sizeLimit', 'divisor']);
const QUANTITY_MAPS = new Set(['limits', 'requests', 'overhead']);

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(canonical);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const result: { [key: string]: unknown } = {};
  for (const [key, child] of Object.entries(value)) {
    if (QUANTITIES.has(key)) {
      result[key] = quantity(child);
    } else if (QUANTITY_MAPS.has(key) && typeof child === 'object' && child !== null) {
      result[key] = Object.fromEntries(Object.entries(child).map(([name, amount]) => [name, quantity(amount)]));
    } else if (key !== 'resources' || Object.keys(child as object | null ?? {}).length > 0) {
      result[key] = canonical(child);
    }
    // Go writes the zero where there is no divisor.
    if (key === 'divisor' && result[key] === '0') {
      delete result[key];
    }
  }
  return result;
}

const QUANTITY = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/;
const DECIMAL: { readonly [suffix: string]: number } = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const BINARY = ['Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** A quantity as digits and a decimal exponent, without zeros at the end; anything else unchanged. */
function quantity(value: unknown): unknown {
  const match = QUANTITY.exec(String(value));
  if (match === null || `${match[2]}${match[3] ?? ''}` === '') {
    return value;
  }
  const [, sign, whole, fraction = '', exponent, suffix = ''] = match;
  const binary = BINARY.indexOf(suffix) + 1;
  const digits = (BigInt(`${whole}${fraction}`) * 1024n ** BigInt(binary)).toString();
  const significant = digits.replace(/0+$/, '');
  if (significant === '') {
    return '0';
  }
  const power = Number(exponent ?? DECIMAL[suffix] ?? 0) - fraction.length + digits.length - significant.length;
  return `${sign === '-' ? '-' : ''}${significant}${power === 0 ? '' : `e${power}`}`;
}
