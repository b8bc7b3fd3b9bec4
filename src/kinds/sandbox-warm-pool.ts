import { type Duration, Lazy } from 'cdk8s';
import { Construct } from 'constructs';
import * as l1 from '../../imports';
import { checkCalls, checkProps, checkTreeAtSynth, dnsLabel, dnsSubdomain, integer, placed, Problems, wholeSeconds } from '../checks';
import {
  type AgentSandboxObjectProps, AgentSandboxVersion, checkObject, identityOf,
  inDifferentNamespaces, type ISandboxTemplate, type ISandboxWarmPool, objectMetadata, writeAfter,
} from '../objects';
import { openVolumes } from '../pod';
import { type WarmPoolAutoscalingOptions, WarmPoolHorizontalPodAutoscaler, WarmPoolScaledObject, type WarmPoolScaledObjectOptions } from '../scaling';
import { knownTemplate } from './known-template';
import { checkSandboxName } from './sandbox';
import { SandboxClaim, type SandboxClaimOptions } from './sandbox-claim';

/** What happens to idle Sandboxes when their template changes. */
export enum UpdateStrategy {
  /** They are replaced at once. */
  RECREATE = 'Recreate',

  /** They are handed out as they are; new ones follow the new template. */
  ON_REPLENISH = 'OnReplenish',
}

/** What is known of a pool that is defined elsewhere. */
export interface SandboxWarmPoolAttributes {
  /**
   * Namespace of the pool.
   *
   * @default - the namespace of whatever refers to it
   */
  readonly namespace?: string;

  /**
   * Template of the pool. Claims of v1alpha1 name it beside the pool.
   *
   * @default - unknown
   */
  readonly template?: ISandboxTemplate;
}

/** Size and update of a pool. */
export interface SandboxWarmPoolOptions extends AgentSandboxObjectProps {
  /**
   * Number of idle Sandboxes to keep ready, 0 to 2147483647.
   *
   * @default - not emitted: the API server sets 1, and an autoscaler what it sees fit
   */
  readonly replicas?: number;

  /**
   * What happens to idle Sandboxes when the template changes.
   *
   * @default - UpdateStrategy.ON_REPLENISH (the controller's)
   */
  readonly updateStrategy?: UpdateStrategy;

  /**
   * How long an idle Sandbox may be not ready before it is replaced: whole seconds, at least 30. A change replaces nothing by itself.
   *
   * @default - the flag `--sandbox-warm-pool-readiness-grace-period` of the controller
   */
  readonly readinessGracePeriod?: Duration;
}

/** A SandboxWarmPool: how many Sandboxes of which template. */
export interface SandboxWarmPoolProps extends SandboxWarmPoolOptions {
  /** Template of the Sandboxes, in the namespace of the pool. */
  readonly template: ISandboxTemplate;
}

/** The least that the API accepts: a Pod needs some time to start. */
const LEAST_GRACE_SECONDS = 30;

/** What the API server makes of the name of a pool for its Sandboxes: 5 characters more, 63 in all. */
function generatedName(pool: string): string {
  return `${`${pool}-`.slice(0, 58)}xxxxx`;
}

