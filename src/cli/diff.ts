import { isDeepStrictEqual } from 'node:util';
import { type Finding, FindingSeverity } from '../findings';
import { EXTENSIONS_GROUP, GROUP } from '../generated/vocabulary.gen';
import type { Located } from './load';

/** What an edit does, for the rules that compare an old state with a new one. @internal */
export const DIFF_RULES = [
  { id: 'immutable-volumes', summary: 'The volumes of an existing Sandbox change, which the API does not take.' },
  { id: 'orphaned-volumes', summary: 'A Sandbox with volumes is removed or renamed; its volumes are deleted with it.' },
  { id: 'restart-needed', summary: 'The Pod of a running Sandbox does not follow the edit until it is made anew.' },
  { id: 'members-replaced', summary: 'An edit of a template replaces idle members of pools, or leaves them as they are.' },
  { id: 'claim-edit', summary: 'An edit of a claim does not reach the Sandbox that it has.' },
  { id: 'removed', summary: 'An object is no longer there, and what it stands for ends.' },
] as const;

const OURS: readonly string[] = [GROUP, EXTENSIONS_GROUP];

/** What an edit from the old manifests to the new ones does to what runs. @internal */
export function diff(before: readonly Located[], after: readonly Located[]): Finding[] {
  const [old, now] = [indexed(before), indexed(after)];
  const found: Finding[] = [];
  const say = (rule: typeof DIFF_RULES[number]['id'], severity: FindingSeverity, { place, manifest }: Located, field: string, message: string, remedy: string) =>
    found.push({ rule, severity, place, object: title(manifest), field, message, remedy });
  for (const [key, was] of old) {
    const is = now.get(key);
    const { kind, spec: old } = was.manifest;
    if (!is) {
      removed(was, now, say);
    } else if (kind === 'Sandbox') {
      sandbox(old, is, say);
    } else if (kind === 'SandboxTemplate' && !isDeepStrictEqual(old?.podTemplate, is.manifest.spec?.podTemplate)) {
      template(is, now, say);
    } else if (kind === 'SandboxClaim' && !isDeepStrictEqual(withoutLifecycle(old), withoutLifecycle(is.manifest.spec))) {
      say('claim-edit', FindingSeverity.WARNING, is, 'spec', 'a claim that has a Sandbox keeps it as it is', 'make a new claim for the new settings, and remove this one');
    }
  }
  return found;
}

type Say = (rule: typeof DIFF_RULES[number]['id'], severity: FindingSeverity, located: Located, field: string, message: string, remedy: string) => void;

function removed(was: Located, now: ReadonlyMap<string, Located>, say: Say): void {
  const { kind, spec, metadata } = was.manifest;
  const volumes = (spec?.volumeClaimTemplates ?? []).map((volume: any) => volume.metadata?.name);
  if (kind === 'Sandbox' && volumes.length > 0) {
    const twin = [...now.values()].find(({ manifest }) => manifest.kind === 'Sandbox' && isDeepStrictEqual(manifest.spec?.podTemplate, spec.podTemplate)
      && manifest.metadata?.namespace === metadata.namespace);
    say('orphaned-volumes', FindingSeverity.ERROR, was, 'metadata.name',
      `${twin ? `it is now called '${twin.manifest.metadata.name}', which is another Sandbox` : 'it is removed'}, and its volumes (${volumes.join(', ')}) are deleted with it`,
      twin ? `keep the name: name: '${metadata.name}'` : 'take what is needed out of the volumes first');
  } else {
    const what: Record<string, string> = {
      Sandbox: 'its Pod ends', SandboxClaim: 'its Sandbox ends', SandboxWarmPool: 'its idle Sandboxes end', SandboxTemplate: 'pools and claims of it make no more Sandboxes',
    };
    say('removed', FindingSeverity.WARNING, was, 'metadata.name', `it is removed: ${what[kind]}`, 'make sure that this is meant');
  }
}

function sandbox(old: any, is: Located, say: Say): void {
  const spec = is.manifest.spec;
  if (!isDeepStrictEqual(old?.volumeClaimTemplates, spec?.volumeClaimTemplates)) {
    say('immutable-volumes', FindingSeverity.ERROR, is, 'spec.volumeClaimTemplates', 'the API does not take changes of the volumes of a Sandbox that exists',
      'give the Sandbox another name, which makes a new one, or resize its PersistentVolumeClaims');
  }
  if (!isDeepStrictEqual(old?.podTemplate, spec?.podTemplate)) {
    say('restart-needed', FindingSeverity.WARNING, is, 'spec.podTemplate', 'the Pod that runs stays as it is', 'suspend and resume the Sandbox to have its Pod made anew');
  }
}

function template(is: Located, now: ReadonlyMap<string, Located>, say: Say): void {
  const { name, namespace } = is.manifest.metadata;
  const pools = [...now.values()].map(({ manifest }) => manifest).filter(each =>
    each.kind === 'SandboxWarmPool' && each.metadata?.namespace === namespace && each.spec?.sandboxTemplateRef?.name === name);
  const lines = pools.map(({ metadata, spec }) => (spec.updateStrategy?.type === 'Recreate'
    ? `all idle Sandboxes of pool ${metadata.name} (${spec.replicas ?? 1}) are replaced at once`
    : `idle Sandboxes of pool ${metadata.name} (${spec.replicas ?? 1}) are handed out as they are, and new ones follow the edit`));
  say('members-replaced', FindingSeverity.WARNING, is, 'spec.podTemplate', [...lines, 'Sandboxes that are claimed stay as they are'].join('; '),
    'choose with updateStrategy of the pool when idle Sandboxes follow');
}

function indexed(located: readonly Located[]): Map<string, Located> {
  const ours = located.filter(({ manifest }) => OURS.includes(String(manifest.apiVersion).split('/')[0]));
  return new Map(ours.map(each => [title(each.manifest), each]));
}

function title({ kind, metadata }: any): string {
  return `${kind} ${metadata?.namespace ? `${metadata.namespace}/` : ''}${metadata?.name}`;
}

function withoutLifecycle(spec: any): any {
  return { ...spec, lifecycle: undefined };
}
