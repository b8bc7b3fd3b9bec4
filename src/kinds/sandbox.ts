import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import * as l1 from '../../imports';
import { checkProps, checkTreeAtSynth, dns1035Label, placed, Problems } from '../checks';
import { LABEL, nameHash } from '../generated/vocabulary.gen';
import { SandboxNetwork } from '../network';
import { type AgentSandboxObjectProps, AgentSandboxVersion, checkObject, identityOf, objectMetadata } from '../objects';
import { checkHostNetwork, type Isolation, renderBlueprint, type SandboxPodProps } from '../pod';
import type { Lifetime } from './lifetime';

/** A Sandbox: its Pod, its network, its lifetime. */
export interface SandboxProps extends AgentSandboxObjectProps, SandboxPodProps {
  /**
   * What the sandbox may talk to. The controller keeps no policy for a Sandbox without a template, so this construct
   * brings a NetworkPolicy of its own.
   *
   * @default SandboxNetwork.routerOnly()
   */
  readonly network?: SandboxNetwork;

  /**
   * When the sandbox ends.
   *
   * @default - never
   */
  readonly lifetime?: Lifetime;

  /**
   * Whether the sandbox is suspended: its Pod is gone, its volumes stay.
   *
   * @default - not emitted: sandboxes start running, and a suspension by hand is kept
   */
  readonly suspended?: boolean;
}

/** Prefix of the NetworkPolicy that a Sandbox brings along. */
const NETWORK_POLICY_PREFIX = 'sandbox-';

/**
 * An isolated, stateful workspace: one Pod with a stable name, storage that survives it, pause and resume, and expiry.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class Sandbox extends Construct {
  /** Name of the object, of its Pod, and of its Service. */
  public readonly name: string;

  /** Namespace of the object; undefined where it is chosen when the manifest is applied. */
  public readonly namespace?: string;

  /** What keeps the containers apart from the node. */
  public readonly isolation: Isolation;

  /** What the sandbox may talk to. */
  public readonly network: SandboxNetwork;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id, and the name of the object unless `name` is set
   * @param props the sandbox
   */
  constructor(scope: Construct, id: string, props: SandboxProps) {
    super(...placed('Sandbox', scope, id));
    checkProps(this.node.path, 'SandboxProps', props);
    const identity = identityOf(this, id, props);
    this.name = identity.name;
    this.namespace = identity.namespace;
    this.isolation = props.isolation;
    this.network = props.network ?? SandboxNetwork.routerOnly();

    const problems = Problems.of(this.node.path);
    checkObject(problems, identity, props);
    const blueprint = renderBlueprint(problems, props);
    checkHostNetwork(problems, props, this.network._managed);
    if (this.network._managed && !this.network._rules()) {
      problems.add('network', 'controllerDefault', 'the controller keeps no policy for a Sandbox without a template: use another preset, such as SandboxNetwork.publicInternet()');
    }
    checkSandboxName(problems, 'name', this.name, blueprint);
    if (this.network._managed && this.name.length <= 253 && this.name.length + NETWORK_POLICY_PREFIX.length > 253) {
      problems.add('name', this.name, `its NetworkPolicy is named '${NETWORK_POLICY_PREFIX}' and this name: use at most ${253 - NETWORK_POLICY_PREFIX.length} characters`);
    }
    const lifetime = props.lifetime?._forSandbox(problems);
    problems.throwIfAny();

    const spec: l1.SandboxSpec = { ...blueprint, ...lifetime, ...operatingMode(props) };
    const resource = props.apiVersion === AgentSandboxVersion.V1ALPHA1
      ? new l1.SandboxV1Alpha1(this, 'Resource', { metadata: objectMetadata(identity, props), spec })
      : new l1.Sandbox(this, 'Resource', { metadata: objectMetadata(identity, props), spec });
    if (this.network._managed) {
      const policy = new ApiObject(this, 'NetworkPolicy', {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: `${NETWORK_POLICY_PREFIX}${this.name}`, namespace: this.namespace },
        spec: this.network._networkPolicySpec({ [LABEL.sandboxNameHash]: nameHash(this.name) }),
      });
      // Policy first: the Pod must never run without it.
      resource.addDependency(policy);
    }
    checkTreeAtSynth(this);
  }
}

function operatingMode(props: SandboxProps): Pick<l1.SandboxSpec, 'operatingMode' | 'replicas'> {
  if (props.suspended === undefined) {
    return {};
  }
  return props.apiVersion === AgentSandboxVersion.V1ALPHA1
    ? { replicas: props.suspended ? 0 : 1 }
    : { operatingMode: props.suspended ? l1.SandboxSpecOperatingMode.SUSPENDED : l1.SandboxSpecOperatingMode.RUNNING };
}

/**
 * Names that are derived from a Sandbox's name: of the Service, and of the PersistentVolumeClaims.
 *
 * @internal
 */
export function checkSandboxName(
  problems: Problems, prop: string, name: string,
  blueprint: { readonly service?: boolean; readonly volumeClaimTemplates?: readonly l1.VolumeClaimTemplate[] },
): void {
  if (blueprint.service === true && dns1035Label(name) !== undefined) {
    problems.add(prop, name, `the Service takes this name: ${dns1035Label(name)}`);
  }
  for (const template of blueprint.volumeClaimTemplates ?? []) {
    const claim = `${template.metadata?.name}-${name}`;
    if (claim.length > 253) {
      problems.add(prop, name, `its PersistentVolumeClaim '${claim}' would have ${claim.length} characters, 253 are allowed: shorten it or the volume's name`);
    }
  }
}
