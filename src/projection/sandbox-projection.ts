import type { Construct } from 'constructs';
import { checkCalls, definedOnly } from '../checks';
import { CONTROLLER_DEFAULT_RULES, isMeantToRun, podNameOf } from '../generated/semantics.gen';
import { EXTENSIONS_GROUP, GROUP, LABEL, nameHash, NETWORK_POLICY_SUFFIX, SHADOW_POOL_PREFIX } from '../generated/vocabulary.gen';
import { describeObject, isTemplate, type Manifest, manifestsOf, outcomeOf, placed, type PlacedManifest } from '../policy';

/** Annotation of a projected object: the object that it stands for, and where that is. */
const SOURCE = 'agent-sandbox-check/projected-from';
/** Resolvers that the controller gives to Pods whose network does not let them reach those of the cluster. */
const PUBLIC_RESOLVERS = ['8.8.8.8', '1.1.1.1'];

/**
 * What a controller of the Agent Sandbox API makes of manifests: Pods, their volumes and NetworkPolicies, in kinds of Kubernetes. Scanners that
 * skip custom resources see them there. A template is one Pod, and so is a pool, whose members are all alike; claims have the Pods of their template.
 * All other objects stay as they are.
 */
export class SandboxProjection {
  /**
   * The projection of an app, a chart or any other construct, with everything below it.
   *
   * @param scope the construct
   * @returns manifests, which are for reading only: the controller makes its own
   */
  public static of(scope: Construct): any[] {
    return projected(manifestsOf(scope));
  }

  /**
   * The projection of manifests, whatever has written them.
   *
   * @param manifests objects as in manifests, such as the documents of YAML files; lists are opened
   * @returns manifests, which are for reading only: the controller makes its own
   */
  public static ofManifests(manifests: any[]): any[] {
    return projected(placed(manifests));
  }

  private constructor() {}
}
checkCalls(SandboxProjection);

/** @internal */
export function projected(objects: readonly PlacedManifest[]): Manifest[] {
  const templates = new Map(objects.filter(({ manifest }) => isTemplate(manifest))
    .map(each => [keyOf(each.manifest.metadata.namespace, each.manifest.metadata.name), each]));
  return objects.flatMap(each => {
    const { manifest } = each;
    switch (groupKind(manifest)) {
      case `${GROUP}/Sandbox`:
        return isMeantToRun({ spec: manifest.spec ?? {} }) ? sandbox(each) : [];
      case `${EXTENSIONS_GROUP}/SandboxTemplate`:
        return [...pods(each, each, `${manifest.metadata.name}-sandbox`), ...policy(each)];
      case `${EXTENSIONS_GROUP}/SandboxWarmPool`: {
        const template = templates.get(keyOf(manifest.metadata.namespace, manifest.spec?.sandboxTemplateRef?.name));
        // The controller keeps members of templates of other namespaces in pools of its own.
        return template && !manifest.metadata.name.startsWith(SHADOW_POOL_PREFIX) ? pods(each, template, `${manifest.metadata.name}-member`) : [];
      }
      case `${EXTENSIONS_GROUP}/SandboxClaim`:
        return [];
      default:
        return [manifest];
    }
  });
}

function keyOf(namespace: string | undefined, name: string | undefined): string {
  return `${namespace ?? ''}/${name}`;
}

function groupKind({ apiVersion, kind }: Manifest): string {
  return `${apiVersion.split('/')[0]}/${kind}`;
}

function sandbox(source: PlacedManifest): Manifest[] {
  const { manifest } = source;
  const { metadata: { name } } = manifest;
  return podAndVolumes(source, source, podNameOf(manifest), name, manifest.spec?.podTemplate?.spec, { [LABEL.sandboxNameHash]: nameHash(name) });
}

/** The Pod of a template or pool: what the template leaves open is closed, as the controller does. */
function pods(source: PlacedManifest, template: PlacedManifest, name: string): Manifest[] {
  const { manifest } = template;
  const spec = manifest.spec?.podTemplate?.spec;
  const closedDns = outcomeOf(manifest) === 'controller default' && !spec?.dnsPolicy;
  return podAndVolumes(source, template, name, name, {
    ...spec,
    automountServiceAccountToken: spec?.automountServiceAccountToken ?? false,
    ...(closedDns && { dnsPolicy: 'None', dnsConfig: { nameservers: PUBLIC_RESOLVERS } }),
  }, { [LABEL.templateRefHash]: nameHash(manifest.metadata.name) });
}

function podAndVolumes(
  source: PlacedManifest, template: PlacedManifest, name: string, owner: string, spec: any, labels: { readonly [key: string]: string },
): Manifest[] {
  const { podTemplate, volumeClaimTemplates = [] } = template.manifest.spec ?? {};
  const metadata = (own: any) => ({
    ...definedOnly({ namespace: source.manifest.metadata.namespace }),
    labels: { ...own?.labels, ...labels },
    annotations: { ...own?.annotations, [SOURCE]: `${describeObject(source.manifest)} (${source.place})` },
  });
  const claimNameOf = (claim: any) => `${claim?.metadata?.name}-${owner}`;
  const volumes = [
    ...(spec?.volumes ?? []).filter((volume: any) => !volumeClaimTemplates.some((claim: any) => claim?.metadata?.name === volume?.name)),
    ...volumeClaimTemplates.map((claim: any) => ({ name: claim?.metadata?.name, persistentVolumeClaim: { claimName: claimNameOf(claim) } })),
  ];
  return [
    { apiVersion: 'v1', kind: 'Pod', metadata: { name, ...metadata(podTemplate?.metadata) }, spec: { ...spec, ...(volumes.length > 0 && { volumes }) } },
    ...volumeClaimTemplates.map((claim: any) => ({
      apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: claimNameOf(claim), ...metadata(claim?.metadata) }, spec: claim?.spec,
    })),
  ];
}

/** The NetworkPolicy that the controller derives from a template, in its own namespace. */
function policy({ manifest, place }: PlacedManifest): Manifest[] {
  const { name, namespace } = manifest.metadata;
  const { ingress = [], egress = [] } = manifest.spec?.networkPolicy ?? CONTROLLER_DEFAULT_RULES;
  return outcomeOf(manifest) === 'unmanaged' ? [] : [{
    apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy',
    metadata: {
      name: `${name}${NETWORK_POLICY_SUFFIX}`, ...definedOnly({ namespace }),
      annotations: { [SOURCE]: `${describeObject(manifest)} (${place})` },
    },
    spec: {
      podSelector: { matchLabels: { [LABEL.templateRefHash]: nameHash(name) } },
      policyTypes: ['Ingress', 'Egress'],
      ingress, egress,
    },
  }];
}
