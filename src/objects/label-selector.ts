import type * as l1 from '../../imports';
import { labelValue, type Problems, qualifiedName } from '../checks';

/** The label by which Kubernetes gives each namespace its name. @internal */
export const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

/**
 * The selector of exactly these labels, in an order of its own. No labels are refused, as they would select everything;
 * `everything` is how one says so.
 *
 * @internal
 */
export function selectorOf(problems: Problems, prop: string, labels: { readonly [key: string]: string }, everything: string): l1.LabelSelector {
  const keys = Object.keys(labels).sort();
  if (keys.length === 0) {
    problems.add(prop, labels, `without labels everything matches: ${everything}`);
  }
  for (const key of keys) {
    const remedy = qualifiedName(key);
    if (remedy) {
      problems.add(`${prop} key`, key, remedy);
    }
    problems.check(`${prop}['${key}']`, labels[key], labelValue);
  }
  return { matchLabels: Object.fromEntries(keys.map(key => [key, labels[key]])) };
}

/** The same selector, its labels in an order of their own. @internal */
export function orderedSelector(selector: l1.LabelSelector | undefined): l1.LabelSelector | undefined {
  return selector?.matchLabels
    ? { ...selector, matchLabels: Object.fromEntries(Object.entries(selector.matchLabels).sort(([a], [b]) => (a < b ? -1 : 1))) }
    : selector;
}
