import { Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import * as l1 from '../../imports';
import { checkCalls, checkProps, checkTreeAtSynth, dnsLabel, dnsSubdomain, placed, Problems } from '../checks';
import { ANNOTATION, LABEL, nameHash, NETWORK_POLICY_SUFFIX } from '../generated/vocabulary.gen';
import { SandboxNetwork } from '../network';
import { type AgentSandboxObjectProps, AgentSandboxVersion, checkObject, identityOf, type IPod, type ISandboxTemplate, objectMetadata } from '../objects';
import { type Blueprint, checkHostNetwork, checkNamespacedReferences, type Isolation, type Relaxation, renderBlueprint, type SandboxPodProps } from '../pod';
import { ImportedPod } from './imported-pod';
import { ClaimOverrides } from './known-template';
import { SandboxClaim, type SandboxClaimOptions } from './sandbox-claim';
import { SandboxWarmPool, type SandboxWarmPoolOptions } from './sandbox-warm-pool';

/** What a template says besides its Pod. */
export interface SandboxTemplateOptions extends AgentSandboxObjectProps {
  /**
   * What the Pods of this template may talk to. The controller keeps one NetworkPolicy for all of them.
   *
   * @default SandboxNetwork.routerOnly()
   */
  readonly network?: SandboxNetwork;

  /**
   * What `env` of claims may do.
   *
   * @default - ClaimOverrides.DISALLOWED (the API server sets it)
   */
  readonly claimEnv?: ClaimOverrides;

  /**
   * What `volumes` of claims may do. Not in v1alpha1.
   *
   * @default - ClaimOverrides.DISALLOWED (the API server sets it)
   */
  readonly claimVolumes?: ClaimOverrides;

  /**
   * Namespaces whose claims may use this template, or `['*']` for all. Understood by the controller of this project;
   * others see claims of their own namespace only.
   *
   * @default - the template's own namespace only
   */
  readonly claimableFrom?: string[];
}

/** A SandboxTemplate: the Pod and what claims may do to it. */
export interface SandboxTemplateProps extends SandboxTemplateOptions, SandboxPodProps {}

/** A SandboxTemplate around an existing Pod of cdk8s-plus. */
export interface SandboxTemplateFromPodProps extends SandboxTemplateOptions {
  /** What keeps the containers apart from the node and its other Pods. */
  readonly isolation: Isolation;

  /**
   * Departures of the Pod from the *restricted* Pod Security Standard, by name.
   *
   * @default - none
   */
  readonly relaxations?: Relaxation[];

  /**
   * Whether sandboxes keep a headless Service.
   *
   * @default - unset
   */
  readonly service?: boolean;
}

/**
 * A blueprint that warm pools and claims make Sandboxes from, with the network policy of their Pods.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxTemplate extends Construct implements ISandboxTemplate {
  /**
   * A template that is defined elsewhere.
   *
   * @param name name of the SandboxTemplate
   * @param namespace its namespace; undefined is the namespace of whatever refers to it
   * @throws if a name is not well-formed
   */
  public static fromName(name: string, namespace?: string): ISandboxTemplate {
    const problems = Problems.of('SandboxTemplate.fromName');
    problems.check('name', name, dnsSubdomain);
    problems.check('namespace', namespace, dnsLabel);
    problems.throwIfAny();
    return { isSandboxTemplate: true, name, namespace };
  }

  /**
   * A template of an existing Pod. The Pod is read when the app is synthesized, so changes to it after this call
   * count, and is no longer emitted itself. Where it is silent, the *restricted* defaults of templates apply; where
   * it contradicts them, synthesis fails unless a relaxation is named. It fails as well where objects are inside of the
   * Pod in the tree, such as the policies of its connections: nothing would emit them.
   *
   * @param scope the scope in which to define the template
   * @param id the construct's id, and the name of the object unless `name` is set
   * @param pod the Pod
   * @param props what a Pod does not say
   * @throws if a prop is not well-formed
   */
  public static fromPod(scope: Construct, id: string, pod: IPod, props: SandboxTemplateFromPodProps): SandboxTemplate {
    const imported = new ImportedPod(pod, props);
    const prepared: Blueprint = { podTemplate: Lazy.any({ produce: () => imported.podTemplate() }) as any, service: props.service };
    const template = new SandboxTemplate(scope, id, { ...props, containers: [], [PREPARED]: prepared } as SandboxTemplateProps);
    template.node.addValidation({ validate: () => imported.problems() });
    return template;
  }

  /** Always true: tells templates from all other objects that have a name. */
  public readonly isSandboxTemplate: boolean = true;

  /** Name of the object. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /** What keeps the containers apart from the node. */
  public readonly isolation: Isolation;

  /** What the Pods of this template may talk to. */
  public readonly network: SandboxNetwork;

  /** What `env` of claims may do. */
  public readonly claimEnv: ClaimOverrides;

  /** What `volumes` of claims may do. */
  public readonly claimVolumes: ClaimOverrides;

  /** Namespaces whose claims may use this template, besides its own. */
  public readonly claimableFrom: string[];

  private readonly apiVersion?: AgentSandboxVersion;

  /** @internal */
  public readonly _blueprint: Blueprint;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the object unless `name` is set
   * @param props the template
   */
  constructor(scope: Construct, id: string, props: SandboxTemplateProps) {
    super(...placed('SandboxTemplate', scope, id));
    checkProps(this.node.path, 'SandboxTemplateProps', props);
    const identity = identityOf(this, id, props);
    this.name = identity.name;
    this.namespace = identity.namespace;
    this.apiVersion = props.apiVersion;
    this.isolation = props.isolation;
    this.network = props.network ?? SandboxNetwork.routerOnly();
    this.claimEnv = props.claimEnv ?? ClaimOverrides.DISALLOWED;
    this.claimVolumes = props.claimVolumes ?? ClaimOverrides.DISALLOWED;
    this.claimableFrom = props.claimableFrom ?? [];

    const problems = Problems.of(this.node.path);
    checkObject(problems, identity, props);
    this._blueprint = (props as Prepared)[PREPARED] ?? renderBlueprint(problems, props, {
      claimsBringVolumes: this.claimVolumes !== ClaimOverrides.DISALLOWED,
      ownLabels: this.claimableFrom.length === 0 ? { [LABEL.templateRefHash]: nameHash(this.name) } : undefined,
    });
    checkHostNetwork(problems, props, this.network._managed);
    this.checkOptions(problems, props);
    problems.throwIfAny();

    const spec: l1.SandboxTemplateSpec = {
      ...this._blueprint,
      networkPolicy: this.network._rules(),
      networkPolicyManagement: this.network._managed ? undefined : l1.SandboxTemplateSpecNetworkPolicyManagement.UNMANAGED,
      envVarsInjectionPolicy: props.claimEnv as string as l1.SandboxTemplateSpecEnvVarsInjectionPolicy | undefined,
      volumeClaimTemplatesPolicy: props.claimVolumes as string as l1.SandboxTemplateSpecVolumeClaimTemplatesPolicy | undefined,
    };
    const annotations = this.claimableFrom.length > 0 && { ...props.annotations, [ANNOTATION.claimableFrom]: [...this.claimableFrom].sort().join(',') };
    const metadata = objectMetadata(identity, annotations ? { ...props, annotations } : props);
    if (props.apiVersion === AgentSandboxVersion.V1ALPHA1) {
      new l1.SandboxTemplateV1Alpha1(this, 'Resource', { metadata, spec });
    } else {
      new l1.SandboxTemplate(this, 'Resource', { metadata, spec });
    }
    checkTreeAtSynth(this);
  }

  /**
   * Adds a pool of this template, in its namespace and version of the API.
   *
   * @param id id of the construct, and name of the pool unless `name` is set
   * @param options size and update of the pool
   * @throws if an option is not well-formed
   */
  public addWarmPool(id: string, options: SandboxWarmPoolOptions = {}): SandboxWarmPool {
    return new SandboxWarmPool(this, id, { namespace: this.namespace, apiVersion: this.apiVersion, ...options, template: this });
  }

  /**
   * Adds a claim of this template, in its namespace and version of the API. It starts cold; see {@link SandboxWarmPool.claim}.
   *
   * @param id id of the construct, and name of the claim unless `name` is set
   * @param options lifetime, and what the claim adds to the Sandbox
   * @throws if an option is not well-formed
   */
  public claim(id: string, options: SandboxClaimOptions = {}): SandboxClaim {
    return new SandboxClaim(this, id, { namespace: this.namespace, apiVersion: this.apiVersion, ...options, template: this });
  }

  private checkOptions(problems: Problems, props: SandboxTemplateOptions): void {
    if (props.apiVersion === AgentSandboxVersion.V1ALPHA1 && props.claimVolumes !== undefined) {
      problems.add('claimVolumes', props.claimVolumes, 'v1alpha1 has no volumeClaimTemplatesPolicy: leave it out, or emit v1beta1');
    }
    if (this.name.length + NETWORK_POLICY_SUFFIX.length > 253) {
      problems.add('name', this.name, `the controller appends '${NETWORK_POLICY_SUFFIX}' for the NetworkPolicy: use at most ${253 - NETWORK_POLICY_SUFFIX.length} characters`);
    }
    checkNamespacedReferences(problems, props.claimableFrom, this._blueprint.podTemplate.spec);
    (props.claimableFrom ?? []).forEach((namespace, index) => {
      if (namespace !== '*') {
        problems.check(`claimableFrom[${index}]`, namespace, dnsLabel);
      }
    });
  }
}
checkCalls(SandboxTemplate);

/** Carries a blueprint that is ready already past the props that it would be made from. */
const PREPARED = Symbol('prepared blueprint');
type Prepared = SandboxTemplateProps & { readonly [PREPARED]?: Blueprint };
