import { nameHash, NETWORK_POLICY_SUFFIX } from '../generated/vocabulary.gen';
import { FindingSeverity } from './finding';
import { podTemplateOf, templateOf } from './pods';
import { NO_NAME, type Rule, type Subject } from './world';

/** Kinds whose names end up, as 32-bit hashes, in labels that select Pods, and whose names these are then. */
const HASHED: Readonly<Record<string, string>> = {
  Sandbox: 'Sandbox', SandboxClaim: 'Sandbox', SandboxTemplate: 'SandboxTemplate', SandboxWarmPool: 'SandboxWarmPool',
};

/** Kinds without a namespace; a namespace in their metadata is ignored. */
const CLUSTER_KINDS: readonly string[] = [
  'Namespace', 'ClusterRole', 'ClusterRoleBinding', 'CustomResourceDefinition', 'RuntimeClass', 'PriorityClass', 'StorageClass', 'PersistentVolume',
  'ValidatingAdmissionPolicy', 'ValidatingAdmissionPolicyBinding', 'ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration', 'IngressClass',
  'GatewayClass', 'APIService', 'ClusterTriggerAuthentication',
];

export const NAME_RULES: readonly Rule[] = [
  {
    id: 'duplicate-name',
    severity: FindingSeverity.ERROR,
    summary: 'Two objects of one kind have one name in one namespace (or in the cluster): the later one replaces the other.',
    check: ({ subjects }, report) => {
      const byName = new Map<string, Subject>();
      for (const subject of subjects.filter(each => each.name !== NO_NAME)) {
        const cluster = CLUSTER_KINDS.includes(subject.kind);
        const key = `${subject.group}/${subject.kind} ${cluster ? '' : `${subject.namespaceKey}/`}${subject.name}`;
        const twin = byName.get(key);
        if (twin) {
          const where = cluster ? 'and the cluster has room for one' : 'in the same namespace';
          report(subject, 'name', subject.name, `${twin.place} is a ${subject.kind} of this name ${where}`, 'rename one');
        }
        byName.set(key, twin ?? subject);
      }
    },
  },
  {
    id: 'name-hash-collision',
    severity: FindingSeverity.ERROR,
    summary: 'Two names share the 32-bit hash by which labels, policies and budgets select Pods.',
    check: ({ subjects }, report) => {
      const byHash = new Map<string, Subject>();
      for (const subject of subjects) {
        const hashed = subject.isOurs ? HASHED[subject.kind] : undefined;
        const key = hashed && `${hashed} ${subject.namespaceKey}/${nameHash(subject.name)}`;
        const other = key ? byHash.get(key) : undefined;
        if (other && other.name !== subject.name) {
          report(subject, 'name', subject.name,
            `its hash ${nameHash(subject.name)} is also that of '${other.name}' (${other.place}), and labels could not tell their Pods apart`, 'rename one');
        }
        if (key) {
          byHash.set(key, other ?? subject);
        }
      }
    },
  },
  {
    id: 'claim-has-name-of-sandbox',
    severity: FindingSeverity.ERROR,
    summary: 'A claim and a Sandbox have one name: a Sandbox that is made for the claim would have it, too.',
    check: (world, report) => {
      const seen = new Map<string, Subject>();
      for (const subject of world.subjects.filter(each => each.isOurs && (each.kind === 'Sandbox' || each.kind === 'SandboxClaim'))) {
        const key = `${subject.namespaceKey}/${subject.name}`;
        const other = seen.get(key);
        if (other && other.kind !== subject.kind) {
          report(subject, 'name', subject.name, `a Sandbox made for a claim has the name of the claim, and ${other.place} is a ${other.kind} of this name`, 'rename one');
        }
        seen.set(key, other ?? subject);
      }
    },
  },
  {
    id: 'policy-of-template',
    severity: FindingSeverity.ERROR,
    summary: "A NetworkPolicy has the name that the controller uses for a template's.",
    check: (world, report) => {
      for (const template of world.of('SandboxTemplate').filter(each => each.isOurs)) {
        const policy = world.beside(template, 'NetworkPolicy', `${template.name}${NETWORK_POLICY_SUFFIX}`);
        if (policy) {
          report(policy, 'name', policy.name, `the controller keeps a NetworkPolicy of this name for the SandboxTemplate ${template.place}`, 'rename one');
        }
      }
    },
  },
  {
    id: 'volume-claim-name',
    severity: FindingSeverity.ERROR,
    summary: 'Two PersistentVolumeClaims would have one name: it is that of the volume, a hyphen, and that of the Sandbox.',
    check: (world, report) => {
      const seen = new Map<string, { readonly subject: Subject; readonly what: string }>();
      const note = (subject: Subject, name: string, what: string) => {
        const key = `${subject.namespaceKey}/${name}`;
        const other = seen.get(key);
        if (other && other.subject !== subject) {
          report(subject, 'name', subject.name, `its ${what} would be the PersistentVolumeClaim '${name}', which is also that of the ${other.what} of ${other.subject.place}`,
            'rename a volume or one of both');
        }
        seen.set(key, other ?? { subject, what });
      };
      world.of('PersistentVolumeClaim').forEach(claim => note(claim, claim.name, 'object'));
      for (const sandbox of world.of('Sandbox').filter(each => each.isOurs)) {
        (sandbox.spec.volumeClaimTemplates ?? []).forEach((volume: any) => note(sandbox, `${volume.metadata?.name}-${sandbox.name}`, `volume '${volume.metadata?.name}'`));
      }
      for (const claim of world.of('SandboxClaim').filter(each => each.isOurs)) {
        const template = templateOf(world, claim);
        const volumes = [...(claim.spec.volumeClaimTemplates ?? []), ...(template?.spec.volumeClaimTemplates ?? [])];
        new Set(volumes.map(volume => volume.metadata?.name)).forEach(name => note(claim, `${name}-${claim.name}`, `volume '${name}'`));
      }
    },
  },
  {
    id: 'two-autoscalers',
    severity: FindingSeverity.ERROR,
    summary: 'Two autoscalers set the size of one pool, and work against each other.',
    check: (world, report) => {
      const seen = new Map<string, Subject>();
      for (const scaler of [...world.of('HorizontalPodAutoscaler'), ...world.of('ScaledObject')]) {
        const target = scaler.spec.scaleTargetRef;
        if (target?.kind !== 'SandboxWarmPool') {
          continue;
        }
        const key = `${scaler.namespaceKey}/${target.name}`;
        const other = seen.get(key);
        if (other) {
          report(scaler, 'spec.scaleTargetRef.name', target.name, `the ${other.kind} ${other.place} scales this pool already`, 'keep one of them');
        }
        seen.set(key, other ?? scaler);
      }
    },
  },
  {
    id: 'two-budgets',
    severity: FindingSeverity.ERROR,
    summary: 'Two PodDisruptionBudgets select the same Pods: Kubernetes then evicts none of them.',
    check: (world, report) => {
      const seen = new Map<string, Subject>();
      for (const budget of world.of('PodDisruptionBudget')) {
        const { matchLabels = {}, matchExpressions = [] } = budget.spec.selector ?? {};
        const key = JSON.stringify([budget.namespaceKey, Object.entries(matchLabels).sort(), matchExpressions]);
        const other = seen.get(key);
        if (other && other.name !== budget.name) {
          report(budget, 'spec.selector', undefined, `${other.place} is a PodDisruptionBudget for the same Pods, and Kubernetes refuses evictions of Pods with two`, 'keep one of them');
        }
        seen.set(key, other ?? budget);
      }
    },
  },
  {
    id: 'dead-selector',
    severity: FindingSeverity.ERROR,
    summary: 'A Service, NetworkPolicy or PodDisruptionBudget of cdk8s-plus selects a Pod that is not emitted.',
    check: (world, report) => {
      const carried = new Set<string>();
      const users: [Subject, string, string][] = [];
      for (const subject of world.subjects.filter(each => !each.isOurs && each.kind !== 'Secret' && each.kind !== 'ConfigMap')) {
        const labels = { ...subject.manifest.metadata?.labels, ...podTemplateOf(subject)?.metadata?.labels };
        if (labels[ADDRESS_LABEL] !== undefined) {
          carried.add(labels[ADDRESS_LABEL]);
        }
        users.push(...selectedAddresses(subject));
      }
      for (const [subject, field, address] of users.filter(([, , value]) => !carried.has(value))) {
        report(subject, field, { [ADDRESS_LABEL]: address }, 'nothing in this app has this label: the Pod was given to SandboxTemplate.fromPod(), which does not emit it',
          "select the template's Pods by a label of your own in podLabels, and say in network of the template what they may talk to");
      }
    },
  },
];

/** Label that cdk8s-plus selects its own Pods by; it differs for every construct path. */
const ADDRESS_LABEL = 'cdk8s.io/metadata.addr';

function selectedAddresses(subject: Subject): [Subject, string, string][] {
  const spec = subject.spec;
  switch (subject.kind) {
    case 'Service': return addresses(subject, 'spec.selector', spec.selector);
    case 'PodDisruptionBudget': return addresses(subject, 'spec.selector', spec.selector?.matchLabels);
    case 'NetworkPolicy': return [
      ...addresses(subject, 'spec.podSelector', spec.podSelector?.matchLabels),
      ...['ingress', 'egress'].flatMap(direction => (spec[direction] ?? []).flatMap((rule: any, index: number) =>
        (rule.from ?? rule.to ?? []).flatMap((peer: any) => addresses(subject, `spec.${direction}[${index}]`, peer.podSelector?.matchLabels)))),
    ];
    default: return [];
  }
}

function addresses(subject: Subject, field: string, labels: any): [Subject, string, string][] {
  return labels?.[ADDRESS_LABEL] === undefined ? [] : [[subject, field, labels[ADDRESS_LABEL]]];
}
