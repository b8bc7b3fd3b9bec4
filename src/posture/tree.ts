import type { Manifest, PlacedManifest } from '../policy';
import { isOurs, Objects, templateNameOf } from './entries';

/** A tenant, template, pool, Sandbox, or claims, with what belongs to it. @internal */
export interface TreeNode {
  /** 0 for tenants, 1 for templates and Sandboxes, 2 for pools, 3 for claims. */
  readonly depth: number;
  readonly kind: string;
  /** Its name, or how many claims it stands for. */
  readonly name: string;
  /** `SandboxTemplate agents/python`. */
  readonly object: string;
  readonly children: readonly TreeNode[];
}

/** Tenants with their templates, pools and claims. Pools and claims of templates that are not in the set belong to the tenant. @internal */
export function treeOf(manifests: readonly PlacedManifest[]): TreeNode[] {
  const ours = manifests.filter(({ manifest }) => isOurs(manifest));
  const objects = new Objects(ours);
  const namespaces = [...new Set(ours.map(({ manifest }) => manifest.metadata.namespace))].sort((a, b) => (String(a) < String(b) ? -1 : 1));
  return namespaces.map(namespace => new Branch(objects, namespace).tenant());
}

/** What is in one namespace. */
class Branch {
  private readonly templates: readonly Manifest[];
  private readonly pools: readonly Manifest[];
  private readonly claims: readonly Manifest[];

  public constructor(private readonly objects: Objects, private readonly namespace: string | undefined) {
    this.templates = this.of('SandboxTemplate');
    this.pools = this.of('SandboxWarmPool');
    this.claims = this.of('SandboxClaim');
  }

  public tenant(): TreeNode {
    const templates = new Set(this.templates.map(({ metadata }) => metadata.name));
    const pools = new Set(this.pools.map(({ metadata }) => metadata.name));
    const strays = this.claims.filter(claim => (poolOf(claim) ? !pools.has(poolOf(claim)!) : !templates.has(this.templateOf(claim) ?? '')));
    return this.node(0, 'Tenant', this.namespace ?? '(namespace when applied)', [
      ...this.templates.map(template => this.template(template.metadata.name)),
      ...this.of('Sandbox').map(({ metadata }) => this.node(1, 'Sandbox', metadata.name)),
      ...this.pools.filter(({ spec }) => !templates.has(spec?.sandboxTemplateRef?.name)).map(({ metadata }) => this.pool(metadata.name)),
      ...this.claimed(strays),
    ]);
  }

  private template(name: string): TreeNode {
    const pools = this.pools.filter(({ spec }) => spec?.sandboxTemplateRef?.name === name).map(({ metadata }) => this.pool(metadata.name));
    return this.node(1, 'SandboxTemplate', name, [...pools, ...this.claimed(this.claims.filter(claim => !poolOf(claim) && this.templateOf(claim) === name))]);
  }

  private pool(name: string): TreeNode {
    return this.node(2, 'SandboxWarmPool', name, this.claimed(this.claims.filter(claim => poolOf(claim) === name)));
  }

  private claimed(claims: readonly Manifest[]): TreeNode[] {
    return claims.length === 0 ? [] : [this.node(3, 'SandboxClaim', claims.length === 1 ? claims[0].metadata.name : `${claims.length} claims`)];
  }

  private templateOf(claim: Manifest): string | undefined {
    return templateNameOf(this.objects, claim);
  }

  private of(kind: string): Manifest[] {
    return this.objects.in(this.namespace, kind).map(({ manifest }) => manifest);
  }

  private node(depth: number, kind: string, name: string, children: readonly TreeNode[] = []): TreeNode {
    const qualified = kind === 'Tenant' || this.namespace === undefined ? name : `${this.namespace}/${name}`;
    return { depth, kind, name, object: `${kind} ${qualified}`, children: [...children].sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }
}

function poolOf({ spec }: Manifest): string | undefined {
  return spec?.warmPoolRef?.name || undefined;
}
