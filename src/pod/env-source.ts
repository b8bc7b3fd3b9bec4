import { checkCalls, Problems } from '../checks';
import type { IConfigMap, IEnvFrom, IEnvValue, ISecret } from '../objects';

/** Options of values that are read from a Secret or a ConfigMap. */
export interface EnvSourceOptions {
  /**
   * Whether the container starts without the variables when the object or the key does not exist.
   *
   * @default false
   */
  readonly optional?: boolean;
}

/** Options of variables that are all keys of a Secret or a ConfigMap. */
export interface EnvFromOptions extends EnvSourceOptions {
  /**
   * Text in front of each key: `DB_`.
   *
   * @default - the keys as they are
   */
  readonly prefix?: string;
}

/**
 * Sources of environment variables, for `env` and `envFrom` of a container. `EnvValue` and `Env` of cdk8s-plus can stand in the same places.
 */
export class EnvSource {
  /**
   * The value of a key of a Secret, for `env`.
   *
   * @param secret the Secret: `ObjectReference.secret('credentials')`
   * @param key the key in it: `token`
   * @param options whether it may be missing
   * @throws if the key is not well-formed
   */
  public static secretKey(secret: ISecret, key: string, options: EnvSourceOptions = {}): IEnvValue {
    checkKey('EnvSource.secretKey', key);
    return { valueFrom: { secretKeyRef: { name: secret.name, key, optional: options.optional } } };
  }

  /**
   * The value of a key of a ConfigMap, for `env`.
   *
   * @param configMap the ConfigMap: `ObjectReference.configMap('settings')`
   * @param key the key in it: `mode`
   * @param options whether it may be missing
   * @throws if the key is not well-formed
   */
  public static configMapKey(configMap: IConfigMap, key: string, options: EnvSourceOptions = {}): IEnvValue {
    checkKey('EnvSource.configMapKey', key);
    return { valueFrom: { configMapKeyRef: { name: configMap.name, key, optional: options.optional } } };
  }

  /**
   * A field of the Pod itself, for `env`.
   *
   * @param path path of the field: `metadata.name`, `status.podIP`
   */
  public static podField(path: string): IEnvValue {
    return { valueFrom: { fieldRef: { fieldPath: path } } };
  }

  /**
   * All keys of a Secret, for `envFrom`.
   *
   * @param secret the Secret: `ObjectReference.secret('credentials')`
   * @param options prefix, and whether it may be missing
   */
  public static allOfSecret(secret: ISecret, options: EnvFromOptions = {}): IEnvFrom {
    return { _toKube: () => ({ prefix: options.prefix, secretRef: { name: secret.name, optional: options.optional } }) };
  }

  /**
   * All keys of a ConfigMap, for `envFrom`.
   *
   * @param configMap the ConfigMap: `ObjectReference.configMap('settings')`
   * @param options prefix, and whether it may be missing
   */
  public static allOfConfigMap(configMap: IConfigMap, options: EnvFromOptions = {}): IEnvFrom {
    return { _toKube: () => ({ prefix: options.prefix, configMapRef: { name: configMap.name, optional: options.optional } }) };
  }

  private constructor() {}
}
checkCalls(EnvSource);

/** Keys of Secrets and ConfigMaps. */
function checkKey(where: string, key: string): void {
  const problems = Problems.of(where);
  problems.check('key', key, text => (/^[-._a-zA-Z0-9]{1,253}$/.test(text) ? undefined : "use 1 to 253 letters, digits, '-', '_' and '.', as keys of Secrets and ConfigMaps are"));
  problems.throwIfAny();
}
