import { EXTENSIONS_GROUP, GROUP } from '../generated/vocabulary.gen';
import { ControllerImplementation } from './implementation';
import { LEASE } from './names';

/** A rule of a Role or ClusterRole. @internal */
export interface PolicyRule {
  readonly apiGroups: string[];
  readonly resources: string[];
  readonly resourceNames?: string[];
  readonly verbs: string[];
}

/** What a controller may do: with Sandboxes and what belongs to them, with the extensions, and in its own namespace. @internal */
export interface ControllerRules {
  readonly core: readonly PolicyRule[];
  readonly extensions: readonly PolicyRule[];
  readonly own: readonly PolicyRule[];
}

/** @internal */
export function rule(group: string, resources: string | string[], verbs: string, resourceNames?: string[]): PolicyRule {
  return { apiGroups: [group], resources: [resources].flat(), resourceNames, verbs: verbs.split(' ') };
}

/**
 * The rules of the controller of this project. The admission plugin OwnerReferencesPermissionEnforcement asks for two more
 * than requests show: `update` of the finalizers of an owner whose deletion a reference blocks, and `delete` of whatever gets
 * a reference later than at its creation.
 */
const BUNDLED: ControllerRules = {
  core: [
    rule(GROUP, 'sandboxes', 'get list watch patch delete'),
    rule(GROUP, 'sandboxes/status', 'patch'),
    rule(GROUP, 'sandboxes/finalizers', 'update'),
    rule('', ['pods', 'services'], 'get list watch create patch delete'),
    rule('', 'persistentvolumeclaims', 'get list watch create patch delete'),
    rule('events.k8s.io', 'events', 'create patch'),
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
    rule('coordination.k8s.io', 'leases', 'get update', [LEASE]),
  ],
};

const ALL_VERBS = 'create delete get list patch update watch';

/** The rules of the original at v0.5.6, without those of its webhook: the definitions and certificates are not its business. */
const UPSTREAM: ControllerRules = {
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

/** @internal */
export const CONTROLLER_RULES: { readonly [implementation in ControllerImplementation]: ControllerRules } = {
  [ControllerImplementation.BUNDLED]: BUNDLED,
  [ControllerImplementation.UPSTREAM_V0_5_6]: UPSTREAM,
};

/** What the router may do with Sandboxes and their Pods; for resuming, in addition. @internal */
export const ROUTER_RULES = {
  resolve: [rule(GROUP, 'sandboxes', 'list watch'), rule('', 'pods', 'list watch')],
  authorize: [rule('authentication.k8s.io', 'tokenreviews', 'create'), rule('authorization.k8s.io', 'subjectaccessreviews', 'create')],
  resume: [rule(GROUP, 'sandboxes', 'patch')],
} as const;

const EXTENSION_KINDS = ['sandboxclaims', 'sandboxtemplates', 'sandboxwarmpools'];

/** Roles for people and programs that use sandboxes. @internal */
export const USER_RULES = {
  /** Claim sandboxes and run code in them; `create` of `sandboxes/proxy` is what the router asks for. */
  user: [
    rule(GROUP, 'sandboxes/proxy', 'create'),
    rule(GROUP, 'sandboxes', 'get list watch'),
    rule(EXTENSIONS_GROUP, 'sandboxclaims', 'get list watch create delete'),
    rule(EXTENSIONS_GROUP, ['sandboxtemplates', 'sandboxwarmpools'], 'get list watch'),
  ],
  view: [
    rule(GROUP, ['sandboxes', 'sandboxes/status'], 'get list watch'),
    rule(EXTENSIONS_GROUP, [...EXTENSION_KINDS, 'sandboxclaims/status', 'sandboxwarmpools/status'], 'get list watch'),
  ],
  edit: [
    rule(GROUP, 'sandboxes/proxy', 'create'),
    rule(GROUP, 'sandboxes', 'create delete deletecollection patch update'),
    rule(GROUP, 'sandboxes/scale', 'get patch update'),
    rule(EXTENSIONS_GROUP, EXTENSION_KINDS, 'create delete deletecollection patch update'),
    rule(EXTENSIONS_GROUP, 'sandboxwarmpools/scale', 'get patch update'),
  ],
} as const;
