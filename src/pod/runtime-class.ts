import { Construct } from 'constructs';
import { checkProps, checkTreeAtSynth, cpu, dnsLabel, memory, placed, Problems } from '../checks';
import { checkObject, ClusterScopedObject, type ObjectMetadataProps } from '../objects';
import type { Isolation } from './isolation';

/** What a Pod of a runtime class costs beyond its containers: the virtual machine, or the user-space kernel. */
export interface RuntimeClassOverhead {
  /**
   * CPU, as a quantity: `'250m'`.
   *
   * @default - none
   */
  readonly cpu?: string;

  /**
   * Memory, as a quantity: `'160Mi'`.
   *
   * @default - none
   */
  readonly memory?: string;
}

/** A RuntimeClass for an isolation. */
export interface SandboxRuntimeClassProps extends ObjectMetadataProps {
  /** The isolation to provide: it gives name, handler, node selector and tolerations. */
  readonly isolation: Isolation;

  /**
   * Name of the object.
   *
   * @default - the runtime class name of the isolation, which is what Pods of this isolation ask for
   */
  readonly name?: string;

  /**
   * Name of the runtime in the node's configuration of containerd or CRI-O: a DNS label. It cannot be changed later.
   *
   * @default - `runsc` for gVisor, `kata-qemu`, `kata-clh` or `kata-fc` for Kata; other isolations have none
   */
  readonly handler?: string;

  /**
   * What a Pod costs beyond its containers. The scheduler and quotas count it.
   *
   * @default - none
   */
  readonly overhead?: RuntimeClassOverhead;
}

/**
 * A RuntimeClass (`node.k8s.io/v1`): makes an isolation known to the cluster, says what it costs and which nodes have
 * it. It has no namespace, also in a chart that has one. The runtime itself has to be on the nodes already.
 *
 * Managed clusters bring the RuntimeClasses of `Isolation.gkeSandbox()` and `Isolation.kataMshv()` themselves.
 *
 * @throws if a prop is not well-formed; the error names every such prop, its value and the remedy
 */
export class SandboxRuntimeClass extends Construct {
  /** Name of the object. */
  public readonly name: string;

  /** The isolation that asks for this RuntimeClass by its name: give it to templates and Sandboxes. */
  public readonly isolation: Isolation;

  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id
   * @param props the runtime class
   */
  public constructor(scope: Construct, id: string, props: SandboxRuntimeClassProps) {
    super(...placed('SandboxRuntimeClass', scope, id));
    checkProps(this.node.path, 'SandboxRuntimeClassProps', props);
    const { isolation, overhead } = props;
    const handler = props.handler ?? isolation._handler;
    this.name = props.name ?? isolation.runtimeClassName ?? id;

    const problems = Problems.of(this.node.path);
    checkObject(problems, { name: this.name }, { ...props, name: this.name });
    if (isolation.runtimeClassName === undefined) {
      problems.add('isolation', isolation.description, isolation._noHandler!);
    } else if (handler === undefined) {
      problems.add('handler', undefined, isolation._noHandler!);
    }
    problems.check('handler', handler, dnsLabel);
    problems.check('overhead.cpu', overhead?.cpu, cpu);
    problems.check('overhead.memory', overhead?.memory, memory);
    if (overhead && overhead.cpu === undefined && overhead.memory === undefined) {
      problems.add('overhead', overhead, 'name cpu, memory or both, or leave it out');
    }
    problems.throwIfAny();

    this.isolation = isolation._named(this.name);
    const { nodeSelector, tolerations } = isolation;
    new ClusterScopedObject(this, 'Resource', {
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: this.name, labels: props.labels, annotations: props.annotations },
      handler,
      overhead: overhead && { podFixed: { cpu: overhead.cpu, memory: overhead.memory } },
      scheduling: nodeSelector || tolerations ? { nodeSelector, tolerations } : undefined,
    });
    checkTreeAtSynth(this);
  }
}
