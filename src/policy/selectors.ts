/** Answer to a question about objects of which not everything is known. @internal */
export type Truth = 'yes' | 'no' | 'maybe';

/** Labels of an object. @internal */
export interface KnownLabels {
  readonly labels: { readonly [key: string]: string };

  /** Whether the object may have further labels of this key, which no manifest shows. */
  readonly mayHave: (key: string) => boolean;
}

/** A label selector as it stands in a manifest. @internal */
export interface Selector {
  readonly matchLabels?: { readonly [key: string]: string };
  readonly matchExpressions?: ReadonlyArray<{ readonly key: string; readonly operator: string; readonly values?: readonly string[] }>;
}

/** Whether a selector selects an object. The empty selector selects everything. @internal */
export function selects(selector: Selector, target: KnownLabels): Truth {
  return every([
    ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => matches(target, key, 'In', [value])),
    ...(selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => matches(target, key, operator, values)),
  ]);
}

/** Whether all of these are true. @internal */
export function every(truths: readonly Truth[]): Truth {
  return truths.includes('no') ? 'no' : truths.includes('maybe') ? 'maybe' : 'yes';
}

/** Whether one of these is true. @internal */
export function some(truths: readonly Truth[]): Truth {
  return truths.includes('yes') ? 'yes' : truths.includes('maybe') ? 'maybe' : 'no';
}

function matches({ labels, mayHave }: KnownLabels, key: string, operator: string, values: readonly string[]): Truth {
  const value = Object.prototype.hasOwnProperty.call(labels, key) ? labels[key] : undefined;
  if (value === undefined && mayHave(key)) {
    return 'maybe';
  }
  switch (operator) {
    case 'In': return truth(value !== undefined && values.includes(value));
    case 'NotIn': return truth(value === undefined || !values.includes(value));
    case 'Exists': return truth(value !== undefined);
    case 'DoesNotExist': return truth(value === undefined);
    default: return 'maybe';
  }
}

function truth(value: boolean): Truth {
  return value ? 'yes' : 'no';
}