/**
 * A number of idle Sandboxes of one template, kept ready so that claims start at once.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxWarmPool extends Construct implements ISandboxWarmPool {
  /**
   * A pool that is defined elsewhere.
   *
   * @param name name of the SandboxWarmPool
   * @param attributes what is known of it
   * @throws if a name is not well-formed
   */
  public static fromName(name: string, attributes: SandboxWarmPoolAttributes = {}): ISandboxWarmPool {
    const problems = Problems.of('SandboxWarmPool.fromName');
    problems.check('name', name, dnsSubdomain);
    problems.check('namespace', attributes.namespace, dnsLabel);
    problems.throwIfAny();
    return { isSandboxWarmPool: true, name, ...attributes };
  }

  /** Always true: tells pools from all other objects that have a name. */
  public readonly isSandboxWarmPool: boolean = true;

  /** Name of the object. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /** Template of the Sandboxes. */
  public readonly template?: ISandboxTemplate;

  /** Group and version of the object. */
  public readonly apiVersion: string;

  private readonly version?: AgentSandboxVersion;
  private readonly replicas?: number;
  private autoscaled = false;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the object unless `name` is set
   * @param props the pool
   */
  constructor(scope: Construct, id: string, props: SandboxWarmPoolProps) {
    super(...placed('SandboxWarmPool', scope, id));
    checkProps(this.node.path, 'SandboxWarmPoolProps', props);
    const identity = identityOf(this, id, props);
    this.name = identity.name;
    this.namespace = identity.namespace;
    this.template = props.template;
    this.version = props.apiVersion;
    this.replicas = props.replicas;

    const problems = Problems.of(this.node.path);
    checkObject(problems, identity, props);
    problems.check('replicas', props.replicas, integer(0));
    const readinessGracePeriodSeconds = wholeSeconds(problems, 'readinessGracePeriod', props.readinessGracePeriod, LEAST_GRACE_SECONDS);
    if (inDifferentNamespaces(props.template.namespace, this.namespace)) {
      problems.add('template', `${props.template.namespace}/${props.template.name}`, `a pool uses templates of its own namespace, '${this.namespace}': define the template or the pool there`);
    }
    const template = knownTemplate(props.template);
    if (template) {
      checkSandboxName(problems, 'name of its Sandboxes', generatedName(this.name), template._blueprint);
      const open = openVolumes(template._blueprint);
      if (open.length > 0 && props.replicas !== 0) {
        problems.add('template', template.name, `its Pods wait for volumes that only claims bring (${open.join(', ')}): define them in ${template.node.path}, or keep replicas: 0`);
      }
    }
    problems.throwIfAny();

    const v1alpha1 = props.apiVersion === AgentSandboxVersion.V1ALPHA1;
    const spec: l1.SandboxWarmPoolSpec = {
      // v1alpha1 requires the number and has no default for it
      replicas: Lazy.any({ produce: () => (this.autoscaled ? undefined : this.replicas ?? (v1alpha1 ? 1 : undefined)) }) as any,
      readinessGracePeriodSeconds,
      sandboxTemplateRef: { name: props.template.name },
      updateStrategy: props.updateStrategy && { type: props.updateStrategy as string as l1.SandboxWarmPoolUpdateStrategyType },
    };
    const resource = v1alpha1
      ? new l1.SandboxWarmPoolV1Alpha1(this, 'Resource', { metadata: objectMetadata(identity, props), spec })
      : new l1.SandboxWarmPool(this, 'Resource', { metadata: objectMetadata(identity, props), spec });
    this.apiVersion = resource.apiVersion;
    if (template) {
      // The object alone: pools can be children of their template, and would depend on each other.
      writeAfter(resource, template);
    }
    checkTreeAtSynth(this);
  }

  /**
   * Adds a claim of this pool, in its namespace and version of the API.
   *
   * @param id id of the construct, and name of the claim unless `name` is set
   * @param options lifetime, and what the claim adds to the Sandbox
   * @throws if an option is not well-formed
   */
  public claim(id: string, options: SandboxClaimOptions = {}): SandboxClaim {
    return new SandboxClaim(this, id, { namespace: this.namespace, apiVersion: this.version, ...options, pool: this });
  }

  /**
   * Lets a HorizontalPodAutoscaler set the number of idle Sandboxes. The pool then emits no `replicas`.
   *
   * @param options bounds, metrics and behavior
   * @throws if the pool has `replicas` or an autoscaler already, or an option is not well-formed
   */
  public autoscale(options: WarmPoolAutoscalingOptions): WarmPoolHorizontalPodAutoscaler {
    this.leaveReplicasTo('autoscale');
    return new WarmPoolHorizontalPodAutoscaler(this, 'Autoscaler', { ...options, target: this });
  }

  /**
   * Lets KEDA set the number of idle Sandboxes, down to zero. The pool then emits no `replicas`. The cluster needs KEDA.
   *
   * @param options bounds, triggers and behavior
   * @throws if the pool has `replicas` or an autoscaler already, or an option is not well-formed
   */
  public autoscaleWithKeda(options: WarmPoolScaledObjectOptions): WarmPoolScaledObject {
    this.leaveReplicasTo('autoscaleWithKeda');
    return new WarmPoolScaledObject(this, 'Autoscaler', { ...options, target: this });
  }

  private leaveReplicasTo(method: string): void {
    const problems = Problems.of(this.node.path);
    if (this.replicas !== undefined) {
      problems.add('replicas', this.replicas, `${method}() sets the number, and every deployment would set it back: leave replicas out`);
    }
    if (this.autoscaled) {
      problems.add(method, undefined, 'the pool has an autoscaler already, and two would work against each other: keep one');
    }
    problems.throwIfAny();
    this.autoscaled = true;
  }
}
checkCalls(SandboxWarmPool);
