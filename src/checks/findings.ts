import { ApiObject } from 'cdk8s';
import type { Construct, IConstruct } from 'constructs';
import { beginHandover, endHandover } from './renderings';
import { quoteForAllReaders } from './yaml';

const REGISTERED = Symbol.for('cdk8s-agent-sandbox.findings');

/** What is wrong in a tree, one line each. */
type TreeCheck = (root: IConstruct) => readonly string[];

let treeCheck: TreeCheck = () => [];

/** Sets what is checked when a tree is synthesized. @internal */
export function setTreeCheck(check: TreeCheck): void {
  treeCheck = check;
}

/**
 * Has the tree of a construct checked, once, for what only shows between objects: when it is synthesized.
 *
 * @internal
 */
export function checkTreeAtSynth(construct: Construct): void {
  const root = construct.node.root as IConstruct & { [REGISTERED]?: boolean };
  if (!root[REGISTERED]) {
    root[REGISTERED] = true;
    quoteForAllReaders();
    let state: readonly unknown[] = [];
    let lines: readonly string[] = [];
    let isSynthesis = false;
    let isKnown = false;
    root.node.addValidation({
      // cdk8s validates the whole app once more for each of its charts. The findings hold for the whole of a synthesis of the app, and
      // otherwise as long as the tree has the same objects with the same patches.
      validate: () => {
        if (!isKnown && !isUnchanged(root, state)) {
          state = stateOf(root);
          if (isSynthesis) {
            beginHandover(root);
          }
          lines = treeCheck(root);
        }
        isKnown = isSynthesis;
        return [...lines];
      },
    });
    for (const method of ['synth', 'synthYaml'] as const) {
      duringSynthesis(root, method, () => { isSynthesis = true; }, () => {
        isSynthesis = isKnown = false;
        endHandover();
      });
    }
  }
}

/** Has a method of the app say when it begins and ends. */
function duringSynthesis(root: IConstruct, method: 'synth' | 'synthYaml', begin: () => void, end: () => void): void {
  const app = root as unknown as Record<string, unknown>;
  const original = app[method];
  if (typeof original === 'function') {
    app[method] = (...given: unknown[]) => {
      begin();
      try {
        return original.apply(root, given);
      } finally {
        end();
      }
    };
  }
}

function stateOf(root: IConstruct): unknown[] {
  return root.node.findAll().filter((each): each is ApiObject => ApiObject.isApiObject(each)).flatMap(object => [object, patches(object)]);
}

/** Whether the tree is in this state. Makes no list: with many charts it is called often. */
function isUnchanged(root: IConstruct, state: readonly unknown[]): boolean {
  let next = 0;
  const isNext = (object: ApiObject) => object === state[next++] && patches(object) === state[next++];
  const visit = (construct: IConstruct): boolean =>
    (!ApiObject.isApiObject(construct) || isNext(construct)) && construct.node.children.every(visit);
  return visit(root) && next === state.length && next > 0;
}

/** How many patches an object has. Ours keep them apart from those of cdk8s. */
function patches(object: ApiObject): number {
  const lists = object as unknown as { readonly [list: string]: readonly unknown[] | undefined };
  return (lists.patches?.length ?? 0) + (lists.operations?.length ?? 0);
}
