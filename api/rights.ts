import { EXTENSIONS_GROUP, GROUP } from './vocabulary';

/* All rights that roles of this project grant. The roles are made from these tables, and the tests run the programs under them. */

/** The Lease of the controller, and of the original's: the two must never work at the same time. */
export const LEASE = 'a3317529.agent-sandbox.x-k8s.io';

/** The Leases of the shards of the controller, as many as there can be. */
export const SHARD_LEASES: readonly string[] = Array.from({ length: 16 }, (_, shard) => `${LEASE}.shard-${shard}`);

/** A rule of a Role or ClusterRole. */
export interface RbacRule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly resourceNames?: string[];
  readonly verbs: string[];
}

/** The rights of a controller: in each namespace that it watches, there with the extensions, and in its own namespace. */
export interface ControllerRules {
  readonly core: readonly RbacRule[];
  readonly extensions: readonly RbacRule[];
  readonly own: readonly RbacRule[];
}

function rule(group: string, resources: string | string[], verbs: string, resourceNames?: string[]): RbacRule {
  return { apiGroups: [group], resources: [resources].flat(), resourceNames, verbs: verbs.split(' ') };
}

/**
 * The rules of the controller of this project. The admission plugin OwnerReferencesPermissionEnforcement asks for two more
 * than requests show: `update` of the finalizers of an owner whose deletion a reference blocks, and `delete` of whatever gets
 * a reference later than at its creation.
 */
export const CONTROLLER_RULES: ControllerRules = {
  core: [
    rule(GROUP, 'sandboxes', 'get list watch patch delete'),
    rule(GROUP, 'sandboxes/status', 'patch'),
    rule(GROUP, 'sandboxes/finalizers', 'update'),
    rule('', ['pods', 'services'], 'get list watch create patch delete'),
    rule('', 'persistentvolumeclaims', 'get list watch create patch delete'),
    rule('events.k8s.io', 'events', 'create patch'),
    rule('', 'events', 'list watch'),
  ],
  extensions: [
    rule(GROUP, 'sandboxes', 'create'),
    rule(EXTENSIONS_GROUP, 'sandboxclaims', 'list watch patch delete'),
    rule(EXTENSIONS_GROUP, 'sandboxtemplates', 'list watch patch'),
    rule(EXTENSIONS_GROUP, 'sandboxwarmpools', 'list watch'),
    rule(EXTENSIONS_GROUP, ['sandboxclaims/status', 'sandboxwarmpools/status'], 'patch'),
    rule(EXTENSIONS_GROUP, ['sandboxclaims/finalizers', 'sandboxtemplates/finalizers', 'sandboxwarmpools/finalizers'], 'update'),
    rule('networking.k8s.io', 'networkpolicies', 'get list watch create update delete'),
  ],
  // A name cannot be asked for at creation.
  own: [
    rule('coordination.k8s.io', 'leases', 'create'),
    rule('coordination.k8s.io', 'leases', 'get update', [LEASE, ...SHARD_LEASES]),
  ],
};

const ALL_VERBS = 'create delete get list patch update watch';

/** The rules of the original at v0.5.6, without those of its webhook: the definitions and certificates are not its business. */
export const ORIGINAL_CONTROLLER_RULES: ControllerRules = {
  core: [
    rule('', ['persistentvolumeclaims', 'pods', 'services'], ALL_VERBS),
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch', 'update'] },
    rule(GROUP, 'sandboxes', ALL_VERBS),
    rule(GROUP, ['sandboxes/finalizers', 'sandboxes/status'], 'get patch update'),
  ],
  extensions: [
    rule(EXTENSIONS_GROUP, ['sandboxclaims', 'sandboxtemplates', 'sandboxwarmpools'], ALL_VERBS),
    rule(EXTENSIONS_GROUP, [
      'sandboxclaims/finalizers', 'sandboxclaims/status', 'sandboxtemplates/finalizers', 'sandboxwarmpools/finalizers', 'sandboxwarmpools/status',
    ], 'get patch update'),
    rule('networking.k8s.io', 'networkpolicies', ALL_VERBS),
  ],
  own: [
    rule('coordination.k8s.io', 'leases', 'create'),
    rule('coordination.k8s.io', 'leases', 'get update', [LEASE]),
  ],
};

const ACCESS_REVIEWS = rule('authorization.k8s.io', 'subjectaccessreviews', 'create');

/** The rights of the router: to find Sandboxes and their Pods; to check tokens and callers, in the whole cluster; to resume Sandboxes; and to claim them for callers. */
export const ROUTER_RULES = {
  resolve: [rule(GROUP, 'sandboxes', 'list watch'), rule('', 'pods', 'list watch')],
  authorize: [rule('authentication.k8s.io', 'tokenreviews', 'create'), ACCESS_REVIEWS],
  access: [ACCESS_REVIEWS],
  resume: [rule(GROUP, 'sandboxes', 'patch')],
  rest: [rule(EXTENSIONS_GROUP, 'sandboxclaims', 'get list watch create delete'), rule(GROUP, 'sandboxes', 'patch')],
} as const;

const EXTENSION_KINDS = ['sandboxclaims', 'sandboxtemplates', 'sandboxwarmpools'];

/** What a caller of the router needs in the namespace of a Sandbox: to use it; and to resume it. */
export const CALLER_RULES = {
  connect: [rule(GROUP, 'sandboxes/proxy', 'create')],
  resume: [rule(GROUP, 'sandboxes', 'patch')],
} as const;

/** Roles for people and programs that use sandboxes. */
export const USER_RULES = {
  /** Claim sandboxes and run code in them; `create` of `sandboxes/proxy` is what the router asks for. */
  user: [
    ...CALLER_RULES.connect,
    rule(GROUP, 'sandboxes', 'get list watch'),
    rule(EXTENSIONS_GROUP, 'sandboxclaims', 'get list watch create delete'),
    rule(EXTENSIONS_GROUP, ['sandboxtemplates', 'sandboxwarmpools'], 'get list watch'),
  ],
  view: [
    rule(GROUP, ['sandboxes', 'sandboxes/status'], 'get list watch'),
    rule(EXTENSIONS_GROUP, [...EXTENSION_KINDS, 'sandboxclaims/status', 'sandboxwarmpools/status'], 'get list watch'),
  ],
  /** Without `sandboxes/proxy`: it becomes part of `edit` and `admin` of Kubernetes, whose holders were given them for other things. */
  edit: [
    rule(GROUP, 'sandboxes', 'create delete deletecollection patch update'),
    rule(GROUP, 'sandboxes/scale', 'get patch update'),
    rule(EXTENSIONS_GROUP, EXTENSION_KINDS, 'create delete deletecollection patch update'),
    rule(EXTENSIONS_GROUP, 'sandboxwarmpools/scale', 'get patch update'),
  ],
} as const;
