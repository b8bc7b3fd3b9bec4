import type { Subject, World } from './world';

/** The pod template of a workload: of a Sandbox, a SandboxTemplate, or a kind of Kubernetes. @internal */
export function podTemplateOf(subject: Subject): any {
  if (subject.isOurs) {
    return subject.spec.podTemplate;
  }
  return subject.kind === 'Pod' ? subject.manifest : subject.kind === 'CronJob' ? subject.spec.jobTemplate?.spec?.template : subject.spec.template;
}

/** The items of a list; other values are found by the rules for fields. @internal */
export function listOf(value: unknown): any[] {
  return Array.isArray(value) ? value : [];
}

/** All containers of a pod spec. @internal */
export function containersOf(spec: any): any[] {
  return [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
}

const WORKLOADS: readonly string[] = ['Pod', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob'];

/** Objects of Kubernetes itself that Pods come from. @internal */
export function workloads(world: World): Subject[] {
  return WORKLOADS.flatMap(kind => world.of(kind));
}

/** Sandboxes and templates. @internal */
export function blueprints(world: World): Subject[] {
  return [...world.of('Sandbox'), ...world.of('SandboxTemplate')].filter(each => each.isOurs);
}

/** The template of a claim in this world, by its pool or by itself. @internal */
export function templateOf(world: World, claim: Subject): Subject | undefined {
  const { warmPoolRef, sandboxTemplateRef } = claim.spec;
  const pool = warmPoolRef && world.beside(claim, 'SandboxWarmPool', warmPoolRef.name);
  const name = sandboxTemplateRef?.name ?? pool?.spec.sandboxTemplateRef?.name;
  return name === undefined ? undefined : world.beside(claim, 'SandboxTemplate', name, sandboxTemplateRef?.namespace);
}
