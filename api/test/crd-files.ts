import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CRDS_FOLDER } from '../generators/crds';
import { KINDS } from '../model';

/** Any node of a schema as it is written in `chart/files/crds/`. */
export type Json = Record<string, any>;

export const KIND_NAMES = ['Sandbox', 'SandboxTemplate', 'SandboxClaim', 'SandboxWarmPool'] as const;
export type KindName = (typeof KIND_NAMES)[number];
export const VERSION_NAMES = ['v1beta1', 'v1alpha1'] as const;
export type VersionName = (typeof VERSION_NAMES)[number];

export const CRD_FILES: Readonly<Record<KindName, string>> = {
  Sandbox: 'sandboxes.agents.x-k8s.io.yaml',
  SandboxTemplate: 'sandboxtemplates.extensions.agents.x-k8s.io.yaml',
  SandboxClaim: 'sandboxclaims.extensions.agents.x-k8s.io.yaml',
  SandboxWarmPool: 'sandboxwarmpools.extensions.agents.x-k8s.io.yaml',
};

/** The committed text of a CRD. */
export function crdText(kind: KindName): string {
  return readFileSync(join(__dirname, '..', '..', CRDS_FOLDER, CRD_FILES[kind]), 'utf8');
}

/** The committed CRDs, parsed. */
export const CRDS = Object.fromEntries(KIND_NAMES.map(kind => [kind, parse(crdText(kind))])) as Record<KindName, Json>;

/** Each kind in each version, for `test.each`. */
export const ALL_VERSIONS: readonly (readonly [KindName, VersionName])[] =
  KIND_NAMES.flatMap(kind => VERSION_NAMES.map(version => [kind, version] as const));

export function versionOf(kind: KindName, version: VersionName): Json {
  return CRDS[kind].spec.versions.find((candidate: Json) => candidate.name === version);
}

/** The schema of a version: of the whole object, or of what is at `path` in it (`spec.volumeClaimTemplates[].spec`). */
export function schemaOf(kind: KindName, version: VersionName, path = ''): Json {
  return schemaAt(versionOf(kind, version).schema.openAPIV3Schema, path);
}

/** The schema of `spec` without the fields that are known and ignored: what types and constructs have. */
export function typedSpecOf(kind: KindName, version: VersionName): Json {
  const spec = schemaOf(kind, version, 'spec');
  const { ignoredFields = {} } = KINDS.find(candidate => candidate.kind === kind)!;
  return { ...spec, properties: without(spec.properties, ...Object.keys(ignoredFields)) };
}

/** What is at `path` below a schema: properties by name, `[]` for the items of a list, `{}` for the values of a map. */
export function schemaAt(schema: Json, path: string): Json {
  return (path.match(/[^.[{]+|\[\]|\{\}/g) ?? []).reduce((node, step) => {
    const next = step === '[]' ? node.items : step === '{}' ? node.additionalProperties : node.properties?.[step];
    if (next === undefined) {
      throw new Error(`no schema at ${path} (${step})`);
    }
    return next;
  }, schema);
}

/** Calls `visit` for a schema and everything below it, with paths as in {@link schemaAt}. */
export function walk(schema: Json, visit: (node: Json, path: string) => void, path = ''): void {
  visit(schema, path);
  for (const [name, property] of Object.entries<Json>(schema.properties ?? {})) {
    walk(property, visit, path ? `${path}.${name}` : name);
  }
  if (schema.items) {
    walk(schema.items, visit, `${path}[]`);
  }
  if (schema.additionalProperties) {
    walk(schema.additionalProperties, visit, `${path}{}`);
  }
}

/** A schema without some of its keywords. */
export function without(schema: Json, ...keywords: string[]): Json {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !keywords.includes(keyword)));
}

/** Paths of the places where Kubernetes' own types begin, by kind: PodSpec, PersistentVolumeClaimSpec, NetworkPolicy rules. */
export const EMBEDDED: Readonly<Record<KindName, readonly string[]>> = {
  Sandbox: ['spec.podTemplate.spec', 'spec.volumeClaimTemplates[].spec'],
  SandboxTemplate: [
    'spec.podTemplate.spec',
    'spec.volumeClaimTemplates[].spec',
    'spec.networkPolicy.ingress[]',
    'spec.networkPolicy.egress[]',
  ],
  SandboxClaim: ['spec.volumeClaimTemplates[].spec'],
  SandboxWarmPool: [],
};
