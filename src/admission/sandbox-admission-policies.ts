import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { checkProps, checkTreeAtSynth, definedOnly, dnsLabel, dnsSubdomain, integer, placed, Problems } from '../checks';
import { EXTENSIONS_GROUP, GROUP, LABEL } from '../generated/vocabulary.gen';
import { ClusterScopedObject, type ObjectMetadataProps } from '../objects';
import { ADMISSION_RULES, type AdmissionRule, type AdmittedKind } from './admission-rules';

/** What happens to an object that a rule refuses. */
export enum AdmissionAction {
  /** The request is denied. */
  DENY = 'Deny',

  /** The request succeeds with a warning, and the audit log has an entry. */
  WARN = 'Warn',
}

/** What enforces the rules. */
export enum AdmissionEngine {
  /** The API server itself, with ValidatingAdmissionPolicies. */
  API_SERVER = 'api-server',

  /** Kyverno 1.11 or later, with ClusterPolicies. */
  KYVERNO = 'kyverno',
}

/** The rules and their parameters. */
export interface SandboxAdmissionPoliciesProps extends ObjectMetadataProps {
  /**
   * Namespace of the ConfigMap `agent-sandbox-admission`, which holds the parameters. A right to write it is a right to change the rules.
   *
   * @default "agent-sandbox-system"
   */
  readonly parameterNamespace?: string;

  /**
   * RuntimeClasses that isolate Pods from the kernel of the node.
   *
   * @default ["gvisor", "kata-qemu", "kata-clh", "kata-fc", "kata-vm-isolation"]
   */
  readonly runtimeClasses?: string[];

  /**
   * Beginnings of the images that may run: `registry.example/`.
   *
   * @default - any image
   */
  readonly registries?: string[];

  /**
   * Whether containers must have a limit of memory.
   *
   * @default false
   */
  readonly requireMemoryLimit?: boolean;

  /**
   * Whether claims must say when they end.
   *
   * @default false
   */
  readonly requireLifetime?: boolean;

  /**
   * Whether templates may leave their network to other policies.
   *
   * @default false
   */
  readonly allowUnmanaged?: boolean;

  /**
   * Idle Sandboxes that a pool may have: 0 to 100,000.
   *
   * @default - any number
   */
  readonly maxPoolReplicas?: number;

  /**
   * Namespaces in which no rule applies.
   *
   * @default ["kube-system"]
   */
  readonly exemptNamespaces?: string[];

  /**
   * What happens to an object that a rule refuses. Begin with `WARN` in a cluster that is in use.
   *
   * @default AdmissionAction.DENY
   */
  readonly action?: AdmissionAction;

  /**
   * What enforces the rules.
   *
   * @default AdmissionEngine.API_SERVER
   */
  readonly engine?: AdmissionEngine;
}

const PARAMETERS = 'agent-sandbox-admission';
const PARAMETER_KIND = { apiVersion: 'v1', kind: 'ConfigMap' };
const RUNTIME_CLASSES = ['gvisor', 'kata-qemu', 'kata-clh', 'kata-fc', 'kata-vm-isolation'];
/** Nothing that ran before is ended by a rule that came later: only a change of the spec is looked at again. */
const CHANGED = { name: 'spec-changed', expression: 'oldObject == null || object.spec != oldObject.spec' };
const OURS = { name: 'of-a-sandbox', expression: `'${LABEL.sandboxNameHash}' in object.metadata.?labels.orValue({})` };

interface Admitted {
  readonly group: string;
  readonly versions: readonly string[];
  readonly plural: string;
  /** Where the spec of a Pod is. */
  readonly pod?: string;
}

const KINDS: Readonly<Record<AdmittedKind, Admitted>> = {
  Sandbox: { group: GROUP, versions: ['v1alpha1', 'v1beta1'], plural: 'sandboxes', pod: 'object.spec.podTemplate.spec' },
  SandboxTemplate: { group: EXTENSIONS_GROUP, versions: ['v1alpha1', 'v1beta1'], plural: 'sandboxtemplates', pod: 'object.spec.podTemplate.spec' },
  SandboxClaim: { group: EXTENSIONS_GROUP, versions: ['v1alpha1', 'v1beta1'], plural: 'sandboxclaims' },
  SandboxWarmPool: { group: EXTENSIONS_GROUP, versions: ['v1alpha1', 'v1beta1'], plural: 'sandboxwarmpools' },
  Pod: { group: '', versions: ['v1'], plural: 'pods', pod: 'object.spec' },
};

