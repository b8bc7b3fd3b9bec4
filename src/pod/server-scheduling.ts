import { isIP } from 'node:net';
import { dnsLabel, dnsSubdomain, integer, labelValue, oneOf, qualifiedName } from '../checks';
import { entries, type Field, objects } from './field';

const INTEGER = /^-?\d+$/;

/** What the API server checks of labels. @internal */
export function validateLabels(field: Field, labels: unknown): void {
  for (const [key, value] of entries(labels)) {
    field.at(key).check(key, qualifiedName);
    field.at(key).check(typeof value === 'string' ? value : undefined, labelValue);
  }
}

/** What it checks of a label selector. @internal */
export function validateSelector(field: Field, selector: any): void {
  validateLabels(field.at('matchLabels'), selector?.matchLabels);
  objects(selector?.matchExpressions).forEach(({ key, operator, values }, index) => {
    const at = field.at('matchExpressions').at(index);
    expression(at, key, operator, values, ['In', 'NotIn', 'Exists', 'DoesNotExist']);
    (Array.isArray(values) ? values : []).forEach((value, position) => at.at('values').at(position).check(String(value), labelValue));
  });
}

function expression(at: Field, key: unknown, operator: unknown, values: unknown, operators: readonly string[]): void {
  at.at('key').check(String(key ?? ''), qualifiedName);
  at.at('operator').check(String(operator ?? ''), oneOf(...operators));
  const count = Array.isArray(values) ? values.length : 0;
  if ((operator === 'In' || operator === 'NotIn') && count === 0) {
    at.at('values').refuse(values, `operator ${operator} needs at least one value`);
  } else if ((operator === 'Exists' || operator === 'DoesNotExist') && count > 0) {
    at.at('values').refuse(values, `operator ${operator} takes no values: leave them out`);
  } else if ((operator === 'Gt' || operator === 'Lt') && operators.includes(String(operator)) && count !== 1) {
    at.at('values').refuse(values, `operator ${operator} takes exactly one whole number, as a string`);
  }
}

/** Affinity to nodes and Pods. @internal */
export function validateAffinity(field: Field, affinity: any): void {
  const node = affinity?.nodeAffinity;
  const required = node?.requiredDuringSchedulingIgnoredDuringExecution;
  if (required) {
    const terms = field.at('nodeAffinity').at('requiredDuringSchedulingIgnoredDuringExecution').at('nodeSelectorTerms');
    if (objects(required.nodeSelectorTerms).length === 0) {
      terms.refuse(required.nodeSelectorTerms, 'name at least one term: no node would fit');
    }
    objects(required.nodeSelectorTerms).forEach((term, index) => validateNodeTerm(terms.at(index), term));
  }
  objects(node?.preferredDuringSchedulingIgnoredDuringExecution).forEach(({ weight, preference }, index) => {
    const at = field.at('nodeAffinity').at('preferredDuringSchedulingIgnoredDuringExecution').at(index);
    at.at('weight').check(Number(weight ?? 0), integer(1, 100));
    validateNodeTerm(at.at('preference'), preference);
  });
  for (const kind of ['podAffinity', 'podAntiAffinity']) {
    objects(affinity?.[kind]?.requiredDuringSchedulingIgnoredDuringExecution).forEach((term, index) =>
      validatePodTerm(field.at(kind).at('requiredDuringSchedulingIgnoredDuringExecution').at(index), term));
    objects(affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution).forEach(({ weight, podAffinityTerm }, index) => {
      const at = field.at(kind).at('preferredDuringSchedulingIgnoredDuringExecution').at(index);
      at.at('weight').check(Number(weight ?? 0), integer(1, 100));
      validatePodTerm(at.at('podAffinityTerm'), podAffinityTerm ?? {});
    });
  }
}

