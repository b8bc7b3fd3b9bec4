import { isDeepStrictEqual } from 'node:util';
import * as l1 from '../../imports';
import { checkCalls, dnsLabel, Problems, Quantity, storage } from '../checks';
import { checkKeys, checkLabels, type IConfigMap, type IPersistentVolumeClaim, type ISecret, PersistentVolumeAccessMode } from '../objects';

/** A volume that outlives the Pod of a sandbox. */
export interface PersistentVolumeOptions {
  /** Size: a quantity such as `'10Gi'`, above zero. */
  readonly size: string;

  /**
   * Name of the StorageClass.
   *
   * @default - the default StorageClass of the cluster
   */
  readonly storageClass?: string;

  /**
   * How the volume can be mounted.
   *
   * @default [PersistentVolumeAccessMode.READ_WRITE_ONCE]
   */
  readonly accessModes?: PersistentVolumeAccessMode[];

  /**
   * Labels of the PersistentVolumeClaim.
   *
   * @default - none
   */
  readonly labels?: { [key: string]: string };

  /**
   * Annotations of the PersistentVolumeClaim.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };

  /**
   * Further fields of the PersistentVolumeClaim's specification: data source, selector, volume mode, attributes class.
   *
   * @default - none
   */
  readonly spec?: l1.PersistentVolumeClaimSpec;
}

/** A volume that lives as long as the Pod. */
export interface EmptyDirOptions {
  /**
   * Most that may be stored: a quantity such as `'1Gi'`. Above it, the Pod is evicted.
   *
   * @default - no limit but that of the node
   */
  readonly sizeLimit?: string;

  /**
   * Keep the volume in memory, where it counts against the memory limits of the containers.
   *
   * @default false
   */
  readonly inMemory?: boolean;
}

/** Files from a ConfigMap or Secret. */
export interface FilesOptions {
  /**
   * Keys to show, by path below the mount: `{ 'config/app.yaml': 'app.yaml' }`.
   *
   * @default - every key, as a file of its name
   */
  readonly items?: { [path: string]: string };

  /**
   * Mode of the files, 0 to 0o777.
   *
   * @default - 0o644
   */
  readonly defaultMode?: number;

  /**
   * Whether the Pod starts without the object.
   *
   * @default false
   */
  readonly optional?: boolean;
}

/**
 * A volume of a sandbox. Mounting it in a container is enough to have it in the Pod; its name is unique there.
 */
export class SandboxVolume {
  /**
   * A persistent volume of the sandbox (a volume claim template): it survives restarts and suspension, and is deleted
   * with the sandbox. Its PersistentVolumeClaim is named `<name>-<sandbox name>`.
   *
   * @param name name of the volume, 1 to 63 lower-case letters, digits and `-`
   * @param options size and storage
   * @throws if the name, size, labels or annotations are not well-formed
   */
  public static persistent(name: string, options: PersistentVolumeOptions): SandboxVolume {
    const problems = SandboxVolume.problems('persistent', name);
    problems.check('size', options.size, storage);
    if (Quantity.tryParse(options.size)?.isZero) {
      problems.add('size', options.size, "a volume needs room: for example '10Gi'");
    }
    if (options.accessModes?.length === 0) {
      problems.add('accessModes', [], 'name at least one, or leave it out for ReadWriteOnce');
    }
    if (options.spec?.resources?.requests?.storage !== undefined) {
      problems.add('spec.resources.requests.storage', options.spec.resources.requests.storage.value, 'size sets it: leave it out');
    }
    for (const [prop, field] of [['accessModes', 'accessModes'], ['storageClass', 'storageClassName']] as const) {
      if (options[prop] !== undefined && options.spec?.[field] !== undefined) {
        problems.add(`spec.${field}`, options.spec[field], `${prop} sets it too: set it in one place`);
      }
    }
    checkLabels(problems, 'labels', options.labels);
    checkKeys(problems, 'annotations', options.annotations);
    problems.throwIfAny();
    return new SandboxVolume(name, undefined, {
      metadata: { name, labels: options.labels, annotations: options.annotations },
      spec: {
        accessModes: options.accessModes ?? [PersistentVolumeAccessMode.READ_WRITE_ONCE],
        storageClassName: options.storageClass,
        ...options.spec,
        resources: { ...options.spec?.resources, requests: { ...options.spec?.resources?.requests, storage: l1.Quantity.fromString(options.size) } },
      },
    });
  }

