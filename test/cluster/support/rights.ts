import type { AuditedRequest } from '../../../testbed/src/index.js';

/** `verb group/resource/subresource`, as rules grant and requests use it. */
export type Right = string;

/** What the rules of Roles and ClusterRoles grant. */
export function granted(roles: readonly any[]): Right[] {
  const rights = roles.flatMap(({ rules }) => rules).flatMap(({ apiGroups, resources, verbs }: any) =>
    apiGroups.flatMap((group: string) => resources.flatMap((resource: string) => verbs.map((verb: string) => `${verb} ${group}/${resource}`))));
  return [...new Set<Right>(rights)].sort();
}

/** What requests used. */
export function used(requests: readonly AuditedRequest[]): Right[] {
  const rights = requests.filter(({ resource }) => resource !== '')
    .map(({ verb, group, resource, subresource }) => `${verb} ${group}/${resource}${subresource ? `/${subresource}` : ''}`);
  return [...new Set<Right>(rights)].sort();
}

const CORE = 'agents.x-k8s.io';
const EXTENSIONS = 'extensions.agents.x-k8s.io';

const OWNER_REFERENCE = 'required by OwnerReferencesPermissionEnforcement of writers of an owner reference that blocks the deletion of the owner: no request of its own';
const LOST_RACE = 'reads past the cache when a create meets an object that the cache does not know yet';

/** Rights of the controller that no request of the suite shows, and why they are there all the same. */
export const UNSEEN: { readonly [right: Right]: string } = {
  [`update ${CORE}/sandboxes/finalizers`]: OWNER_REFERENCE,
  [`update ${EXTENSIONS}/sandboxclaims/finalizers`]: OWNER_REFERENCE,
  [`update ${EXTENSIONS}/sandboxtemplates/finalizers`]: OWNER_REFERENCE,
  [`update ${EXTENSIONS}/sandboxwarmpools/finalizers`]: OWNER_REFERENCE,
  'delete /persistentvolumeclaims': 'required by OwnerReferencesPermissionEnforcement for an adoption; volumes are never deleted by the controller itself',
  'get /pods': LOST_RACE,
  'get /services': LOST_RACE,
  'get /persistentvolumeclaims': LOST_RACE,
  'get networking.k8s.io/networkpolicies': LOST_RACE,
  [`get ${CORE}/sandboxes`]: LOST_RACE,
  [`patch ${EXTENSIONS}/sandboxclaims`]: 'annotates claims, only with claimObservabilityAnnotations or enableTracing',
  'patch events.k8s.io/events': 'counts an Event up that is repeated for minutes',
};
