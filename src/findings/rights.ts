import { EXTENSIONS_GROUP, VERSION } from '../generated/vocabulary.gen';
import { FindingSeverity } from './finding';
import { GROUPS } from './mistakes';
import { blueprints, listOf } from './pods';
import type { Rule, Subject, World } from './world';

/** Resources of this API by their name in rules of roles. */
const RESOURCES: ReadonlyMap<string, string> = new Map(Object.entries(GROUPS).map(([kind, group]) => [`${kind.toLowerCase()}${kind.endsWith('x') ? 'es' : 's'}`, group]));

/** Roles whose holders may do everything in their reach. */
const ALMIGHTY: readonly string[] = ['cluster-admin', 'admin', 'edit'];
/** Verbs by which a holder gets the rights of others. */
const ESCALATING: readonly string[] = ['escalate', 'bind', 'impersonate'];

/** Rules about who may do what. */
export const RIGHTS_RULES: readonly Rule[] = [
  {
    id: 'role-of-other-group',
    severity: FindingSeverity.ERROR,
    summary: 'A rule of a role names a resource of this API with another group, and so allows nothing.',
    check: (world, report) => {
      for (const role of [...world.of('Role'), ...world.of('ClusterRole')]) {
        listOf(role.manifest.rules).forEach((rule, index) => {
          const groups = listOf(rule?.apiGroups);
          for (const resource of listOf(rule?.resources).filter(each => typeof each === 'string')) {
            const right = RESOURCES.get(resource.split('/')[0]);
            if (right !== undefined && groups.length > 0 && !groups.includes(right) && !groups.includes('*')) {
              report(role, `rules[${index}].resources`, resource, `the group of this rule is ${groups.map(each => `'${each}'`).join(', ')}, which has no ${resource}: the rule allows nothing there`, `write apiGroups: ['${right}'] in a rule of its own`);
            }
          }
        });
      }
    },
  },
  {
    id: 'token-with-rights',
    severity: FindingSeverity.WARNING,
    summary: 'The Pods of a Sandbox or template get a token of an account that may do everything, read all Secrets, or take the rights of others.',
    check: (world, report) => {
      for (const subject of blueprints(world)) {
        const spec = subject.spec.podTemplate?.spec;
        if (spec?.automountServiceAccountToken !== true) {
          continue;
        }
        const account = spec.serviceAccountName ?? 'default';
        for (const binding of [...world.of('ClusterRoleBinding'), ...world.of('RoleBinding').filter(each => each.namespaceKey === subject.namespaceKey)]) {
          const isBound = listOf(binding.manifest.subjects).some(each => each?.kind === 'ServiceAccount' && each.name === account
            && (each.namespace === undefined || subject.namespace === undefined || each.namespace === subject.namespace));
          const right = isBound ? powerOf(world, binding) : undefined;
          if (right !== undefined) {
            report(subject, 'spec.podTemplate.spec.serviceAccountName', account, `the programs in it get a token of this account, which ${right} (${binding.place})`,
              'give it an account with the few rights that the programs need, or leave automountServiceAccountToken out');
          }
        }
      }
    },
  },
  {
    id: 'scale-target',
    severity: FindingSeverity.ERROR,
    summary: 'An autoscaler names a pool without its kind or with another group, so that it scales nothing, or has a least size above the most.',
    check: (world, report) => {
      for (const scaler of [...world.of('HorizontalPodAutoscaler'), ...world.of('ScaledObject')]) {
        const { apiVersion, kind, name } = scaler.spec.scaleTargetRef ?? {};
        const right = `write apiVersion: ${EXTENSIONS_GROUP}/${VERSION}, kind: SandboxWarmPool`;
        if (kind === 'SandboxWarmPool' && !String(apiVersion).startsWith(`${EXTENSIONS_GROUP}/`)) {
          report(scaler, 'spec.scaleTargetRef.apiVersion', apiVersion, 'there is no SandboxWarmPool in this group, so it scales nothing', right);
        } else if (kind === undefined && world.beside(scaler, 'SandboxWarmPool', name)?.isOurs && !world.beside(scaler, 'Deployment', name)) {
          report(scaler, 'spec.scaleTargetRef', scaler.spec.scaleTargetRef, 'without a kind it is a Deployment, and the pool of this name is not scaled', right);
        }
        const [least, most] = [scaler.spec.minReplicas ?? scaler.spec.minReplicaCount, scaler.spec.maxReplicas ?? scaler.spec.maxReplicaCount];
        if (kind === 'SandboxWarmPool' && Number(least) > Number(most)) {
          report(scaler, 'spec', { min: least, max: most }, 'the least is more than the most', 'raise the one or lower the other');
        }
      }
    },
  },
];

/** What makes a role dangerous in a sandbox; undefined where nothing does, or where the role is not known. */
function powerOf(world: World, binding: Subject): string | undefined {
  const { kind, name } = binding.manifest.roleRef ?? {};
  if (kind === 'ClusterRole' && ALMIGHTY.includes(name)) {
    return `has the ClusterRole ${name}`;
  }
  const role = kind === 'ClusterRole' ? world.of('ClusterRole').find(each => each.name === name) : world.beside(binding, 'Role', name);
  for (const rule of listOf(role?.manifest.rules)) {
    const has = (list: unknown, ...words: readonly string[]) => listOf(list).some(each => words.includes(each));
    if (has(rule?.verbs, '*') && has(rule?.resources, '*')) {
      return 'may do everything';
    }
    if (has(rule?.resources, 'secrets', '*') && has(rule?.verbs, 'get', 'list', 'watch', '*') && has(rule?.apiGroups, '', '*') && listOf(rule.resourceNames).length === 0) {
      return `may read ${kind === 'ClusterRole' && binding.kind === 'ClusterRoleBinding' ? 'all Secrets' : 'all Secrets of the namespace'}`;
    }
    if (has(rule?.verbs, ...ESCALATING)) {
      return `may ${rule.verbs.find((verb: string) => ESCALATING.includes(verb))}`;
    }
  }
  return undefined;
}
