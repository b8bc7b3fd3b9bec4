import { printable } from '../checks';
import { describeObject, type PlacedManifest } from '../policy';
import { differences } from '../testing';

/** An object of the manifests that is not in the cluster, or not so. */
interface Drift {
  readonly object: string;
  readonly place: string;
  readonly differences: string[];
}

/** What in a cluster is not as in manifests: fields that the manifests do not have may be as they are. @internal */
export function drift(wanted: readonly PlacedManifest[], live: readonly PlacedManifest[]): Drift[] {
  const groupOf = ({ manifest }: PlacedManifest) => String(manifest.apiVersion).split('/').slice(0, -1).join('/');
  const keyOf = (each: PlacedManifest) => `${groupOf(each)} ${describeObject(each.manifest)}`;
  const found = new Map(live.map(each => [keyOf(each), each.manifest as any]));
  const kinds = new Set(live.map(each => `${groupOf(each)} ${each.manifest.kind}`));
  return wanted.flatMap(each => {
    const object = found.get(keyOf(each));
    const { metadata, apiVersion, kind, status, ...rest } = each.manifest as any;
    if (!object) {
      return kinds.has(`${groupOf(each)} ${kind}`) || /agents\.x-k8s\.io\//.test(String(apiVersion)) ? [{ object: describeObject(each.manifest), place: each.place, differences: ['it is not in the cluster'] }] : [];
    }
    // A Sandbox that is converted from the older version has the fields of the newer one.
    const lines = String(object.apiVersion) === String(apiVersion) || status !== undefined ? [
      ...differences('metadata.labels', metadata.labels ?? {}, object.metadata.labels ?? {}),
      ...differences('metadata.annotations', metadata.annotations ?? {}, object.metadata.annotations ?? {}),
      ...Object.entries(rest).flatMap(([key, value]) => differences(key, value, object[key])),
    ] : [`it is in the version ${object.apiVersion}, and ${apiVersion} in the manifest: compare these by hand`];
    return lines.length > 0 ? [{ object: describeObject(each.manifest), place: each.place, differences: lines }] : [];
  });
}

/** Drift as text. @internal */
export function driftText(found: readonly Drift[]): string {
  return found.length === 0 ? 'the cluster is as the manifests say'
    : found.flatMap(({ object, place, differences: lines }) => [`${object} (${place})`, ...lines.map(line => `  ${line}`)]).map(printable).join('\n');
}