/**
 * Admission control for the four kinds and the Pods of Sandboxes: what `Checks` and `Posture` find in manifests, refused by the
 * cluster for every user. What the presets of the constructs write is admitted. The parameters are in a ConfigMap, so that they can change without the rules; without
 * the ConfigMap, everything is refused.
 *
 * Messages begin with the id of the rule in brackets: see docs/reference/rules.md. Objects that are stored already stay as they are until their spec
 * changes.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxAdmissionPolicies extends Construct {
  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id
   * @param props the rules and their parameters
   */
  public constructor(scope: Construct, id: string, props: SandboxAdmissionPoliciesProps = {}) {
    super(...placed('SandboxAdmissionPolicies', scope, id));
    checkProps(this.node.path, 'SandboxAdmissionPoliciesProps', props);
    const { labels, annotations, parameterNamespace = 'agent-sandbox-system' } = props;
    const { runtimeClasses = RUNTIME_CLASSES, exemptNamespaces = ['kube-system'] } = props;
    const problems = Problems.of(this.node.path);
    problems.check('parameterNamespace', parameterNamespace, dnsLabel);
    runtimeClasses.forEach((each, index) => problems.check(`runtimeClasses[${index}]`, each, dnsSubdomain));
    exemptNamespaces.forEach((each, index) => problems.check(`exemptNamespaces[${index}]`, each, dnsLabel));
    problems.check('maxPoolReplicas', props.maxPoolReplicas, integer(0, 100_000));
    if (runtimeClasses.length === 0) {
      problems.add('runtimeClasses', runtimeClasses, 'name at least one');
    }
    (props.registries ?? []).forEach((each, index) => {
      if (each === '' || each.includes(',')) {
        problems.add(`registries[${index}]`, each, "write the beginning of images, such as 'registry.example/'");
      }
    });
    problems.throwIfAny();

    new ApiObject(this, 'Parameters', {
      ...PARAMETER_KIND,
      metadata: { name: PARAMETERS, namespace: parameterNamespace, labels, annotations },
      data: definedOnly({
        runtimeClasses: runtimeClasses.join(','),
        registries: props.registries?.join(','),
        requireMemoryLimit: String(props.requireMemoryLimit ?? false),
        requireLifetime: String(props.requireLifetime ?? false),
        allowUnmanaged: String(props.allowUnmanaged ?? false),
        maxPoolReplicas: props.maxPoolReplicas === undefined ? undefined : String(props.maxPoolReplicas),
      }),
    });
    const parameters = { name: PARAMETERS, namespace: parameterNamespace, parameterNotFoundAction: 'Deny' };
    const action = props.action ?? AdmissionAction.DENY;
    for (const kind of Object.keys(KINDS) as AdmittedKind[]) {
      const rules = ADMISSION_RULES.filter(({ kinds }) => kinds.includes(kind));
      const metadata = { name: `agent-sandbox-${kind.toLowerCase()}`, labels, annotations };
      if (props.engine === AdmissionEngine.KYVERNO) {
        new ClusterScopedObject(this, kind, { apiVersion: 'kyverno.io/v1', kind: 'ClusterPolicy', metadata, spec: kyverno(kind, rules, parameters, action, exemptNamespaces) });
        continue;
      }
      new ClusterScopedObject(this, kind, { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata, spec: policy(kind, rules) });
      new ClusterScopedObject(this, `${kind}Binding`, {
        apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding', metadata,
        spec: {
          policyName: metadata.name,
          paramRef: parameters,
          validationActions: action === AdmissionAction.DENY ? ['Deny'] : ['Warn', 'Audit'],
          matchResources: { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: exemptNamespaces }] } },
        },
      });
    }
    checkTreeAtSynth(this);
  }
}

function conditionsOf(kind: AdmittedKind): object[] {
  return kind === 'Pod' ? [OURS, CHANGED] : [CHANGED];
}

function variablesOf(kind: AdmittedKind): object[] | undefined {
  const { pod } = KINDS[kind];
  return pod === undefined ? undefined : [
    { name: 'pod', expression: pod },
    { name: 'containers', expression: 'variables.pod.containers + variables.pod.?initContainers.orValue([])' },
  ];
}

function validationsOf(rules: readonly AdmissionRule[]): object[] {
  return rules.map(({ id, message, expression }) => ({ message: `[${id}] ${message}`, expression }));
}

function policy(kind: AdmittedKind, rules: readonly AdmissionRule[]): object {
  const { group, versions, plural } = KINDS[kind];
  return {
    failurePolicy: 'Fail',
    paramKind: PARAMETER_KIND,
    matchConstraints: { resourceRules: [{ apiGroups: [group], apiVersions: versions, operations: ['CREATE', 'UPDATE'], resources: [plural] }] },
    matchConditions: conditionsOf(kind),
    variables: variablesOf(kind),
    validations: validationsOf(rules),
  };
}

function kyverno(kind: AdmittedKind, rules: readonly AdmissionRule[], paramRef: object, action: AdmissionAction, exempt: readonly string[]): object {
  const { group, versions } = KINDS[kind];
  const kinds = versions.map(version => `${group === '' ? '' : `${group}/`}${version}/${kind}`);
  return {
    background: false,
    rules: [{
      name: kind.toLowerCase(),
      match: { any: [{ resources: { kinds, operations: ['CREATE', 'UPDATE'] } }] },
      exclude: exempt.length === 0 ? undefined : { any: [{ resources: { namespaces: exempt } }] },
      celPreconditions: conditionsOf(kind),
      validate: {
        failureAction: action === AdmissionAction.DENY ? 'Enforce' : 'Audit',
        cel: { paramKind: PARAMETER_KIND, paramRef, variables: variablesOf(kind), expressions: validationsOf(rules) },
      },
    }],
  };
}
