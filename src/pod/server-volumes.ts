import { dnsLabel, dnsSubdomain, integer, oneOf, qualifiedName, Quantity, quantity } from '../checks';
import { type Field, objects, present } from './field';
import { validateSelector } from './server-scheduling';
import { descendingPath } from './server-security';

const ACCESS_MODES = ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'];
const MODE = integer(0, 0o777);
const KEY = /^[-._a-zA-Z0-9]+$/;

const FIELDS_OF_VOLUMES = ['metadata.name', 'metadata.namespace', 'metadata.labels', 'metadata.annotations', 'metadata.uid'];
const RESOURCES = /^((limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+))$/;

/** A quantity as manifests have it: a string or a number. @internal */
export function amount(value: unknown): string | undefined {
  return quantity(String(value));
}

/** Keys of ConfigMaps and Secrets. @internal */
export function dataKey(value: string): string | undefined {
  return value.length <= 253 && KEY.test(value) && value !== '.' && !value.startsWith('..') ? undefined : "use letters, digits, '-', '_' and '.'";
}

function filePath(value: string): string | undefined {
  return descendingPath(value) ?? (value.startsWith('..') ? "use a path that does not begin with '..'" : undefined);
}

/** A field of the Pod that files and variables can have. @internal */
export function validateFieldRef(field: Field, ref: any, fields: readonly string[]): void {
  field.at('apiVersion').check(ref?.apiVersion, version => (version === 'v1' ? undefined : "use 'v1', or leave it out"));
  if (!field.at('fieldPath').needs(ref?.fieldPath, `one of ${fields.join(', ')}`)) {
    return;
  }
  const [, map, key] = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(String(ref.fieldPath)) ?? [];
  field.at('fieldPath').check(String(ref.fieldPath), path => (map !== undefined
    ? qualifiedName(map.endsWith('annotations') ? key.toLowerCase() : key)
    : fields.includes(path) ? undefined : `use one of ${fields.join(', ')}, or metadata.labels['<key>']`));
}

/** An amount of a container that files and variables can have. @internal */
export function validateResourceRef(field: Field, ref: any, needsContainer: boolean): void {
  if (needsContainer) {
    field.at('containerName').needs(ref?.containerName, 'the container whose amount it is');
  }
  field.at('resource').check(String(ref?.resource ?? ''), text => (RESOURCES.test(text) ? undefined : 'use limits.cpu, limits.memory, requests.cpu, requests.memory or ephemeral-storage of one'));
}

/** Names of things that the API server tells apart by the field alone. */
function sourceOf(volume: any): string[] {
  return Object.keys(volume).filter(key => key !== 'name' && volume[key] !== undefined && volume[key] !== null);
}

/** The volumes of a Pod. @internal */
export function validateVolumes(field: Field, volumes: unknown): void {
  const all = objects(volumes);
  all.forEach((volume, index) => {
    const at = field.at(index);
    if (at.at('name').needs(volume.name, 'a name of 1 to 63 lower-case letters, digits and -')) {
      at.at('name').check(String(volume.name), dnsLabel);
    }
    const sources = sourceOf(volume);
    if (sources.length !== 1) {
      // The API server makes an emptyDir of none, whatever was meant.
      at.refuse(sources, 'name exactly one source, such as emptyDir or persistentVolumeClaim');
    }
    sources.slice(0, 1).forEach(source => SOURCES[source]?.(at.at(source), volume[source] ?? {}));
  });
  field.unique(all.map(({ name }) => name), 'name', 'name each volume of a Pod differently');
}

const SOURCES: Readonly<Record<string, (field: Field, source: any) => void>> = {
  emptyDir: (field, { sizeLimit }) => field.at('sizeLimit').check(sizeLimit, amount),
  hostPath: (field, { path, type }) => {
    if (field.at('path').needs(path, 'a path of the node')) {
      field.at('path').check(String(path), text => (text.split('/').includes('..') ? "use a path without '..'" : undefined));
    }
    field.at('type').check(type || undefined, oneOf('DirectoryOrCreate', 'Directory', 'FileOrCreate', 'File', 'Socket', 'CharDevice', 'BlockDevice'));
  },
  secret: (field, { secretName, ...files }) => {
    field.at('secretName').needs(secretName, 'the name of the Secret');
    validateFiles(field, files);
  },
  configMap: (field, { name, ...files }) => {
    field.at('name').needs(name, 'the name of the ConfigMap');
    validateFiles(field, files);
  },
  downwardAPI: (field, { items, defaultMode }) => {
    field.at('defaultMode').check(defaultMode, MODE);
    objects(items).forEach((item, index) => validateDownwardFile(field.at('items').at(index), item));
  },
  projected: validateProjected,
  persistentVolumeClaim: (field, { claimName }) => void field.at('claimName').needs(claimName, 'the name of the PersistentVolumeClaim'),
  nfs: (field, { server, path }) => {
    field.at('server').needs(server, 'the host of the server');
    if (field.at('path').needs(path, 'a path of the server')) {
      field.at('path').check(String(path), text => (text.startsWith('/') ? undefined : 'use an absolute path'));
    }
  },
  csi: (field, { driver, nodePublishSecretRef }) => {
    if (field.at('driver').needs(driver, 'the name of the driver')) {
      field.at('driver').check(String(driver).toLowerCase(), text => (text.length > 63 ? 'use at most 63 characters' : dnsSubdomain(text)));
    }
    if (nodePublishSecretRef) {
      field.at('nodePublishSecretRef').at('name').needs(nodePublishSecretRef.name, 'the name of the Secret');
    }
  },
  ephemeral: (field, { volumeClaimTemplate }) => {
    if (field.at('volumeClaimTemplate').needs(volumeClaimTemplate, 'the claim that is made with the Pod')) {
      validateClaimSpec(field.at('volumeClaimTemplate').at('spec'), volumeClaimTemplate.spec ?? {});
    }
  },
  image: (field, { reference, pullPolicy }) => {
    field.at('reference').needs(reference, 'the image whose files the volume has');
    field.at('pullPolicy').check(pullPolicy || undefined, oneOf('Always', 'IfNotPresent', 'Never'));
  },
};

