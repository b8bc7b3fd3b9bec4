import { dnsLabel, dnsSubdomain, integer, oneOf, qualifiedName } from '../checks';
import { Field, type FieldSink, entries, objects, present } from './field';
import { validateContainers } from './server-containers';
import { validateAffinity, validateLabels, validateNames, validateSpread, validateTolerations } from './server-scheduling';
import { validatePodSecurity } from './server-security';
import { amount, validateClaimSpec, validateVolumes } from './server-volumes';

/** Most that keys and values of all annotations of an object may have together, in bytes. */
const MAX_ANNOTATIONS = 256 * 1024;

/**
 * Checks what the API server checks when it creates a Pod, and a CRD does not. For wire names, that is for manifests; what is of
 * another type than the API wants is left to the schema. A test compares with the API server.
 *
 * Looser where a Pod is not complete: claims bring volumes, so mounts of volumes that are named elsewhere are fine.
 *
 * @param path of the Pod or Pod template, for messages; empty for none
 * @param pod the Pod or its template: metadata and spec
 * @param sink takes what is wrong
 * @param elsewhere names of volumes that something else brings; undefined for any
 * @internal
 */
export function validatePod(path: string, pod: any, sink: FieldSink, elsewhere: readonly string[] | undefined): void {
  const spec = pod?.spec;
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) {
    return;
  }
  const prefix = path === '' ? '' : `${path}.`;
  validateMetadata(Field.of(`${prefix}metadata`, sink), pod.metadata ?? {});
  const field = Field.of(`${prefix}spec`, sink);
  const mounted = ['containers', 'initContainers'].flatMap(list => objects(spec[list]))
    .flatMap(container => [...objects(container.volumeMounts), ...objects(container.volumeDevices)].map(({ name }) => name as string));
  const brought = [...new Set(elsewhere ?? mounted)].filter(name => !objects(spec.volumes).some(volume => volume.name === name));
  validateVolumes(field.at('volumes'), spec.volumes);
  validateContainers(field, { ...spec, volumes: [...objects(spec.volumes), ...brought.map(name => ({ name, persistentVolumeClaim: {} }))] });
  validatePodSecurity(field, spec);
  validateNames(field, spec);
  validateAffinity(field.at('affinity'), spec.affinity);
  validateTolerations(field.at('tolerations'), spec.tolerations);
  validateSpread(field.at('topologySpreadConstraints'), spec.topologySpreadConstraints);
  validateRest(field, spec);
}

/** The PersistentVolumeClaims of a Sandbox or claim. @internal */
export function validateVolumeClaimTemplates(path: string, templates: unknown, sink: FieldSink): void {
  const field = Field.of(path, sink);
  objects(templates).forEach((template, index) => {
    field.at(index).at('metadata').at('name').check(template.metadata?.name, dnsLabel);
    validateClaimSpec(field.at(index).at('spec'), template.spec ?? {});
  });
  field.unique(objects(templates).map(({ metadata }) => metadata?.name), 'metadata', 'name each volume differently');
}

function validateMetadata(field: Field, { labels, annotations }: any): void {
  validateLabels(field.at('labels'), labels);
  let size = 0;
  for (const [key, value] of entries(annotations)) {
    field.at('annotations').at(key).check(key.toLowerCase(), qualifiedName);
    size += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  }
  if (size > MAX_ANNOTATIONS) {
    field.at('annotations').refuse(undefined, `they have ${size} bytes together, and may have ${MAX_ANNOTATIONS}: keep data in a ConfigMap`);
  }
}

function validateRest(field: Field, spec: any): void {
  field.at('restartPolicy').check(spec.restartPolicy || undefined, oneOf('Always', 'OnFailure', 'Never'));
  field.at('activeDeadlineSeconds').check(spec.activeDeadlineSeconds, integer(1));
  validateLabels(field.at('nodeSelector'), spec.nodeSelector);
  for (const name of ['serviceAccountName', 'nodeName', 'priorityClassName']) {
    field.at(name).check(spec[name] || undefined, dnsSubdomain);
  }
  field.at('runtimeClassName').check(spec.runtimeClassName, dnsSubdomain);
  field.at('hostname').check(spec.hostname || undefined, dnsLabel);
  field.at('subdomain').check(spec.subdomain || undefined, dnsLabel);
  field.at('preemptionPolicy').check(spec.preemptionPolicy || undefined, oneOf('PreemptLowerPriority', 'Never'));
  objects(spec.readinessGates).forEach(({ conditionType }, index) => field.at('readinessGates').at(index).at('conditionType').check(String(conditionType ?? ''), qualifiedName));
  const gates = objects(spec.schedulingGates);
  gates.forEach(({ name }, index) => field.at('schedulingGates').at(index).at('name').check(String(name ?? ''), qualifiedName));
  field.at('schedulingGates').unique(gates.map(({ name }) => name), 'name', 'list it once');
  if (spec.nodeName && gates.length > 0) {
    field.at('nodeName').refuse(spec.nodeName, 'a Pod with scheduling gates is on no node yet: leave it out');
  }
  const claims = objects(spec.resourceClaims);
  claims.forEach((claim, index) => {
    const at = field.at('resourceClaims').at(index);
    if (at.at('name').needs(claim.name, 'a name of 1 to 63 lower-case letters, digits and -')) {
      at.at('name').check(String(claim.name), dnsLabel);
    }
    const sources = present(claim, 'resourceClaimName', 'resourceClaimTemplateName');
    if (sources.length !== 1) {
      at.refuse(sources, 'name either resourceClaimName or resourceClaimTemplateName');
    }
    sources.forEach(source => at.at(source).check(String(claim[source]), dnsSubdomain));
  });
  field.at('resourceClaims').unique(claims.map(({ name }) => name), 'name', 'name each claim differently');
  for (const [name, value] of entries(spec.overhead)) {
    field.at('overhead').at(name).check(value, amount);
  }
}
