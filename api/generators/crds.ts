import { stringify } from 'yaml';
import { DEFINITIONS, KINDS, OWN, header } from '../model';
import type { Kind, KindVersion, Schema } from '../schema';

type Json = Record<string, any>;

/** `kubectl apply` keeps the whole object in an annotation of at most this many bytes. */
const MAX_CRD_BYTES = 262_144;

/** Puts definitions in the place of references. Keywords beside a reference win. */
function inline(schema: Schema): Json {
  const { $ref, ...siblings } = schema;
  const base: Json = $ref ? inline(DEFINITIONS[$ref]) : {};
  // The description of an own type describes the field that uses it, unless the field has its own.
  const merged: Json = { ...base, ...siblings };
  if (merged.properties) {
    merged.properties = Object.fromEntries(Object.keys(merged.properties).sort().map(name => [name, inline(merged.properties[name])]));
  }
  for (const key of ['items', 'additionalProperties']) {
    if (merged[key]) {
      merged[key] = inline(merged[key]);
    }
  }
  return Object.fromEntries(Object.keys(merged).sort().map(key => [key, merged[key]]));
}

function specSchema(kind: Kind, version: KindVersion): Json {
  const own = OWN[kind.spec];
  const spec = inline({
    ...own,
    properties: Object.fromEntries(Object.entries({ ...own.properties, ...kind.ignoredFields }).map(([name, schema]) =>
      [name, version.specDefaults && name in version.specDefaults ? { ...schema, default: version.specDefaults[name] } : schema])),
  });
  const required = [...new Set([...(own.required ?? []), ...(version.specRequired ?? [])])].sort();
  return {
    ...spec,
    ...(required.length > 0 && { required }),
    ...(version.specValidations && { 'x-kubernetes-validations': version.specValidations }),
  };
}

function versionManifest(kind: Kind, version: KindVersion): Json {
  const stored = version.name === 'v1beta1';
  return {
    name: version.name,
    served: true,
    storage: stored,
    ...(!stored && {
      deprecated: true,
      deprecationWarning: `${kind.group}/${version.name} ${kind.kind} is deprecated; use ${kind.group}/v1beta1 ${kind.kind} instead`,
    }),
    ...(version.printerColumns?.length && { additionalPrinterColumns: version.printerColumns }),
    schema: {
      openAPIV3Schema: {
        description: kind.description,
        type: 'object',
        required: ['spec'],
        ...(kind.validations && { 'x-kubernetes-validations': kind.validations }),
        properties: {
          apiVersion: { type: 'string' },
          kind: { type: 'string' },
          metadata: { type: 'object' },
          spec: specSchema(kind, version),
          ...(kind.status && { status: inline(OWN[kind.status]) }),
        },
      },
    },
    ...(kind.status && { subresources: { status: {}, ...(version.scale && { scale: version.scale }) } }),
  };
}

/** The CustomResourceDefinition of a kind. */
function crd(kind: Kind): Json {
  const manifest = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${kind.plural}.${kind.group}` },
    spec: {
      group: kind.group,
      names: { kind: kind.kind, listKind: `${kind.kind}List`, plural: kind.plural, singular: kind.singular, shortNames: kind.shortNames },
      scope: 'Namespaced',
      conversion: { strategy: 'None' },
      versions: kind.versions.map(version => versionManifest(kind, version)),
    },
  };
  const bytes = Buffer.byteLength(JSON.stringify(manifest));
  if (bytes >= MAX_CRD_BYTES) {
    throw new Error(`the CRD of ${kind.kind} is ${bytes} bytes as JSON; "kubectl apply" takes less than ${MAX_CRD_BYTES}: shorten descriptions`);
  }
  return manifest;
}

/** Folder of the CRDs: in the chart, which installs them, and from there for kubectl. */
export const CRDS_FOLDER = 'chart/files/crds';

/** The files of the CRDs, and the same objects as data for the constructs. */
export function generateCrds(): Record<string, string> {
  const files: Record<string, string> = {};
  const all = KINDS.map(crd);
  for (const manifest of all) {
    files[`${CRDS_FOLDER}/${manifest.metadata.name}.yaml`] = header('#', 'api/kinds') + stringify(manifest, { aliasDuplicateObjects: false, lineWidth: 0 });
  }
  files['src/generated/crds.json'] = `${inLines(withShared(all))}\n`;
  return files;
}

/** The least size, in characters of JSON, of what is written once for several places. */
const LEAST_SHARED = 500;

/** What occurs more than once in `crds` is in `shared`, and stands in its places as `{ "$shared": index }`: src/objects/crds.ts. */
function withShared(crds: readonly Json[]): { shared: Json[]; crds: Json[] } {
  const count = new Map<string, number>();
  const visit = (node: unknown): void => {
    if (typeof node === 'object' && node !== null) {
      const text = JSON.stringify(node);
      const seen = count.get(text) ?? 0;
      count.set(text, seen + 1);
      if (seen === 0) {
        Object.values(node).forEach(visit);
      }
    }
  };
  visit(crds);
  const shared: Json[] = [];
  const places = new Map<string, number>();
  const compact = (node: any): any => {
    if (typeof node !== 'object' || node === null) {
      return node;
    }
    const below = () => (Array.isArray(node)
      ? node.map(compact)
      : Object.fromEntries(Object.entries(node).map(([key, item]) => [key, compact(item)])));
    const text = JSON.stringify(node);
    if (text.length < LEAST_SHARED || count.get(text)! < 2) {
      return below();
    }
    if (!places.has(text)) {
      const item = below();
      places.set(text, shared.push(item) - 1);
    }
    return { $shared: places.get(text) };
  };
  return { crds: crds.map(compact), shared };
}

/** Compact JSON with line breaks, so that tools for text can live with it. */
function inLines(value: unknown): string {
  const text = JSON.stringify(value).replace(/\},"/g, '},\n"');
  if (JSON.stringify(JSON.parse(text)) !== JSON.stringify(value)) {
    throw new Error('a string of the CRDs contains },": the line breaks would change it');
  }
  return text;
}
