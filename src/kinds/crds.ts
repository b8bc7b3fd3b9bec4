import { Construct } from 'constructs';
import { checkProps, checkTreeAtSynth, placed, Problems } from '../checks';
import { checkKeys, checkLabels, ClusterScopedObject, crds } from '../objects';

/** Labels and annotations of the CustomResourceDefinitions. */
export interface AgentSandboxCrdsProps {
  /**
   * Labels of each definition.
   *
   * @default - the labels of the chart
   */
  readonly labels?: { [key: string]: string };

  /**
   * Annotations of each definition, such as those that keep it when whatever installed it is removed.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };
}

/**
 * The four CustomResourceDefinitions of the Agent Sandbox API, as in the folder `chart/files/crds` of this package. They have no
 * namespace, also in a chart that has one.
 *
 * Its children are named by kind (`Sandbox`, `SandboxTemplate`, `SandboxClaim`, `SandboxWarmPool`), so
 * `ApiObject.of(crds.node.findChild('Sandbox')).addJsonPatch(…)` patches one of them.
 *
 * Deleting a definition deletes every object of its kind, and with the Sandboxes their volumes. Keep them with
 * annotations such as `helm.sh/resource-policy: keep` or `argocd.argoproj.io/sync-options: Prune=false`. With kubectl,
 * apply them `--server-side`. Over definitions of the original, which have a conversion webhook, a server-side apply is
 * refused until that is taken out: see the guide on GitOps.
 *
 * @throws if a label or annotation is not well-formed
 */
export class AgentSandboxCrds extends Construct {
  /**
   * @param scope the scope in which to define this construct
   * @param id the construct's id
   * @param props labels and annotations of the definitions
   */
  public constructor(scope: Construct, id: string, props: AgentSandboxCrdsProps = {}) {
    super(...placed('AgentSandboxCrds', scope, id));
    checkProps(this.node.path, 'AgentSandboxCrdsProps', props);
    const problems = Problems.of(this.node.path);
    checkLabels(problems, 'labels', props.labels);
    checkKeys(problems, 'annotations', props.annotations);
    problems.throwIfAny();

    for (const definition of crds()) {
      new ClusterScopedObject(this, definition.spec.names.kind, {
        ...definition,
        metadata: { ...definition.metadata, labels: props.labels, annotations: props.annotations },
      });
    }
    checkTreeAtSynth(this);
  }
}
