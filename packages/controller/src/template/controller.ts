import { LABEL, NETWORK_POLICY_SUFFIX, type SandboxTemplate, type NetworkPolicy } from 'agent-sandbox-api';
import { indexValue, type Cache } from '../reconcile/cache.js';
import { isDeleting, labelOf, type KubeObject } from '../object/metadata.js';
import { statesOf, type Change, type ControllerDefinition, type QueueItem } from '../reconcile/definition.js';
import { hasLastingOwners, observeTemplate } from './observe.js';
import { PolicyFailures } from './policy-failures.js';
import { reconcileTemplate, type TemplateMemory } from './reconcile.js';

/** Sandboxes are created in bursts, and a policy needs only a few of them as owners. */
const BATCH_MS = 200;

/** The SandboxTemplate controller: reconciles a template when it, one of its policies, or the set of Sandboxes and Pods under them changes. */
export function templateController(concurrency: number, failures = new PolicyFailures()): ControllerDefinition {
  return {
    name: 'sandboxtemplate-controller',
    kind: 'SandboxTemplate',
    concurrency,
    reads: ['SandboxTemplate', 'NetworkPolicy', 'Sandbox', 'Pod', 'SandboxClaim', 'SandboxWarmPool'],
    plan: (cache, namespace, name, context) => reconcileTemplate(observeTemplate(cache, namespace, name, context)),
    onMemoryChange: (key, memory: TemplateMemory | undefined) => failures.set(key, memory?.refused?.message),
    watches: { SandboxTemplate: enqueueTemplate, NetworkPolicy: enqueueForPolicy, Sandbox: enqueueForHash, Pod: enqueueForHash },
    traced: { span: 'ReconcileSandboxTemplate' },
  };
}

function enqueueTemplate(change: Change<SandboxTemplate>): readonly QueueItem[] {
  const { namespace, name } = statesOf(change)[0]!.metadata;
  return [{ key: `${namespace}/${name}` }];
}

/** A policy is named after its template, or, in other namespaces, after the template and its namespace, which has no dot. */
function enqueueForPolicy(change: Change<NetworkPolicy>): readonly QueueItem[] {
  const { namespace, name = '' } = statesOf(change)[0]!.metadata;
  if (!name.endsWith(NETWORK_POLICY_SUFFIX)) {
    return [];
  }
  const template = name.slice(0, -NETWORK_POLICY_SUFFIX.length);
  const dot = template.indexOf('.');
  return [{ key: `${namespace}/${template}` }, ...(dot < 0 ? [] : [{ key: `${template.slice(0, dot)}/${template.slice(dot + 1)}` }])];
}

/** The templates, also deleted ones, whose hash an object gained or lost. */
function enqueueForHash({ before, after }: Change<KubeObject>, cache: Cache): readonly QueueItem[] {
  const [was, is] = [before && labelOf(before, LABEL.templateRefHash), after && labelOf(after, LABEL.templateRefHash)];
  const { namespace = '' } = (after ?? before)!.metadata;
  if (was === is) {
    return [];
  }
  const names = [was, is].flatMap(hash => (hash === undefined ? [] : [
    ...cache.byIndex('SandboxTemplate', 'nameHash', indexValue(namespace, hash)).map(({ metadata }) => metadata.name ?? ''),
    ...cache.byIndex('NetworkPolicy', 'anyTemplateHash', hash)
      .filter(({ metadata }) => metadata.namespace === namespace && metadata.name?.endsWith(NETWORK_POLICY_SUFFIX))
      .map(({ metadata }) => metadata.name!.slice(0, -NETWORK_POLICY_SUFFIX.length)),
  ]));
  return [...new Set(names)].filter(name => needsOwners(cache, namespace, name)).map(name => ({ key: `${namespace}/${name}`, delayMs: BATCH_MS }));
}

/** Whether it matters which objects there are under the policy of a template: not while it has owners enough. */
function needsOwners(cache: Cache, namespace: string, name: string): boolean {
  const template = cache.get('SandboxTemplate', namespace, name);
  const policy = cache.get('NetworkPolicy', namespace, `${name}${NETWORK_POLICY_SUFFIX}`);
  return template === undefined || policy === undefined || isDeleting(template) || isDeleting(policy) || !hasLastingOwners(cache, template, policy);
}
