import { Quantity } from '../checks';
import { NAMESPACE_NAME_LABEL } from '../objects';
import { podSecurityOf, POD_SECURITY_LEVELS, type PodSecurityName } from '../pod';
import { EXTENSIONS_GROUP, GROUP, ROUTER, SHADOW_POOL_PREFIX } from '../generated/vocabulary.gen';
import { FindingSeverity } from './finding';
import { blueprints, containersOf, podTemplateOf, templateOf, workloads } from './pods';
import type { Rule, Subject, World } from './world';

export const CONTRADICTION_RULES: readonly Rule[] = [
  {
    id: 'namespace-level',
    severity: FindingSeverity.ERROR,
    summary: 'A namespace of this app enforces a Pod Security level that the Pods of a Sandbox, template or other workload in it do not meet.',
    check: (world, report) => {
      for (const blueprint of [...blueprints(world), ...workloads(world)]) {
        const namespace = namespaceOf(world, blueprint);
        const enforced = namespace?.manifest.metadata?.labels?.['pod-security.kubernetes.io/enforce'] as PodSecurityName | undefined;
        if (!enforced || enforced === 'privileged' || !POD_SECURITY_LEVELS.includes(enforced)) {
          continue;
        }
        const { level, because } = podSecurityOf(podTemplateOf(blueprint)?.spec ?? {});
        if (POD_SECURITY_LEVELS.indexOf(level) > POD_SECURITY_LEVELS.indexOf(enforced)) {
          report(blueprint, blueprint.isOurs ? 'spec.podTemplate' : 'the Pod', undefined, `its Pods need ${because.join(', ')}, and the namespace '${namespace!.name}' (${namespace!.place}) enforces '${enforced}', so that no Pod would be made`,
            `have the namespace enforce '${level}', or ${blueprint.isOurs ? 'leave the relaxations out' : `write ${because.flatMap(each => INSTEAD[each] ?? []).join(', ') || 'a securityContext without them'}`}`);
        }
      }
    },
  },
  {
    id: 'outside-of-namespace',
    severity: FindingSeverity.ERROR,
    summary: 'A chart creates a namespace, and its Sandboxes, templates, pools or claims are not in it: the chart has no namespace, or another one.',
    check: (world, report) => {
      // Manifests have no chart, and are often applied with a namespace that they do not say.
      for (const chart of new Set(world.of('Namespace').flatMap(each => each.chart ?? []))) {
        const created = world.of('Namespace').filter(each => each.chart === chart).map(each => each.name);
        const ours = world.subjects.filter(each => each.isOurs && each.chart === chart);
        const usesCreated = ours.some(each => created.includes(each.namespace ?? ''));
        for (const subject of ours) {
          const remedy = `give the chart the namespace: new Chart(app, '…', { namespace: '${created[0]}' })`;
          if (subject.namespace === undefined) {
            report(subject, 'metadata.namespace', undefined, `its chart creates the namespace '${created[0]}' and has none itself, so that the object lands wherever it is applied`, remedy);
          } else if (!usesCreated && !world.of('Namespace').some(each => each.name === subject.namespace)) {
            report(subject, 'metadata.namespace', subject.namespace, `its chart creates the namespace '${created[0]}', and nothing in this app creates '${subject.namespace}'`, remedy);
          }
        }
      }
    },
  },
  {
    id: 'container-limits',
    severity: FindingSeverity.ERROR,
    summary: 'A container asks for more or less than the LimitRange of its namespace allows.',
    check: (world, report) => {
      for (const range of world.of('LimitRange')) {
        const limits = (range.spec.limits ?? []).filter((limit: any) => limit.type === 'Container');
        for (const blueprint of blueprints(world).filter(each => each.namespaceKey === range.namespaceKey)) {
          for (const container of containersOf(blueprint.spec.podTemplate?.spec)) {
            limits.forEach((limit: any) => checkLimits(limit, container.resources ?? {}, (field, value, bound) =>
              report(blueprint, `container '${container.name}'.resources.${field}`, value, `the LimitRange ${range.place} allows ${bound}, so that no Pod would be made`, 'change one of them')));
          }
        }
      }
    },
  },
  {
    id: 'quota-needs-amounts',
    severity: FindingSeverity.ERROR,
    summary: 'A quota of CPU or memory refuses Pods whose containers name no such amount, and no LimitRange gives defaults.',
    check: (world, report) => {
      for (const quota of world.of('ResourceQuota')) {
        const defaults = world.of('LimitRange').filter(each => each.namespaceKey === quota.namespaceKey).flatMap(each => each.spec.limits ?? []);
        for (const resource of Object.keys(quota.spec.hard ?? {})) {
          const [, side, amount] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(resource) ?? [];
          if (!amount) {
            continue;
          }
          const map = side === 'limits' ? 'limits' : 'requests';
          const hasDefault = defaults.some((limit: any) => limit[map === 'limits' ? 'default' : 'defaultRequest']?.[amount] ?? limit.default?.[amount] ?? limit.max?.[amount]);
          for (const blueprint of hasDefault ? [] : blueprints(world).filter(each => each.namespaceKey === quota.namespaceKey)) {
            for (const container of containersOf(blueprint.spec.podTemplate?.spec)) {
              // The API server takes a limit as the request, too.
              if ((container.resources?.[map]?.[amount] ?? (map === 'requests' ? container.resources?.limits?.[amount] : undefined)) === undefined) {
                report(blueprint, `container '${container.name}'.resources.${map}.${amount}`, undefined, `the ResourceQuota ${quota.place} limits ${resource}, and Kubernetes refuses Pods that do not say how much they need`,
                  `set ${amount} of the container, or give the namespace defaults with containerLimits`);
              }
            }
          }
        }
      }
    },
  },
  {
    id: 'quota-of-sandboxes',
    severity: FindingSeverity.ERROR,
    summary: 'The pools of a namespace, at their maximum, are larger than its quota of Sandboxes.',
    check: (world, report) => {
      for (const quota of world.of('ResourceQuota')) {
        const limit = quota.spec.hard?.[`count/sandboxes.${GROUP}`];
        if (limit === undefined) {
          continue;
        }
        const sizes = world.of('SandboxWarmPool').filter(each => each.isOurs && each.namespaceKey === quota.namespaceKey).map(pool => ({ pool, size: largest(world, pool) }));
        const others = world.of('Sandbox').filter(each => each.isOurs && each.namespaceKey === quota.namespaceKey).length;
        const all = sizes.reduce((sum, { size }) => sum + size, others);
        if (sizes.length > 0 && all > Number(limit)) {
          report(quota, `spec.hard['count/sandboxes.${GROUP}']`, limit,
            `the namespace has ${all} Sandboxes when its pools are full (${[...sizes.map(({ pool, size }) => `${pool.name}: ${size}`), ...(others ? [`without a pool: ${others}`] : [])].join(', ')}), not counting those that are claimed`,
            `raise it to more than ${all}, or make pools smaller`);
        }
      }
    },
  },
  {
    id: 'never-finishes',
    severity: FindingSeverity.ERROR,
    summary: 'A claim ends some time after its work has finished, and Pods of its template are restarted forever.',
    check: (world, report) => {
      // A claim that also ends at a point in time does end.
      const waits = ({ spec: { lifecycle } }: { readonly spec: any }) =>
        lifecycle?.ttlSecondsAfterFinished !== undefined && lifecycle.shutdownTime === undefined;
      for (const claim of world.of('SandboxClaim').filter(each => each.isOurs && waits(each))) {
        const spec = templateOf(world, claim)?.spec.podTemplate?.spec;
        if (spec && (spec.restartPolicy ?? 'Always') === 'Always' && spec.activeDeadlineSeconds === undefined) {
          report(claim, 'spec.lifecycle.ttlSecondsAfterFinished', claim.spec.lifecycle.ttlSecondsAfterFinished, 'the Pods of its template are always restarted, so their work never finishes',
            "give the template restartPolicy 'OnFailure' or 'Never', or an active deadline, or end the claim at a point in time (Lifetime.until)");
        }
      }
    },
  },
  {
    id: 'empty-pool',
    severity: FindingSeverity.WARNING,
    summary: 'A pool of 0 that no autoscaler of this app scales: every claim starts cold.',
    check: (world, report) => {
      for (const pool of world.of('SandboxWarmPool').filter(each => each.isOurs && each.spec.replicas === 0 && !each.name.startsWith(SHADOW_POOL_PREFIX))) {
        if (scalersOf(world, pool).length === 0) {
          report(pool, 'spec.replicas', 0, 'every claim of it starts cold', 'keep at least 1, add an autoscaler, or claim the template itself');
        }
      }
    },
  },
  {
    id: 'claim-policy',
    severity: FindingSeverity.ERROR,
    summary: 'A claim brings variables or volumes that its template does not let claims bring; the controller refuses it.',
    check: (world, report) => {
      for (const claim of world.of('SandboxClaim').filter(each => each.isOurs && (each.spec.env?.length || each.spec.volumeClaimTemplates?.length))) {
        const template = templateOf(world, claim);
        for (const [field, policy, prop] of [['env', 'envVarsInjectionPolicy', 'claimEnv'], ['volumeClaimTemplates', 'volumeClaimTemplatesPolicy', 'claimVolumes']]) {
          if (template && claim.spec[field]?.length && (template.spec[policy] ?? 'Disallowed') === 'Disallowed') {
            report(claim, `spec.${field}`, claim.spec[field].map((each: any) => each.name ?? each.metadata?.name), `the template ${template.place} does not let claims bring them`,
              `give it ${policy}: Allowed (${prop}: ClaimOverrides.ALLOWED), or leave them out`);
          }
        }
      }
    },
  },
  {
    id: 'router-namespace',
    severity: FindingSeverity.ERROR,
    summary: 'The network of a template or Sandbox lets a router in, and the router of this app runs in another namespace.',
    check: (world, report) => {
      const routers = world.of('Deployment').filter(each => matches(each.spec.template?.metadata?.labels, ROUTER.labels) || each.name === ROUTER.labels.app);
      const namespaces = routers.map(each => each.namespace);
      if (routers.length === 0 || namespaces.includes(undefined)) {
        return;
      }
      const policies = [...world.of('SandboxTemplate').filter(each => each.isOurs).map(each => [each, each.spec.networkPolicy?.ingress] as const),
        ...world.of('NetworkPolicy').filter(each => world.beside(each, 'Sandbox', each.name.replace(/^sandbox-/, ''))).map(each => [each, each.spec.ingress] as const)];
      for (const [subject, ingress] of policies) {
        for (const peer of (ingress ?? []).flatMap((rule: any) => rule.from ?? [])) {
          const named = peer.namespaceSelector?.matchLabels?.[NAMESPACE_NAME_LABEL];
          if (named !== undefined && matches(peer.podSelector?.matchLabels, ROUTER.labels) && !namespaces.includes(named)) {
            report(subject, 'the namespace of the router', named, `the router of this app (${routers[0].place}) runs in '${namespaces[0]}', and could not connect`,
              `use a network with router: { namespace: '${namespaces[0]}' }`);
          }
        }
      }
    },
  },
];

