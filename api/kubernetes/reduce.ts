/**
 * Reduces Kubernetes' published OpenAPI v3 documents to the definitions that our schemas reach, as data:
 * structure only, no descriptions. Run by a maintainer when Kubernetes moves: `npm run api:kubernetes`.
 * Needs Go, whose module proxy and checksum database vouch for the source.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MODULE = 'k8s.io/kubernetes';
const VERSION = 'v1.36.3';
const DOCUMENTS = ['api__v1_openapi.json', 'apis__networking.k8s.io__v1_openapi.json'];
/** The types that our own schemas embed. */
const ROOTS = [
  'io.k8s.api.core.v1.PodSpec',
  'io.k8s.api.core.v1.PersistentVolumeClaimSpec',
  'io.k8s.api.networking.v1.NetworkPolicyIngressRule',
  'io.k8s.api.networking.v1.NetworkPolicyEgressRule',
];
const DROPPED = ['description', 'x-kubernetes-patch-merge-key', 'x-kubernetes-patch-strategy', 'x-kubernetes-unions', 'x-kubernetes-group-version-kind'];

type Json = Record<string, any>;

/** The reference of a schema: `$ref`, or `allOf` with one member, which is how the publisher attaches defaults to it. */
function referenceOf(schema: Json): string | undefined {
  if (schema.allOf && schema.allOf.length !== 1) {
    throw new Error(`allOf with ${schema.allOf.length} members is not a reference: ${JSON.stringify(schema)}`);
  }
  const ref = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0].$ref : undefined);
  return ref?.replace('#/components/schemas/', '');
}

/** The one type that we keep less of than its name says. */
const RENAMED: Readonly<Record<string, string>> = { ObjectMeta: 'EmbeddedObjectMetadata' };
const shortName = (name: string) => {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return RENAMED[last] ?? last;
};

/**
 * One definition without noise. Defaults stay only where Go's own defaulting of the type would put them: on an
 * optional property that is not a struct. `cachingMode` and `kind` of Azure disks are pointers to constants, which
 * the schema generator of the original does not default either.
 */
function reduce(schema: Json, keepDefault: boolean): Json {
  const out: Json = {};
  const ref = referenceOf(schema);
  if (ref) {
    out.$ref = shortName(ref);
  }
  for (const [key, value] of Object.entries(schema)) {
    if (DROPPED.includes(key) || key === '$ref' || key === 'allOf' || (key === 'default' && (!keepDefault || ref))) {
      continue;
    }
    if (key === 'properties') {
      out.properties = Object.fromEntries(Object.entries<Json>(value).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, property]) =>
        [name, reduce(property, !(schema.required ?? []).includes(name) && name !== 'cachingMode' && !(name === 'kind' && value.diskURI))]));
    } else if (key === 'items' || key === 'additionalProperties') {
      out[key] = reduce(value, false);
    } else {
      out[key] = value;
    }
  }
  // LocalObjectReference is atomic; types that embed it lose that in the published document.
  if (out.properties?.name?.default === '' && !out['x-kubernetes-map-type']) {
    out['x-kubernetes-map-type'] = 'atomic';
  }
  return out;
}

const QUANTITY_PATTERN = '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$';
const REPLACED: Json = {
  Quantity: { 'anyOf': [{ type: 'integer' }, { type: 'string' }], 'pattern': QUANTITY_PATTERN, 'x-kubernetes-int-or-string': true },
  IntOrString: { 'anyOf': [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true },
  // Metadata inside an embedded template: what a template can carry. The original's bare `object` prunes it in silence.
  EmbeddedObjectMetadata: {
    type: 'object',
    properties: {
      annotations: { type: 'object', additionalProperties: { type: 'string' } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
    },
  },
};

const module_ = JSON.parse(execFileSync('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], { encoding: 'utf8', cwd: '/' }));
const texts = DOCUMENTS.map(file => readFileSync(join(module_.Dir, 'api/openapi-spec/v3', file), 'utf8'));
const published: Json = Object.assign({}, ...texts.map(text => JSON.parse(text).components.schemas));

const reached = new Map<string, string>();
const definitions: Json = {};
function visit(fullName: string, trail: string[]): void {
  const name = shortName(fullName);
  if (trail.includes(fullName)) {
    throw new Error(`${fullName} contains itself through ${trail.join(' > ')}: a structural schema cannot express that`);
  }
  if (reached.get(name) === fullName) {
    return;
  }
  if (reached.has(name)) {
    throw new Error(`${fullName} and ${reached.get(name)} would share the type name ${name}`);
  }
  reached.set(name, fullName);
  definitions[name] = REPLACED[name] ?? reduce(published[fullName], false);
  if (!(name in REPLACED)) {
    for (const ref of JSON.stringify(published[fullName]).matchAll(/#\/components\/schemas\/([^"]+)/g)) {
      visit(ref[1], [...trail, fullName]);
    }
  }
}
ROOTS.forEach(root => visit(root, []));

const sorted = Object.fromEntries(Object.keys(definitions).sort().map(name => [name, definitions[name]]));
writeFileSync(join(__dirname, 'definitions.json'), JSON.stringify({
  source: { module: MODULE, version: VERSION, sum: module_.Sum, documents: DOCUMENTS, minor: VERSION.split('.').slice(0, 2).join('.') },
  checksum: createHash('sha256').update(JSON.stringify(sorted)).digest('hex'),
  names: Object.fromEntries([...reached].sort(([a], [b]) => (a < b ? -1 : 1))),
  definitions: sorted,
}, undefined, 1) + '\n');
console.log(`${reached.size} definitions of ${MODULE} ${VERSION}`);
