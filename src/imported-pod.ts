import { ApiObject } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import * as l1 from '../imports';
import { Isolation } from './isolation';
import { checkPodSecurity, containerSecurityContext, podSecurityContext } from './pod-security';
import { Problems } from './problems';
import { Relaxation } from './relaxation';
import { RESERVED_PREFIXES } from './vocabulary.gen';

/** Label that cdk8s-plus selects its own Pods by; it differs for every construct path. */
const ADDRESS_LABEL = 'cdk8s.io/metadata.addr';

/**
 * A Pod of cdk8s-plus as the Pod of a template: its manifest, read at synthesis, with the defaults of templates where
 * it is silent. The manifest has wire names, which the L1 passes through as they are.
 *
 * @internal
 */
export class ImportedPod {
  /** Takes the Pod out of its tree, so that it is not emitted. */
  public constructor(private readonly pod: kplus.Pod, private readonly isolation: Isolation, private readonly relaxations: readonly Relaxation[]) {
    pod.node.scope!.node.tryRemoveChild(pod.node.id);
  }

  public podTemplate(): unknown {
    return this.render(Problems.of(''));
  }

  /** What is wrong with the Pod, one line each. */
  public problems(): string[] {
    const problems = Problems.of('');
    this.render(problems);
    return problems.all();
  }

  private render(problems: Problems): unknown {
    const manifest = ApiObject.of(this.pod).toJson();
    const labels = Object.fromEntries(Object.entries(manifest.metadata.labels ?? {}).filter(([key]) => key !== ADDRESS_LABEL));
    for (const key of Object.keys({ ...labels, ...manifest.metadata.annotations })) {
      if (RESERVED_PREFIXES.some(prefix => key.startsWith(prefix))) {
        problems.add('metadata of the Pod', key, 'the controller drops keys of this prefix from Pods: use a prefix of your own');
      }
    }
    const metadata = {
      labels: Object.keys(labels).length > 0 ? labels : undefined,
      annotations: manifest.metadata.annotations,
    };
    return { metadata: metadata.labels || metadata.annotations ? metadata : undefined, spec: this.spec(problems, manifest.spec) };
  }

  private spec(problems: Problems, wire: l1.PodSpec): l1.PodSpec {
    const windows = wire.os?.name === 'windows';
    const secured = <T extends l1.Container>(containers: readonly T[] | undefined): T[] | undefined => containers?.map(container =>
      ({ ...container, securityContext: containerSecurityContext(container.securityContext, this.relaxations, windows) }));
    const { nodeSelector, tolerations } = this.isolation;
    const spec: l1.PodSpec = {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...wire,
      runtimeClassName: this.isolation.runtimeClassName,
      containers: secured(wire.containers)!,
      initContainers: secured(wire.initContainers),
      securityContext: podSecurityContext(this.podContext(wire.securityContext), windows, undefined),
      nodeSelector: wire.nodeSelector || nodeSelector ? { ...wire.nodeSelector, ...nodeSelector } : undefined,
      tolerations: wire.tolerations || tolerations ? [...(wire.tolerations ?? []), ...(tolerations ?? [])] : undefined,
    };
    checkPodSecurity(problems, spec, this.relaxations, () => []);
    return spec;
  }

  private podContext(context: l1.PodSecurityContext | undefined): l1.PodSecurityContext | undefined {
    return this.relaxations.includes(Relaxation.RUN_AS_ROOT) ? { runAsNonRoot: false, ...context } : context;
  }
}