/** Which keys of an object are which files. */
function validateFiles(field: Field, { items, defaultMode }: any): void {
  field.at('defaultMode').check(defaultMode, MODE);
  objects(items).forEach(({ key, path, mode }, index) => {
    const at = field.at('items').at(index);
    at.at('key').needs(key, 'a key of the object');
    if (at.at('path').needs(path, 'the path of the file below the mount')) {
      at.at('path').check(String(path), filePath);
    }
    at.at('mode').check(mode, MODE);
  });
}

function validateDownwardFile(field: Field, { path, fieldRef, resourceFieldRef, mode }: any): void {
  if (field.at('path').needs(path, 'the path of the file below the mount')) {
    field.at('path').check(String(path), filePath);
  }
  if (Boolean(fieldRef) === Boolean(resourceFieldRef)) {
    field.refuse(present({ fieldRef, resourceFieldRef }, 'fieldRef', 'resourceFieldRef'), 'name either fieldRef or resourceFieldRef');
  } else if (fieldRef) {
    validateFieldRef(field.at('fieldRef'), fieldRef, FIELDS_OF_VOLUMES);
  } else {
    validateResourceRef(field.at('resourceFieldRef'), resourceFieldRef, true);
  }
  field.at('mode').check(mode, MODE);
}

function validateProjected(field: Field, { sources, defaultMode }: any): void {
  field.at('defaultMode').check(defaultMode, MODE);
  const paths: string[] = [];
  objects(sources).forEach((source, index) => {
    const at = field.at('sources').at(index);
    const kinds = present(source, 'secret', 'configMap', 'downwardAPI', 'serviceAccountToken', 'clusterTrustBundle', 'podCertificate');
    if (kinds.length > 1) {
      at.refuse(kinds, 'name one source in each entry');
    }
    for (const kind of ['secret', 'configMap'].filter(each => source[each])) {
      at.at(kind).at('name').needs(source[kind].name, 'the name of the object');
      validateFiles(at.at(kind), source[kind]);
    }
    objects(source.downwardAPI?.items).forEach((item, position) => validateDownwardFile(at.at('downwardAPI').at('items').at(position), item));
    const token = source.serviceAccountToken;
    if (token) {
      at.at('serviceAccountToken').at('expirationSeconds').check(token.expirationSeconds, integer(600, 2 ** 32));
      if (at.at('serviceAccountToken').at('path').needs(token.path, 'the path of the file below the mount')) {
        at.at('serviceAccountToken').at('path').check(String(token.path), filePath);
      }
    }
    paths.push(...['secret', 'configMap', 'downwardAPI'].flatMap(kind => objects(source[kind]?.items).map(item => item.path)).filter(Boolean));
  });
  paths.forEach((path, index) => {
    if (paths.indexOf(path) < index) {
      field.at('sources').refuse(path, 'two files have this path: rename one');
    }
  });
}

/** The specification of a PersistentVolumeClaim. @internal */
export function validateClaimSpec(field: Field, spec: any): void {
  const modes: unknown[] = Array.isArray(spec.accessModes) ? spec.accessModes : [];
  if (modes.length === 0) {
    field.at('accessModes').refuse(spec.accessModes, `name at least one of ${ACCESS_MODES.join(', ')}`);
  }
  modes.forEach((mode, index) => field.at('accessModes').at(index).check(String(mode), oneOf(...ACCESS_MODES)));
  if (modes.includes('ReadWriteOncePod') && modes.length > 1) {
    field.at('accessModes').refuse(modes, 'ReadWriteOncePod excludes every other mode: leave the others out');
  }
  const storage = spec.resources?.requests?.storage;
  const at = field.at('resources').at('requests').at('storage');
  if (at.needs(storage, 'the size, such as 10Gi')) {
    at.check(storage, value => amount(value) ?? (Quantity.tryParse(String(value))!.isZero ? 'a volume needs room: for example 10Gi' : undefined));
  }
  field.at('storageClassName').check(spec.storageClassName || undefined, dnsSubdomain);
  field.at('volumeAttributesClassName').check(spec.volumeAttributesClassName || undefined, dnsSubdomain);
  field.at('volumeMode').check(spec.volumeMode, oneOf('Filesystem', 'Block'));
  validateSelector(field.at('selector'), spec.selector);
}
