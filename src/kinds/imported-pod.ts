import { ApiObject } from 'cdk8s';
import type * as l1 from '../../imports';
import { Problems } from '../checks';
import type { SandboxNetwork } from '../network';
import type { IPod } from '../objects';
import {
  checkHostNetwork, checkNamespacedReferences, checkPodMetadata, checkPodSecurity, containerSecurityContext, FS_GROUP, type Isolation,
  mergeNodeSelectors,
  mergeTolerations, podSecurityContext, Relaxation,
} from '../pod';

/** Label that cdk8s-plus selects its own Pods by; it differs for every construct path. */
const ADDRESS_LABEL = 'cdk8s.io/metadata.addr';

/** What a Pod does not say; see the props of templates. */
interface ImportedPodOptions {
  readonly isolation: Isolation;
  readonly relaxations?: readonly Relaxation[];
  readonly network?: SandboxNetwork;
  readonly service?: boolean;
  readonly claimableFrom?: readonly string[];
}

/**
 * A Pod of cdk8s-plus as the Pod of a template: its manifest, read at synthesis, with the defaults of templates where
 * it is silent. The manifest has wire names, which the L1 passes through as they are.
 *
 * @internal
 */
export class ImportedPod {
  private readonly relaxations: readonly Relaxation[];

  /** Takes the Pod out of its tree, so that it is not emitted. */
  public constructor(private readonly pod: IPod, private readonly options: ImportedPodOptions) {
    this.relaxations = options.relaxations ?? [];
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
    this.checkInside(problems);
    const labels = Object.fromEntries(Object.entries<string>(manifest.metadata.labels ?? {}).filter(([key]) => key !== ADDRESS_LABEL));
    checkPodMetadata(problems, 'metadata.labels', 'metadata.annotations', labels, manifest.metadata.annotations, () => this.relaxations);
    const metadata = {
      labels: Object.keys(labels).length > 0 ? labels : undefined,
      annotations: manifest.metadata.annotations,
    };
    return { metadata: metadata.labels || metadata.annotations ? metadata : undefined, spec: this.spec(problems, manifest.spec) };
  }

  /** Refuses ApiObjects below the Pod in the tree: they would be dropped silently. */
  private checkInside(problems: Problems): void {
    for (const object of this.pod.node.findAll()) {
      if (ApiObject.isApiObject(object) && object !== ApiObject.of(this.pod)) {
        problems.add('pod', object.node.path, object.kind === 'NetworkPolicy'
          ? 'a policy of the Pod does not reach its sandboxes: say in network what they may talk to, and leave connections and isolate out'
          : `a ${object.kind} inside of the Pod is not emitted: define it beside the Pod`);
      }
    }
  }

  private spec(problems: Problems, wire: l1.PodSpec): l1.PodSpec {
    const windows = wire.os?.name === 'windows';
    const secured = <T extends l1.Container>(containers: readonly T[] | undefined): T[] | undefined => containers?.map(container =>
      ({
        ...container,
        // cdk8s-plus leaves TCP out, and the API server would set it inside the list.
        ports: container.ports?.map(port => ({ protocol: 'TCP', ...port })),
        securityContext: containerSecurityContext(container.securityContext, this.relaxations, windows),
      }));
    const { isolation, network, service, claimableFrom } = this.options;
    const spec: l1.PodSpec = {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...wire,
      runtimeClassName: isolation.runtimeClassName,
      containers: secured(wire.containers)!,
      initContainers: secured(wire.initContainers),
      securityContext: podSecurityContext(this.podContext(wire.securityContext), windows, mountsPersistentVolumes(wire) ? FS_GROUP : undefined),
      nodeSelector: mergeNodeSelectors(problems, wire.nodeSelector, isolation),
      tolerations: mergeTolerations(wire.tolerations, isolation),
    };
    checkPodSecurity(problems, spec, this.relaxations);
    checkHostNetwork(problems, { hostNetwork: spec.hostNetwork, service }, network?._managed ?? true);
    checkNamespacedReferences(problems, claimableFrom, spec);
    return spec;
  }

  private podContext(context: l1.PodSecurityContext | undefined): l1.PodSecurityContext | undefined {
    return this.relaxations.includes(Relaxation.RUN_AS_ROOT) ? { runAsNonRoot: false, ...context } : context;
  }
}

function mountsPersistentVolumes(spec: l1.PodSpec): boolean {
  return (spec.volumes ?? []).some(volume => volume.persistentVolumeClaim !== undefined || volume.ephemeral !== undefined);
}
