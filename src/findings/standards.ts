/** What catalogues of others call the same thing, by catalogue. @internal */
export interface Standards {
  /** Levels of the Pod Security Standards that forbid it. */
  readonly podSecurity?: readonly string[];
  /** Recommendations of the CIS Kubernetes Benchmark. */
  readonly cis?: readonly string[];
  /** Chapters of the Kubernetes Hardening Guidance of NSA and CISA. */
  readonly nsa?: readonly string[];
  /** Controls of Kubescape. */
  readonly kubescape?: readonly string[];
  /** Risks of the OWASP Top 10 for Agentic Applications. */
  readonly owasp?: readonly string[];
}

/** Names of the catalogues, as columns. @internal */
export const CATALOGUES: Readonly<Record<keyof Standards, string>> = {
  podSecurity: 'Pod Security', cis: 'CIS', nsa: 'NSA/CISA', kubescape: 'Kubescape', owasp: 'OWASP agentic',
};

/** Chapters of the guidance. Resource policies and Secrets are in that of the network. */
const [PODS, NETWORK, ACCESS] = ['Kubernetes Pod security', 'Network separation and hardening', 'Authentication and authorization'];

/** A way out of the sandbox over the network: what an agent that was talked into something uses. */
const EGRESS: Standards = { cis: ['5.3.2'], nsa: [NETWORK], kubescape: ['C-0030', 'C-0301'], owasp: ['ASI02', 'ASI10'] };
const INGRESS: Standards = { cis: ['5.3.2'], nsa: [NETWORK], kubescape: ['C-0030', 'C-0260'], owasp: ['ASI07'] };
const POD_SECURITY: Standards = { podSecurity: ['baseline', 'restricted'], cis: ['5.2'], nsa: [PODS], kubescape: ['C-0013', 'C-0016', 'C-0046', 'C-0057', 'C-0211'], owasp: ['ASI05'] };
const RESOURCES: Standards = { nsa: [NETWORK], kubescape: ['C-0009', 'C-0311'], owasp: ['ASI08'] };

/**
 * What the rules, and the topics of a posture (`posture/…`), are called elsewhere. Rules about spelling and references, which no catalogue knows, are
 * not here. Versions: CIS Kubernetes Benchmark 1.10, Kubernetes Hardening Guidance 1.2, OWASP Top 10 for Agentic Applications 2026.
 *
 * @internal
 */
export const STANDARDS: Readonly<Record<string, Standards>> = {
  'namespace-level': { podSecurity: ['baseline', 'restricted'], cis: ['5.2.1'], nsa: [PODS] },
  'container-limits': RESOURCES,
  'quota-needs-amounts': RESOURCES,
  'quota-of-sandboxes': RESOURCES,
  'quota-of-amounts': RESOURCES,
  'quota-of-claims': RESOURCES,
  'router-namespace': INGRESS,
  'universal-range': { ...EGRESS, kubescape: ['C-0030', 'C-0052', 'C-0301'] },
  'forgotten-range': { ...EGRESS, kubescape: ['C-0030', 'C-0052', 'C-0301'] },
  'dns-to-anywhere': EGRESS,
  'network-widened': { ...EGRESS, owasp: ['ASI02', 'ASI07', 'ASI10'] },
  'ignored-rules': EGRESS,
  'unmanaged-open': { ...EGRESS, kubescape: ['C-0030', 'C-0260', 'C-0301', 'C-0314'] },
  'policy-not-enforced': { podSecurity: ['baseline', 'restricted'], cis: ['5.2.5', '5.3.2'], nsa: [NETWORK, PODS], kubescape: ['C-0041'], owasp: ['ASI05'] },
  'policy-selects-nothing': EGRESS,
  'secret-in-manifest': { cis: ['5.4.1'], nsa: [NETWORK], kubescape: ['C-0012'], owasp: ['ASI03'] },
  'token-with-rights': { cis: ['5.1.6'], nsa: [ACCESS], kubescape: ['C-0034'], owasp: ['ASI03'] },
  'suppression-without-reason': { owasp: ['ASI09'] },
  'posture/isolation': { nsa: [PODS], kubescape: ['C-0297'], owasp: ['ASI05'] },
  'posture/pod-security': POD_SECURITY,
  'posture/token': { cis: ['5.1.6'], nsa: [ACCESS, PODS], kubescape: ['C-0034', 'C-0261', 'C-0309'], owasp: ['ASI03'] },
  'posture/host': {
    podSecurity: ['baseline', 'restricted'], cis: ['5.2.3', '5.2.4', '5.2.5', '5.2.12', '5.2.13'], nsa: [PODS],
    kubescape: ['C-0038', 'C-0041', 'C-0044', 'C-0048'], owasp: ['ASI05'],
  },
  'posture/network': { cis: ['5.3.2'], nsa: [NETWORK], kubescape: ['C-0260', 'C-0314'], owasp: ['ASI02'] },
  'posture/reached-by': INGRESS,
  'posture/reaches': { ...EGRESS, kubescape: ['C-0030', 'C-0052', 'C-0054', 'C-0301'] },
  'posture/cluster-policies': EGRESS,
  'posture/secrets': { cis: ['5.4.1'], nsa: [NETWORK], kubescape: ['C-0012', 'C-0255', 'C-0259'], owasp: ['ASI03'] },
  'posture/images': { nsa: [PODS], kubescape: ['C-0075', 'C-0312', 'C-0313'], owasp: ['ASI04'] },
  'posture/limits': RESOURCES,
  'posture/storage': { nsa: [PODS], kubescape: ['C-0017', 'C-0257'], owasp: ['ASI06'] },
  'posture/lifetime': { owasp: ['ASI10'] },
  'posture/claims': { cis: ['5.7.1'], owasp: ['ASI03'] },
  'posture/enforced': { podSecurity: ['baseline', 'restricted'], cis: ['5.2.1'], nsa: [PODS] },
  'posture/other-namespaces': { cis: ['5.3.2', '5.7.1'], nsa: [NETWORK], kubescape: ['C-0054'], owasp: ['ASI07', 'ASI08'] },
  'posture/closed-by-default': { cis: ['5.3.2'], nsa: [NETWORK], kubescape: ['C-0260'] },
  'posture/quota': RESOURCES,
  'posture/members': { cis: ['5.1'], nsa: [ACCESS], owasp: ['ASI03'] },
};

/** `CIS 5.3.2`, `Kubescape C-0301`: what a rule is called elsewhere, for tags. @internal */
export function tagsOf(rule: string): string[] {
  const standards = STANDARDS[rule] ?? {};
  return (Object.keys(CATALOGUES) as Array<keyof Standards>).flatMap(catalogue => (standards[catalogue] ?? []).map(id => `${CATALOGUES[catalogue]} ${id}`));
}
