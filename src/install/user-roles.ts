import type { Construct } from 'constructs';
import { CALLER_RULES, USER_RULES } from '../generated/rights.gen';
import { clusterObject } from './objects';

const RBAC = 'rbac.authorization.k8s.io/v1';
const AGGREGATE = 'rbac.authorization.k8s.io/aggregate-to-';

/**
 * ClusterRoles for people and programs. `-user` is for subjects that claim sandboxes and run code in them; `-view` and
 * `-edit` become part of the roles `view`, and `edit` and `admin`, of Kubernetes. With `editorsConnect`, `-connect` does so, too.
 *
 * @internal
 */
export function userRoles(scope: Construct, editorsConnect: boolean): void {
  const forEditors = { [`${AGGREGATE}edit`]: 'true', [`${AGGREGATE}admin`]: 'true' };
  clusterObject(scope, RBAC, 'ClusterRole', { name: 'agent-sandbox-user' }, { rules: USER_RULES.user });
  clusterObject(scope, RBAC, 'ClusterRole', { name: 'agent-sandbox-view', labels: { [`${AGGREGATE}view`]: 'true' } }, { rules: USER_RULES.view });
  clusterObject(scope, RBAC, 'ClusterRole', { name: 'agent-sandbox-edit', labels: forEditors }, { rules: USER_RULES.edit });
  if (editorsConnect) {
    clusterObject(scope, RBAC, 'ClusterRole', { name: 'agent-sandbox-connect', labels: forEditors }, { rules: CALLER_RULES.connect });
  }
}
