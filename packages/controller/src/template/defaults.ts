import type { PodSpec, SandboxTemplate } from 'agent-sandbox-api';
import { isManaged } from './identity.js';

/** Public resolvers for Pods whose policy closes the way to the cluster's own DNS. */
const PUBLIC_RESOLVERS = ['8.8.8.8', '1.1.1.1'];

/** The Pod spec of Sandboxes that pools and claims make from a template: what it leaves open is closed. */
export function withSecureDefaults(template: SandboxTemplate): PodSpec {
  const { spec } = template.spec.podTemplate;
  const automount = { automountServiceAccountToken: spec.automountServiceAccountToken ?? false };
  // The default policy lets no Pod reach the cluster DNS, so a Pod that does not choose would resolve nothing.
  const closedDns = isManaged(template) && template.spec.networkPolicy === undefined && !spec.dnsPolicy;
  return { ...spec, ...automount, ...(closedDns ? { dnsPolicy: 'None', dnsConfig: { nameservers: PUBLIC_RESOLVERS } } : {}) };
}
