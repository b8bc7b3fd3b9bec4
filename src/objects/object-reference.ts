import { checkCalls, dnsSubdomain, Problems } from '../checks';
import type { IConfigMap, IPersistentVolumeClaim, ISecret, IServiceAccount } from './plus';

/**
 * Names an object that exists in the namespace of what refers to it. Objects of cdk8s-plus can stand in the same places.
 */
export class ObjectReference {
  /**
   * A Secret.
   *
   * @param name name of the Secret: `registry-credentials`
   * @throws if the name is not well-formed
   */
  public static secret(name: string): ISecret {
    return named('Secret', 'ObjectReference.secret', name);
  }

  /**
   * A ConfigMap.
   *
   * @param name name of the ConfigMap: `settings`
   * @throws if the name is not well-formed
   */
  public static configMap(name: string): IConfigMap {
    return named('ConfigMap', 'ObjectReference.configMap', name);
  }

  /**
   * A ServiceAccount.
   *
   * @param name name of the ServiceAccount: `builder`
   * @throws if the name is not well-formed
   */
  public static serviceAccount(name: string): IServiceAccount {
    return named('ServiceAccount', 'ObjectReference.serviceAccount', name);
  }

  /**
   * A PersistentVolumeClaim.
   *
   * @param name name of the claim: `datasets`
   * @throws if the name is not well-formed
   */
  public static persistentVolumeClaim(name: string): IPersistentVolumeClaim {
    return named('PersistentVolumeClaim', 'ObjectReference.persistentVolumeClaim', name);
  }

  private constructor() {}
}
checkCalls(ObjectReference);

function named(kind: string, where: string, name: string): { readonly kind: string; readonly name: string } {
  const problems = Problems.of(where);
  problems.check('name', name, dnsSubdomain);
  problems.throwIfAny();
  return { kind, name };
}
