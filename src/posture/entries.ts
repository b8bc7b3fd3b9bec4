import { append } from '../checks';
import type { Finding } from '../findings';
import { ANNOTATION, EXTENSIONS_GROUP, GROUP, SHADOW_POOL_PREFIX } from '../generated/vocabulary.gen';
import { describeObject, isTemplate, type Manifest, NetworkEndpoint, type NetworkModel, outcomeOf, type PlacedManifest, type PolicyOutcome } from '../policy';
import { fact, PostureConcern, type PostureEntry, type PostureFact } from './fact';
import { isRouter, networkFacts } from './network-facts';
import { containerFacts, podFacts } from './pod-facts';

/** Kinds in the order of the text. */
const ORDER = ['Tenant', 'SandboxTemplate', 'SandboxWarmPool', 'Sandbox'];

/** The objects of a set, by kind, and by kind and name. @internal */
export class Objects {
  private readonly byKind = new Map<string, PlacedManifest[]>();
  private readonly byNamespace = new Map<string, PlacedManifest[]>();
  private readonly byName = new Map<string, PlacedManifest>();
  private claims: ReadonlyMap<string, readonly Manifest[]> | undefined;
  private scalers: ReadonlyMap<string, readonly Manifest[]> | undefined;

  public constructor(all: readonly PlacedManifest[]) {
    for (const each of all) {
      const { kind, metadata } = each.manifest;
      append(this.byKind, kind, each);
      append(this.byNamespace, `${kind} ${metadata.namespace ?? ''}`, each);
      this.byName.set(`${kind} ${metadata.namespace ?? ''}/${metadata.name}`, each);
    }
  }

  public of(kind: string): readonly PlacedManifest[] {
    return this.byKind.get(kind) ?? [];
  }

  public in(namespace: string | undefined, kind: string): readonly PlacedManifest[] {
    return this.byNamespace.get(`${kind} ${namespace ?? ''}`) ?? [];
  }

  /** The claims of a template, by their pool or by themselves. */
  public claimsOf({ metadata: { namespace, name } }: Manifest): readonly Manifest[] {
    this.claims ??= grouped(this.of('SandboxClaim'), claim => `${claim.spec?.sandboxTemplateRef?.namespace ?? claim.metadata.namespace ?? ''}/${templateNameOf(this, claim)}`);
    return this.claims.get(`${namespace ?? ''}/${name}`) ?? [];
  }

  /** What scales a pool, in the order of the kinds. */
  public scalersOf({ metadata: { namespace, name } }: Manifest): readonly Manifest[] {
    this.scalers ??= grouped([...this.of('HorizontalPodAutoscaler'), ...this.of('ScaledObject')].filter(({ manifest }) => manifest.spec?.scaleTargetRef?.kind === 'SandboxWarmPool'),
      scaler => `${scaler.metadata.namespace ?? ''}/${scaler.spec.scaleTargetRef.name}`);
    return this.scalers.get(`${namespace ?? ''}/${name}`) ?? [];
  }

  public find(kind: string, namespace: string | undefined, name: string | undefined): PlacedManifest | undefined {
    return this.byName.get(`${kind} ${namespace ?? ''}/${name}`);
  }
}

function grouped(all: readonly PlacedManifest[], keyOf: (manifest: Manifest) => string): Map<string, Manifest[]> {
  const groups = new Map<string, Manifest[]>();
  all.forEach(({ manifest }) => append(groups, keyOf(manifest), manifest));
  return groups;
}

/** Whether an object is of the Agent Sandbox API. @internal */
export function isOurs({ apiVersion }: Manifest): boolean {
  return [GROUP, EXTENSIONS_GROUP].includes(String(apiVersion).split('/')[0]);
}

/** The name of the template of a claim, by its pool or by itself. @internal */
export function templateNameOf(objects: Objects, { spec, metadata }: Manifest): string | undefined {
  return spec?.sandboxTemplateRef?.name ?? objects.find('SandboxWarmPool', metadata.namespace, spec?.warmPoolRef?.name)?.manifest.spec?.sandboxTemplateRef?.name;
}

