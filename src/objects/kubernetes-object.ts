import { ApiObject, type ApiObjectProps, Chart } from 'cdk8s';
import type { Construct } from 'constructs';

/** Labels and annotations of an object that stands beside the Agent Sandbox API. */
export interface ObjectMetadataProps {
  /**
   * Labels of the object.
   *
   * @default - the labels of the chart
   */
  readonly labels?: { [key: string]: string };

  /**
   * Annotations of the object.
   *
   * @default - none
   */
  readonly annotations?: { [key: string]: string };
}

/**
 * An object without a namespace, also in a chart that has one: cdk8s would write the chart's namespace into it.
 *
 * @internal
 */
export class ClusterScopedObject extends ApiObject {
  public constructor(scope: Construct, id: string, props: ApiObjectProps) {
    super(scope, id, props);
    // Here and not in toJson, so that all readers of the metadata get the same answer, like the search for duplicate names.
    Object.assign(this.metadata, { namespace: undefined });
  }
}

/**
 * Writes an object after that of another construct, if both are in one chart. A dependency between charts would have cdk8s number the files
 * of all charts, so that a new chart renames the files of others, and would cost it a walk through the app for each of them. Controllers
 * wait for what is applied later.
 *
 * @internal
 */
export function writeAfter(object: ApiObject, other: Construct): void {
  if (Chart.of(object) === Chart.of(other)) {
    object.addDependency(ApiObject.of(other));
  }
}
