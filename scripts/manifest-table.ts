/**
 * What a set of manifests amounts to, one line per object: read from the manifests alone, so that it cannot say
 * anything that they do not.
 */

import { ROUTER } from '../api/vocabulary';

/** An object of Kubernetes, as parsed from YAML. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly spec?: any;
}

/** One line of the table. */
export interface Row {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly isolation: string;
  readonly network: string;
  readonly replicas: string;
}

const NOTHING = '-';
const COLUMNS: readonly (keyof Row)[] = ['kind', 'name', 'namespace', 'isolation', 'network', 'replicas'];
const RUNTIMES: Readonly<Record<string, string>> = {
  'gvisor': 'gVisor',
  'kata-qemu': 'Kata (QEMU)',
  'kata-clh': 'Kata (Cloud Hypervisor)',
  'kata-fc': 'Kata (Firecracker)',
  'kata-vm-isolation': 'Kata (MSHV)',
};

/** A line per manifest, in their order. Claims and pools show what they get from their template. */
export function rows(manifests: readonly Manifest[]): Row[] {
  const find = (kind: string, name: string | undefined, namespace: string | undefined) =>
    manifests.find(other => other.kind === kind && other.metadata.name === name && other.metadata.namespace === namespace);
  const templateOf = ({ kind, metadata: { namespace }, spec }: Manifest): Manifest | undefined => {
    switch (kind) {
      case 'SandboxClaim': {
        const pool = find('SandboxWarmPool', spec.warmPoolRef?.name ?? spec.warmpool, namespace);
        return pool ? templateOf(pool) : find('SandboxTemplate', spec.sandboxTemplateRef?.name, spec.sandboxTemplateRef?.namespace ?? namespace);
      }
      case 'SandboxWarmPool':
        return find('SandboxTemplate', spec.sandboxTemplateRef.name, namespace);
    }
    return undefined;
  };
  return manifests.map(manifest => {
    const template = templateOf(manifest);
    const { kind, metadata } = manifest;
    return {
      kind,
      name: metadata.name,
      namespace: metadata.namespace ?? NOTHING,
      isolation: isolationOf(template ?? manifest),
      network: networkOf(template ?? manifest, manifests),
      replicas: replicasOf(manifest, manifests),
    };
  });
}

/** The lines with aligned columns under a heading, without trailing blanks. */
export function format(lines: readonly Row[], heading: (text: string) => string = text => text): string {
  const table = [Object.fromEntries(COLUMNS.map(column => [column, column.toUpperCase()])) as unknown as Row, ...lines];
  const widths = COLUMNS.map(column => Math.max(...table.map(row => row[column].length)));
  const text = table.map(row => COLUMNS.map((column, index) => row[column].padEnd(widths[index])).join('  ').trimEnd());
  return [heading(text[0]), ...text.slice(1)].join('\n');
}

function isolationOf({ kind, spec }: Manifest): string {
  if (kind !== 'Sandbox' && kind !== 'SandboxTemplate') {
    return NOTHING;
  }
  const runtime = spec.podTemplate.spec.runtimeClassName;
  return runtime === undefined ? 'none' : RUNTIMES[runtime] ?? runtime;
}

function networkOf({ kind, metadata, spec }: Manifest, manifests: readonly Manifest[]): string {
  switch (kind) {
    case 'SandboxTemplate':
      return spec.networkPolicyManagement === 'Unmanaged' ? 'unmanaged' : spec.networkPolicy ? describe(spec.networkPolicy) : "the controller's default";
    case 'NetworkPolicy': {
      const types: string[] = spec.policyTypes ?? [];
      return describe({
        ingress: types.includes('Ingress') ? spec.ingress : undefined,
        egress: types.includes('Egress') ? spec.egress : undefined,
      }, types);
    }
    case 'Sandbox': {
      const policy = manifests.find(other => other.kind === 'NetworkPolicy' && other.metadata.name === `sandbox-${metadata.name}`
        && other.metadata.namespace === metadata.namespace);
      return policy ? networkOf(policy, manifests) : 'unmanaged';
    }
  }
  return NOTHING;
}

/** A direction that a policy does not govern is open; one without rules is closed. */
function describe(rules: { readonly ingress?: any[]; readonly egress?: any[] }, types: readonly string[] = ['Ingress', 'Egress']): string {
  const list = (type: string, rulesOfType: any[] | undefined, peer: (rule: any) => string[]) =>
    !types.includes(type) ? 'any' : [...new Set((rulesOfType ?? []).flatMap(peer))].join(' + ') || 'none';
  return `in: ${list('Ingress', rules.ingress, sources)}, out: ${list('Egress', rules.egress, targets)}`;
}

function sources(rule: any): string[] {
  return (rule.from ?? []).length === 0 ? ['anyone'] : rule.from.map((peer: any) =>
    (peer.podSelector?.matchLabels?.app === ROUTER.labels.app ? 'router' : peer.ipBlock?.cidr ?? 'some pods'));
}

function targets(rule: any): string[] {
  const ports: any[] = rule.ports ?? [];
  if (ports.length > 0 && ports.every(({ port }) => port === 53 || port === 5353)) {
    return ['DNS'];
  }
  return (rule.to ?? []).length === 0 ? ['anywhere'] : rule.to.map((peer: any) => {
    const { cidr, except } = peer.ipBlock ?? {};
    if (cidr === '0.0.0.0/0' || cidr === '::/0') {
      return except?.includes('10.0.0.0/8') || except?.includes('fc00::/7') ? 'public internet' : 'anywhere';
    }
    return cidr ?? 'some pods';
  });
}

function replicasOf({ kind, metadata, spec }: Manifest, manifests: readonly Manifest[]): string {
  switch (kind) {
    case 'Sandbox':
      return spec.operatingMode === 'Suspended' || spec.replicas === 0 ? '0 (suspended)' : '1';
    case 'SandboxClaim':
      return '1';
    case 'SandboxWarmPool': {
      const scaler = manifests.find(other => other.spec?.scaleTargetRef?.kind === kind && other.spec.scaleTargetRef.name === metadata.name
        && other.metadata.namespace === metadata.namespace);
      const { minReplicas, minReplicaCount, maxReplicas, maxReplicaCount } = scaler?.spec ?? {};
      return scaler ? `${minReplicas ?? minReplicaCount ?? 0} to ${maxReplicas ?? maxReplicaCount}` : String(spec.replicas ?? 1);
    }
  }
  return NOTHING;
}
