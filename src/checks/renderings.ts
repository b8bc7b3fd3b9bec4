import { type ApiObject, Chart } from 'cdk8s';
import type { IConstruct } from 'constructs';

/** The app that is synthesized, and its objects that the findings have rendered for their charts to write. */
let handover: { readonly root: IConstruct; readonly objects: ApiObject[] } | undefined;

/**
 * Lets the charts of an app write what the findings render, so that no object is rendered twice in a synthesis. Not if something
 * could change objects in between: validations run after the findings, and a chart may have a `toJson` of its own.
 *
 * @internal
 */
export function beginHandover(root: IConstruct): void {
  endHandover();
  handover = couldChange(root, 1) ? undefined : { root, objects: [] };
}

/** Lets objects render themselves again. @internal */
export function endHandover(): void {
  handover?.objects.forEach(object => Reflect.deleteProperty(object, 'toJson'));
  handover = undefined;
}

/** The manifest of an object, for reading. @internal */
export function render(object: ApiObject): any {
  const manifest = object.toJson();
  if (handover && object.node.root === handover.root) {
    handover.objects.push(object);
    Object.defineProperty(object, 'toJson', {
      configurable: true,
      value: () => {
        Reflect.deleteProperty(object, 'toJson');
        return manifest;
      },
    });
  }
  return manifest;
}

/** Whether something in a tree runs between the findings and the charts: validations other than ours at the root, and charts of a class of their own. */
function couldChange(construct: IConstruct, ownValidations: number): boolean {
  const { _validations: validations } = construct.node as unknown as { readonly _validations?: readonly unknown[] };
  return (validations !== undefined && validations.length > ownValidations)
    || (Chart.isChart(construct) && construct.toJson !== Chart.prototype.toJson)
    || construct.node.children.some(child => couldChange(child, 0));
}
