import { ApiObject, type ApiObjectMetadata } from 'cdk8s';
import type { Construct } from 'constructs';
import type { RbacRule } from '../generated/rights.gen';
import { ClusterScopedObject } from '../objects';

type Content = Readonly<Record<string, unknown>>;

/** An object of any kind in the namespace of its chart, or the one that its metadata say. @internal */
export function object(scope: Construct, apiVersion: string, kind: string, metadata: ApiObjectMetadata, content: Content): ApiObject {
  return new ApiObject(scope, idOf(kind, metadata), { apiVersion, kind, metadata, ...content });
}

/** An object without a namespace. @internal */
export function clusterObject(scope: Construct, apiVersion: string, kind: string, metadata: ApiObjectMetadata, content: Content = {}): ApiObject {
  return new ClusterScopedObject(scope, idOf(kind, metadata), { apiVersion, kind, metadata, ...content });
}

/** Subject of a role. @internal */
export interface Account {
  readonly name: string;
  readonly namespace: string;
}

/** A ClusterRole and its binding. @internal */
export function clusterRole(scope: Construct, name: string, rules: readonly RbacRule[], account: Account): void {
  clusterObject(scope, RBAC, 'ClusterRole', { name }, { rules });
  clusterObject(scope, RBAC, 'ClusterRoleBinding', { name }, binding('ClusterRole', name, account));
}

/** A Role and its binding in a namespace; undefined is that of the chart. @internal */
export function role(scope: Construct, name: string, rules: readonly RbacRule[], account: Account, namespace?: string): void {
  object(scope, RBAC, 'Role', { name, namespace }, { rules });
  object(scope, RBAC, 'RoleBinding', { name, namespace }, binding('Role', name, account));
}

const RBAC = 'rbac.authorization.k8s.io/v1';

function binding(kind: string, name: string, account: Account): Content {
  return {
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name },
    subjects: [{ kind: 'ServiceAccount', name: account.name, namespace: account.namespace }],
  };
}

/** Ids are unique in their scope: the same kind and name can be in several namespaces. */
function idOf(kind: string, { name, namespace }: ApiObjectMetadata): string {
  return [kind, namespace, name].filter(Boolean).join('-');
}
