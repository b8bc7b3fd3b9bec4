import { GROUP } from 'agent-sandbox-api';

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

export interface RouterRights {
  /** The flag `--resume-on-request`. @default false */
  readonly resumeOnRequest?: boolean;
}

/** What the router may do in the namespaces that it serves: everything it needs there, and nothing that it does not use. */
export function routerRules({ resumeOnRequest = false }: RouterRights = {}): PolicyRule[] {
  return [
    { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch'] },
    { apiGroups: [GROUP], resources: ['sandboxes'], verbs: ['list', 'watch', ...(resumeOnRequest ? ['patch'] : [])] },
  ];
}

/** What it may do in the cluster with the mode `tokenreview`: ask who has a token, and what they may do. */
export const TOKEN_REVIEW_RULES: readonly PolicyRule[] = [
  { apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'], verbs: ['create'] },
  { apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'], verbs: ['create'] },
];

/** What a caller needs to use Sandboxes: `create` on `sandboxes/proxy`, as for Pods; and, to resume them by a request, `patch` on the Sandbox. */
export function callerRules({ resumeOnRequest = false }: RouterRights = {}): PolicyRule[] {
  return [
    { apiGroups: [GROUP], resources: ['sandboxes/proxy'], verbs: ['create'] },
    ...(resumeOnRequest ? [{ apiGroups: [GROUP], resources: ['sandboxes'], verbs: ['patch'] }] : []),
  ];
}