function validateNodeTerm(field: Field, term: any): void {
  objects(term?.matchExpressions).forEach(({ key, operator, values }, index) => {
    const at = field.at('matchExpressions').at(index);
    expression(at, key, operator, values, ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt']);
    (Array.isArray(values) ? values : []).forEach((value, position) => at.at('values').at(position).check(String(value), text =>
      labelValue(text) ?? ((operator === 'Gt' || operator === 'Lt') && !INTEGER.test(text) ? 'the scheduler compares whole numbers: write one' : undefined)));
  });
  objects(term?.matchFields).forEach(({ key, operator, values }, index) => {
    const at = field.at('matchFields').at(index);
    at.at('key').check(String(key ?? ''), oneOf('metadata.name'));
    at.at('operator').check(String(operator ?? ''), oneOf('In', 'NotIn'));
    if (!Array.isArray(values) || values.length !== 1) {
      at.at('values').refuse(values, 'name exactly one node');
    } else {
      at.at('values').at(0).check(String(values[0]), dnsSubdomain);
    }
  });
}

function validatePodTerm(field: Field, { topologyKey, labelSelector, namespaceSelector, namespaces, matchLabelKeys, mismatchLabelKeys }: any): void {
  if (field.at('topologyKey').needs(topologyKey, 'the label of nodes that tells places apart, such as kubernetes.io/hostname')) {
    field.at('topologyKey').check(String(topologyKey), qualifiedName);
  }
  validateSelector(field.at('labelSelector'), labelSelector);
  validateSelector(field.at('namespaceSelector'), namespaceSelector);
  (Array.isArray(namespaces) ? namespaces : []).forEach((name, index) => field.at('namespaces').at(index).check(String(name), dnsLabel));
  validateLabelKeys(field, { matchLabelKeys, mismatchLabelKeys }, labelSelector);
}

/** Keys of labels whose values a selector takes from the Pod. */
function validateLabelKeys(field: Field, lists: { readonly [name: string]: any }, selector: any): void {
  for (const [name, keys] of Object.entries(lists).filter(([, list]) => Array.isArray(list) && list.length > 0)) {
    if (!selector) {
      field.at(name).refuse(keys, 'it adds to labelSelector, and there is none: add one');
    }
    keys.forEach((key: unknown, index: number) => {
      field.at(name).at(index).check(String(key), qualifiedName);
      if (Object.entries(lists).some(([other, list]) => other !== name && Array.isArray(list) && list.includes(key))) {
        field.at(name).at(index).refuse(key, 'it is in matchLabelKeys and in mismatchLabelKeys: leave one out');
      }
    });
  }
}

/** Tolerations of taints. @internal */
export function validateTolerations(field: Field, tolerations: unknown): void {
  objects(tolerations).forEach(({ key, operator, value, effect, tolerationSeconds }, index) => {
    const at = field.at(index);
    at.at('key').check(key || undefined, qualifiedName);
    if (!key && operator !== 'Exists') {
      at.at('operator').refuse(operator, "a toleration without key tolerates every taint and needs operator 'Exists'");
    }
    at.at('operator').check(operator || undefined, oneOf('Exists', 'Equal'));
    if (operator === 'Exists' && value) {
      at.at('value').refuse(value, "operator 'Exists' takes no value: leave it out");
    } else {
      at.at('value').check(typeof value === 'string' ? value : undefined, labelValue);
    }
    at.at('effect').check(effect || undefined, oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute'));
    if (tolerationSeconds !== undefined && tolerationSeconds !== null && effect !== 'NoExecute') {
      at.at('tolerationSeconds').refuse(tolerationSeconds, "only a toleration of effect 'NoExecute' ends");
    }
  });
}

/** How Pods are spread. @internal */
export function validateSpread(field: Field, constraints: unknown): void {
  objects(constraints).forEach((constraint, index) => {
    const at = field.at(index);
    at.at('maxSkew').check(Number(constraint.maxSkew ?? 0), integer(1));
    if (at.at('topologyKey').needs(constraint.topologyKey, 'the label of nodes that tells places apart, such as kubernetes.io/hostname')) {
      // The API server takes any text here, but no node has such a label.
      at.at('topologyKey').check(String(constraint.topologyKey), qualifiedName);
    }
    at.at('whenUnsatisfiable').check(String(constraint.whenUnsatisfiable ?? ''), oneOf('DoNotSchedule', 'ScheduleAnyway'));
    if (constraint.minDomains !== undefined && constraint.minDomains !== null) {
      at.at('minDomains').check(constraint.minDomains, integer(1));
      if (constraint.whenUnsatisfiable !== 'DoNotSchedule') {
        at.at('minDomains').refuse(constraint.minDomains, "it goes with whenUnsatisfiable: 'DoNotSchedule' only");
      }
    }
    for (const policy of ['nodeAffinityPolicy', 'nodeTaintsPolicy']) {
      at.at(policy).check(constraint[policy], oneOf('Honor', 'Ignore'));
    }
    validateLabelKeys(at, { matchLabelKeys: constraint.matchLabelKeys }, constraint.labelSelector);
    validateSelector(at.at('labelSelector'), constraint.labelSelector);
  });
  field.unique(objects(constraints).map(({ topologyKey, whenUnsatisfiable }) => `${topologyKey}, ${whenUnsatisfiable}`), '', 'say it once for each topology key');
}

/** Lines of the hosts file, and the resolver of the Pod. @internal */
export function validateNames(field: Field, spec: any): void {
  objects(spec.hostAliases).forEach(({ ip, hostnames }, index) => {
    const at = field.at('hostAliases').at(index);
    at.at('ip').check(String(ip ?? ''), address);
    (Array.isArray(hostnames) ? hostnames : []).forEach((name, position) => at.at('hostnames').at(position).check(String(name), dnsSubdomain));
  });
  field.at('dnsPolicy').check(spec.dnsPolicy, oneOf('ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'));
  const config = spec.dnsConfig;
  const at = field.at('dnsConfig');
  const [servers, searches] = [config?.nameservers, config?.searches].map(list => (Array.isArray(list) ? list : []));
  if (spec.dnsPolicy === 'None' && servers.length === 0) {
    at.at('nameservers').refuse(config?.nameservers, "with dnsPolicy 'None', name the servers to ask");
  }
  if (servers.length > 3) {
    at.at('nameservers').refuse(servers, 'resolvers ask at most 3 servers: leave the others out');
  }
  servers.forEach((server, index) => at.at('nameservers').at(index).check(String(server), address));
  if (searches.length > 32 || searches.join(' ').length > 2048) {
    at.at('searches').refuse(undefined, 'use at most 32 domains, of 2,048 characters together');
  }
  searches.forEach((search, index) => at.at('searches').at(index).check(String(search), text =>
    (text === '.' ? undefined : dnsSubdomain(text.replace(/\.$/, '').replace(/_/g, 'x')))));
  objects(config?.options).forEach((option, index) => at.at('options').at(index).at('name').needs(option.name, 'the name of the option, such as ndots'));
}

/** Go reads neither leading zeros nor zones. */
function address(text: string): string | undefined {
  return isIP(text) !== 0 && !text.includes('%') ? undefined : "write an IP address, such as '10.0.0.10' or 'fd00::10'";
}
