import type { ControllerFlagProps } from './controller-flags.gen';
import type { ControllerImplementation } from './implementation';
import type { MonitoringProps } from './monitoring';
import type { RouterProps } from './router-props';
import type { InstalledProgramProps } from './workload';

/** Props of the installation. Only `image` is required. */
export interface AgentSandboxControllerProps extends InstalledProgramProps, ControllerFlagProps {
  /**
   * Namespace of the controller and the router.
   *
   * @default 'agent-sandbox-system', where the default network of templates expects the router
   */
  readonly namespace?: string;

  /**
   * Whether the Namespace is part of the chart. Removing what is applied then removes it, and all that is in it.
   *
   * @default true
   */
  readonly createNamespace?: boolean;

  /**
   * Name of the controller's objects.
   *
   * @default 'agent-sandbox-controller'
   */
  readonly name?: string;

  /**
   * Labels of all objects.
   *
   * @default - none besides `app.kubernetes.io/part-of`
   */
  readonly labels?: { [key: string]: string };

  /**
   * Whether the CustomResourceDefinitions are part of the chart.
   *
   * @default true
   */
  readonly crds?: boolean;

  /**
   * Annotations of the CustomResourceDefinitions, such as those that keep them when the rest is removed.
   *
   * @default - none
   */
  readonly crdAnnotations?: { [key: string]: string };

  /**
   * Whose controller `image` is.
   *
   * @default ControllerImplementation.BUNDLED
   */
  readonly implementation?: ControllerImplementation;

  /**
   * Domains of labels and annotations that claims may set on their Pods, in place of the controller's own list.
   *
   * @default - the controller's
   */
  readonly allowedLabelDomains?: string[];

  /**
   * Name of the Service of the controller's metrics.
   *
   * @default - the name of the controller
   */
  readonly metricsServiceName?: string;

  /**
   * Whether NetworkPolicies confine controller and router: metrics and requests in, the API server, sandboxes and, with
   * tracing, the collector of traces out.
   *
   * @default true
   */
  readonly networkPolicy?: boolean;

  /**
   * Namespaces that may fetch metrics.
   *
   * @default - all
   */
  readonly metricsNamespaces?: string[];

  /**
   * Ports of the API server, as the network policy sees them: not those of the Service `kubernetes`, but of what is
   * behind it.
   *
   * @default [443, 6443, 8443, 16443]
   */
  readonly apiServerPorts?: number[];

  /**
   * Objects for Prometheus and Grafana.
   *
   * @default - none
   */
  readonly monitoring?: MonitoringProps;

  /**
   * The router in front of the sandboxes.
   *
   * @default - none
   */
  readonly router?: RouterProps;

  /**
   * Whether there are the ClusterRoles `agent-sandbox-user` (claim sandboxes, run code in them), `agent-sandbox-view` and
   * `agent-sandbox-edit`. The last two become part of the roles `view`, `edit` and `admin` of Kubernetes. They do not include
   * running code in sandboxes.
   *
   * @default true
   */
  readonly userRoles?: boolean;

  /**
   * Whether everyone with the role `edit` or `admin` of Kubernetes in a namespace can run code in its sandboxes through the router: a
   * ClusterRole `agent-sandbox-connect` with `create` of `sandboxes/proxy` that becomes part of these roles. Needs `userRoles`.
   *
   * @default false
   */
  readonly editorsConnect?: boolean;
}