/** What is true of each tenant, template, pool and Sandbox, and of other objects with findings. @internal */
export function entriesOf(all: readonly PlacedManifest[], model: NetworkModel, findings: readonly Finding[]): PostureEntry[] {
  const objects = new Objects(all.filter(({ manifest }) => !ORDER.includes(manifest.kind) || isOurs(manifest)));
  const handlers = new Map(objects.of('RuntimeClass').map(({ manifest }) => [manifest.metadata.name, (manifest as any).handler as string]));
  const entries: PostureEntry[] = [];
  const foreign = new Map<string, { readonly callers: Set<string>; readonly reached: Set<string> }>();
  for (const { manifest, place } of [...objects.of('SandboxTemplate'), ...objects.of('Sandbox')]) {
    const { kind, spec, metadata: { name, namespace } } = manifest;
    const pod = spec?.podTemplate?.spec ?? {};
    const network = networkFacts(model, manifest, kind === 'Sandbox' ? NetworkEndpoint.sandbox(name, namespace) : NetworkEndpoint.template(name, namespace));
    const known = foreign.get(namespace ?? '') ?? { callers: new Set(), reached: new Set() };
    network.ingress.pods.filter(each => each.isForeign).forEach(each => known.callers.add(isRouter(each) ? 'the router' : each.pods));
    network.egress.pods.filter(each => each.isForeign).forEach(each => known.reached.add(each.pods));
    foreign.set(namespace ?? '', known);
    entries.push({
      object: describeObject(manifest), place,
      facts: [
        ...podFacts(pod, kind, runtimeClass => handlers.get(runtimeClass)), policy(manifest), ...network.facts,
        ...containerFacts(pod, spec?.volumeClaimTemplates ?? []),
        ...(kind === 'Sandbox' ? [sandboxLifetime(spec)] : [claims(objects, manifest)]),
      ],
    });
  }
  entries.push(...objects.of('SandboxWarmPool').filter(({ manifest }) => !manifest.metadata.name.startsWith(SHADOW_POOL_PREFIX)).map(pool => poolEntry(objects, pool)));
  const tenants = [...new Set(entries.map(({ object }) => object.split(' ')[1]).flatMap(name => (name.includes('/') ? name.split('/')[0] : [])))];
  entries.push(...tenants.map(namespace => tenantEntry(objects, namespace, foreign.get(namespace))));
  return withFindings(entries, findings, new Set(all.map(({ place }) => place))).sort(inOrder);
}

function inOrder(a: PostureEntry, b: PostureEntry): number {
  const rank = ({ object }: PostureEntry) => {
    const index = ORDER.indexOf(object.split(' ')[0]);
    return index < 0 ? ORDER.length : index;
  };
  return rank(a) - rank(b) || (a.object < b.object ? -1 : a.object > b.object ? 1 : a.place < b.place ? -1 : 1);
}

/** Places differ between an app and its manifests, and say nothing about what is wrong. */
function withFindings(entries: readonly PostureEntry[], findings: readonly Finding[], places: ReadonlySet<string>): PostureEntry[] {
  const withoutPlaces = (text: string) => text.replace(/ \(([^()]*)\)/g, (all, inside) => (places.has(inside) ? '' : all));
  const byObject = new Map<string, Finding[]>();
  findings.forEach(each => append(byObject, each.object, each));
  const factOf = (of: readonly Finding[]) => fact('findings', [...new Set(of.map(({ rule, severity, field, message }) => `${severity} ${rule}: ${field}: ${withoutPlaces(message)}`))].sort(), {
    concern: of.some(({ severity }) => severity === 'error') ? PostureConcern.RISK : PostureConcern.NOTICE,
  });
  const known = new Set(entries.map(({ object }) => object));
  return [
    ...entries.map(entry => (byObject.has(entry.object) ? { ...entry, facts: [...entry.facts, factOf(byObject.get(entry.object)!)] } : entry)),
    ...[...byObject].filter(([object]) => !known.has(object)).map(([object, of]) => ({ object, place: of[0].place, facts: [factOf(of)] })),
  ];
}

/** Whose rules decide about the network. */
const POLICIES: Readonly<Record<PolicyOutcome, string>> = {
  'custom': 'rules of the template, for both directions',
  'ingress only': 'rules of the template, which allow ingress only',
  'egress only': 'rules of the template, which allow egress only',
  'deny all': 'rules of the template, which allow nothing',
  'controller default': 'rules of the controller, for templates without any',
  'unmanaged': 'unmanaged: only other policies of the namespace',
};

function policy(manifest: Manifest): PostureFact {
  const outcome = isTemplate(manifest) ? outcomeOf(manifest) : undefined;
  return fact('network', [outcome ? POLICIES[outcome] : 'policies of the namespace'], {
    isDefault: outcome === undefined || outcome === 'custom' || outcome === 'ingress only',
    concern: outcome === 'unmanaged' || outcome === 'controller default' ? PostureConcern.NOTICE : PostureConcern.NONE,
  });
}

function sandboxLifetime(spec: any): PostureFact {
  const atEnd = spec?.shutdownPolicy === 'Retain' ? 'it is kept without its Pod' : 'it is deleted';
  return fact('lifetime', [
    ...(spec?.shutdownTime ? [`until ${spec.shutdownTime}, then ${atEnd}`] : []),
    ...(spec?.operatingMode === 'Suspended' || spec?.replicas === 0 ? ['suspended'] : []),
  ], { empty: 'until it is deleted' });
}