  /**
   * An empty folder that lives as long as the Pod.
   *
   * @param name name of the volume
   * @param options limits
   * @throws if the name or the limit is not well-formed
   */
  public static emptyDir(name: string, options: EmptyDirOptions = {}): SandboxVolume {
    const problems = SandboxVolume.problems('emptyDir', name);
    problems.check('sizeLimit', options.sizeLimit, storage);
    problems.throwIfAny();
    return new SandboxVolume(name, {
      name,
      emptyDir: {
        medium: options.inMemory ? 'Memory' : undefined,
        sizeLimit: options.sizeLimit === undefined ? undefined : l1.Quantity.fromString(options.sizeLimit),
      },
    });
  }

  /**
   * Files from a ConfigMap of the sandbox's namespace.
   *
   * @param name name of the volume
   * @param configMap the ConfigMap
   * @param options which files
   * @throws if the name or the mode is not well-formed
   */
  public static configMap(name: string, configMap: IConfigMap, options: FilesOptions = {}): SandboxVolume {
    return new SandboxVolume(name, { name, configMap: { name: configMap.name, ...SandboxVolume.files('configMap', name, options) } });
  }

  /**
   * Files from a Secret of the sandbox's namespace.
   *
   * @param name name of the volume
   * @param secret the Secret
   * @param options which files
   * @throws if the name or the mode is not well-formed
   */
  public static secret(name: string, secret: ISecret, options: FilesOptions = {}): SandboxVolume {
    return new SandboxVolume(name, { name, secret: { secretName: secret.name, ...SandboxVolume.files('secret', name, options) } });
  }

  /**
   * An existing PersistentVolumeClaim of the sandbox's namespace, which outlives the sandbox.
   *
   * @param name name of the volume
   * @param claim the PersistentVolumeClaim
   * @throws if the name is not well-formed
   */
  public static persistentVolumeClaim(name: string, claim: IPersistentVolumeClaim): SandboxVolume {
    SandboxVolume.problems('persistentVolumeClaim', name).throwIfAny();
    return new SandboxVolume(name, { name, persistentVolumeClaim: { claimName: claim.name } });
  }

  /**
   * Any volume of Kubernetes: `projected`, `csi`, `ephemeral`, `image`, `downwardApi` and the rest.
   *
   * @param volume the volume with its name and its source
   * @throws if the name is not well-formed, or if there is not exactly one source
   */
  public static of(volume: l1.Volume): SandboxVolume {
    const problems = SandboxVolume.problems('of', volume.name);
    const sources = Object.entries(volume).filter(([key, value]) => key !== 'name' && value !== undefined).map(([key]) => key);
    if (sources.length !== 1) {
      problems.add('volume', sources, 'name exactly one source, such as csi or projected');
    }
    problems.throwIfAny();
    return new SandboxVolume(volume.name, volume);
  }

  /**
   * A volume that is defined elsewhere: by the claims of a template that lets them bring volumes.
   *
   * @param name name of the volume
   * @throws if the name is not well-formed
   */
  public static fromName(name: string): SandboxVolume {
    SandboxVolume.problems('fromName', name).throwIfAny();
    return new SandboxVolume(name);
  }

  private static problems(factory: string, name: string): Problems {
    const problems = Problems.of(`SandboxVolume.${factory}`);
    problems.check('name', name, dnsLabel);
    return problems;
  }

  private static files(factory: string, name: string, options: FilesOptions) {
    const problems = SandboxVolume.problems(factory, name);
    problems.check('defaultMode', options.defaultMode, mode => (Number.isInteger(mode) && mode >= 0 && mode <= 0o777 ? undefined : 'use a mode from 0 to 0o777'));
    problems.throwIfAny();
    const items = Object.entries(options.items ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, key]) => ({ key, path }));
    return { items: options.items && items, defaultMode: options.defaultMode, optional: options.optional };
  }

  private constructor(
    /** Name of the volume in the Pod. */
    public readonly name: string,
    /** @internal */
    public readonly _volume?: l1.Volume,
    /** @internal */
    public readonly _claimTemplate?: l1.VolumeClaimTemplate,
  ) {}

  /** Whether the volume outlives the Pod as part of the sandbox (a volume claim template). */
  public get isPersistent(): boolean {
    return this._claimTemplate !== undefined;
  }

  /** Whether the value has a source, and not only a name. @internal */
  public get _isDefined(): boolean {
    return this._volume !== undefined || this._claimTemplate !== undefined;
  }

  /** Whether another value describes the same volume. @internal */
  public _equals(other: SandboxVolume): boolean {
    return this === other || isDeepStrictEqual([this._volume, this._claimTemplate], [other._volume, other._claimTemplate]);
  }
}
checkCalls(SandboxVolume);
