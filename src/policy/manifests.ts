import { ApiObject } from 'cdk8s';
import type { IConstruct } from 'constructs';

/** An object of Kubernetes as it stands in a manifest. @internal */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: { readonly [key: string]: string };
    readonly annotations?: { readonly [key: string]: string };
  };
  readonly spec?: any;
  readonly status?: any;
}

/** A manifest and where it was written. @internal */
export interface PlacedManifest {
  readonly manifest: Manifest;

  /** Path of the construct, or position in the list of manifests. */
  readonly place: string;
}

/** The objects of a tree, as they would be synthesized. @internal */
export function manifestsOf(scope: IConstruct): PlacedManifest[] {
  return scope.node.findAll()
    .filter((construct): construct is ApiObject => ApiObject.isApiObject(construct))
    .map(object => ({ manifest: object.toJson() as Manifest, place: object.node.path }));
}

/** Lists (`kind: List`) are opened; whatever is no object of Kubernetes is left out. @internal */
export function placed(manifests: readonly unknown[]): PlacedManifest[] {
  return manifests.flatMap((manifest, index) => {
    const object = manifest as (Manifest & { readonly items?: unknown[] }) | undefined | null;
    if (object?.kind === 'List' && Array.isArray(object.items)) {
      return placed(object.items).map(each => ({ ...each, place: `manifests[${index}].${each.place.replace('manifests', 'items')}` }));
    }
    return typeof object?.kind === 'string' && typeof object.metadata?.name === 'string' ? [{ manifest: object, place: `manifests[${index}]` }] : [];
  });
}

/** `SandboxTemplate agents/python`. @internal */
export function describeObject({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}