/** Claims are many and short-lived: how many there are, and how they end. */
function claims(objects: Objects, template: Manifest): PostureFact {
  const { spec, metadata } = template;
  const from = (metadata.annotations?.[ANNOTATION.claimableFrom] ?? '').split(',').map(each => each.trim()).filter(each => each !== '');
  const of = objects.claimsOf(template);
  const ends = ({ spec: { lifecycle } }: Manifest) => (lifecycle?.shutdownTime ? 'until a point in time' : lifecycle?.ttlSecondsAfterFinished !== undefined ? 'until some time after the work' : 'without an end');
  const endings = [...new Set(of.map(ends))].sort().map(ending => {
    const count = of.filter(claim => ends(claim) === ending).length;
    return `${count} ${count === 1 ? 'claim' : 'claims'} ${ending}`;
  });
  const policies = [['envVarsInjectionPolicy', 'variables'], ['volumeClaimTemplatesPolicy', 'volumes']] as const;
  const brought = policies.flatMap(([field, what]) => ((spec?.[field] ?? 'Disallowed') === 'Disallowed' ? [] : [`claims may bring ${what} (${spec[field]})`]));
  return fact('claims', [
    ...(from.length > 0 ? [`also from ${from.includes('*') ? 'every namespace' : `the namespaces ${from.sort().join(', ')}`}`] : []),
    ...brought,
    ...endings,
  ], { empty: 'from its own namespace', concern: from.includes('*') ? PostureConcern.NOTICE : PostureConcern.NONE });
}

function poolEntry(objects: Objects, { manifest, place }: PlacedManifest): PostureEntry {
  const { spec } = manifest;
  const scalers = objects.scalersOf(manifest)
    .map(({ kind, spec: scaler }) => `${scaler.minReplicas ?? scaler.minReplicaCount ?? 0} to ${scaler.maxReplicas ?? scaler.maxReplicaCount ?? 100} idle Sandboxes, by ${kind}`);
  return {
    object: describeObject(manifest), place,
    facts: [
      fact('template', [spec?.sandboxTemplateRef?.name ?? 'none']),
      fact('size', scalers.length > 0 ? scalers : [`${spec?.replicas ?? 1} idle ${(spec?.replicas ?? 1) === 1 ? 'Sandbox' : 'Sandboxes'}`]),
      fact('updates', [spec?.updateStrategy?.type === 'Recreate' ? 'idle Sandboxes are replaced when the template changes' : 'idle Sandboxes stay as they are when the template changes'], {
        isDefault: spec?.updateStrategy?.type !== 'Recreate',
      }),
    ],
  };
}

function tenantEntry(
  objects: Objects, namespace: string, foreign: { readonly callers: Set<string>; readonly reached: Set<string> } | undefined,
): PostureEntry {
  const found = objects.find('Namespace', undefined, namespace);
  const level = found?.manifest.metadata.labels?.['pod-security.kubernetes.io/enforce'];
  const closed = objects.in(namespace, 'NetworkPolicy').filter(({ manifest: { spec } }) => Object.keys(spec?.podSelector ?? {}).length === 0)
    .flatMap(({ manifest: { spec } }) => spec?.policyTypes ?? ['Ingress']);
  const quota = objects.in(namespace, 'ResourceQuota').flatMap(({ manifest: { spec } }) => Object.entries(spec?.hard ?? {}).map(([what, most]) => `${what.replace(/^count\/(\w+)\..*agents\.x-k8s\.io$/, '$1')} ${most}`));
  const bindings = objects.in(namespace, 'RoleBinding').flatMap(({ manifest }) => ((manifest as any).subjects ?? []).map((subject: any) =>
    `${subject.kind} ${subject.name} has ${(manifest as any).roleRef?.kind} ${(manifest as any).roleRef?.name}`));
  const separate = [...[...foreign?.callers ?? []].map(each => `reached by ${each}`), ...[...foreign?.reached ?? []].map(each => `reaches ${each}`)].sort();
  return {
    object: `Tenant ${namespace}`, place: found?.place ?? '',
    facts: [
      fact('enforced', [found ? level ?? 'no Pod Security level' : 'not known: the Namespace is not in the set'], {
        isDefault: level === 'restricted',
        concern: !found || level === 'restricted' ? PostureConcern.NONE : level === 'baseline' ? PostureConcern.NOTICE : PostureConcern.RISK,
      }),
      fact('other-namespaces', separate, {
        empty: 'no connection', isDefault: separate.every(each => each === 'reached by the router'),
        concern: separate.some(each => /all Pods( of any namespace)?$/.test(each)) ? PostureConcern.RISK : PostureConcern.NONE,
      }),
      fact('closed-by-default', closed.length === 0 ? ['no policy for all Pods'] : [...new Set(closed)].sort(), { isDefault: new Set(closed).size === 2 }),
      fact('quota', quota.sort(), { concern: quota.length === 0 && found ? PostureConcern.NOTICE : PostureConcern.NONE }),
      fact('members', [...new Set<string>(bindings)].sort()),
    ],
  };
}