/** What the securityContext of a container says where it does without a relaxation. */
const INSTEAD: Readonly<Record<string, string>> = {
  DEFAULT_CAPABILITIES: "capabilities: { drop: ['ALL'] }", PRIVILEGE_ESCALATION: 'allowPrivilegeEscalation: false', RUN_AS_ROOT: 'runAsNonRoot: true',
  UNCONFINED_SECCOMP: "seccompProfile: { type: 'RuntimeDefault' }",
};

function matches(labels: any, wanted: { readonly [key: string]: string }): boolean {
  return Object.entries(wanted).every(([key, value]) => labels?.[key] === value);
}

function namespaceOf(world: World, subject: Subject): Subject | undefined {
  return subject.namespace === undefined ? undefined : world.of('Namespace').find(each => each.name === subject.namespace);
}

function checkLimits(limit: any, resources: any, say: (field: string, value: string, bound: string) => void): void {
  const exceeds = (a: unknown, b: unknown) => {
    const [left, right] = [Quantity.tryParse(String(a)), Quantity.tryParse(String(b))];
    return left && right ? left.exceeds(right) : false;
  };
  for (const [resource, most] of Object.entries(limit.max ?? {})) {
    for (const map of ['limits', 'requests']) {
      if (resources[map]?.[resource] !== undefined && exceeds(resources[map][resource], most)) {
        say(`${map}.${resource}`, resources[map][resource], `at most ${most}`);
      }
    }
  }
  for (const [resource, least] of Object.entries(limit.min ?? {})) {
    const request = resources.requests?.[resource] ?? resources.limits?.[resource];
    if (request !== undefined && exceeds(least, request)) {
      say(`requests.${resource}`, request, `at least ${least}`);
    }
  }
}

function scalersOf(world: World, pool: Subject): Subject[] {
  return [...world.of('HorizontalPodAutoscaler'), ...world.of('ScaledObject')].filter(scaler => scaler.namespaceKey === pool.namespaceKey
    && scaler.spec.scaleTargetRef?.kind === 'SandboxWarmPool' && scaler.spec.scaleTargetRef.name === pool.name
    && String(scaler.spec.scaleTargetRef.apiVersion).startsWith(EXTENSIONS_GROUP));
}

/** The largest number of idle Sandboxes of a pool. @internal */
export function largest(world: World, pool: Subject): number {
  const maxima = scalersOf(world, pool).map(scaler => Number(scaler.spec.maxReplicas ?? scaler.spec.maxReplicaCount ?? 100));
  return maxima.length > 0 ? Math.max(...maxima) : Number(pool.spec.replicas ?? 1);
}
