import { ApiObject } from 'cdk8s';
import { Construct, IConstruct } from 'constructs';
import { EXTENSIONS_GROUP, GROUP, nameHash, NETWORK_POLICY_SUFFIX } from '../generated/vocabulary.gen';
import { describe } from './problems';

const REGISTERED = Symbol.for('cdk8s-agent-sandbox.findings');
/** Kinds whose names end up, as 32-bit hashes, in labels that select Pods, and whose names these are then. */
const HASHED: Readonly<Record<string, string>> = {
  Sandbox: 'Sandbox', SandboxClaim: 'Sandbox', SandboxTemplate: 'SandboxTemplate', SandboxWarmPool: 'SandboxWarmPool',
};

/**
 * Has the tree of a construct checked, once, for what only shows between objects: when it is synthesized.
 *
 * @internal
 */
export function checkTreeAtSynth(construct: Construct): void {
  const root = construct.node.root as IConstruct & { [REGISTERED]?: boolean };
  if (!root[REGISTERED]) {
    root[REGISTERED] = true;
    let objects: readonly ApiObject[] = [];
    let lines: readonly string[] = [];
    root.node.addValidation({
      // cdk8s validates the whole app once more for each of its charts. What is compared never changes in an object, so
      // the findings hold as long as the tree has the same ones.
      validate: () => {
        if (!hasObjects(root, objects)) {
          objects = root.node.findAll().filter((construct): construct is ApiObject => ApiObject.isApiObject(construct));
          lines = findings(objects);
        }
        return [...lines];
      },
    });
  }
}

/** Whether the objects of a tree are these, in this order. Makes no list of them: with many charts it is called often. */
function hasObjects(root: IConstruct, objects: readonly ApiObject[]): boolean {
  let next = 0;
  const visit = (construct: IConstruct): boolean =>
    (!ApiObject.isApiObject(construct) || construct === objects[next++]) && construct.node.children.every(visit);
  return visit(root) && next === objects.length;
}

/** All findings between objects, in their order. */
function findings(objects: readonly ApiObject[]): string[] {
  const lines: string[] = [];
  const byName = new Map<string, ApiObject>();
  const byHash = new Map<string, ApiObject>();
  for (const object of objects) {
    const key = `${object.apiGroup}/${object.kind} ${namespaceOf(object)}/${object.name}`;
    const twin = byName.get(key);
    if (twin && (isOurs(object) || object.kind === 'NetworkPolicy')) {
      lines.push(describe(object.node.path, 'name', object.name, `${twin.node.path} is a ${object.kind} of this name in the same namespace: rename one`));
    }
    byName.set(key, twin ?? object);
    const hashed = isOurs(object) ? HASHED[object.kind] : undefined;
    if (hashed) {
      const hashKey = `${hashed} ${namespaceOf(object)}/${nameHash(object.name)}`;
      const other = byHash.get(hashKey);
      if (other && other.name !== object.name) {
        lines.push(describe(object.node.path, 'name', object.name,
          `its hash ${nameHash(object.name)} is also that of '${other.name}' (${other.node.path}), and labels could not tell their Pods apart: rename one`));
      } else if (other && other.kind !== object.kind) {
        lines.push(describe(object.node.path, 'name', object.name,
          `a Sandbox made for a claim has the name of the claim, and ${other.node.path} is a ${other.kind} of this name: rename one`));
      }
      byHash.set(hashKey, other ?? object);
    }
  }
  for (const template of objects.filter(object => isOurs(object) && object.kind === 'SandboxTemplate')) {
    const policy = byName.get(`networking.k8s.io/NetworkPolicy ${namespaceOf(template)}/${template.name}${NETWORK_POLICY_SUFFIX}`);
    if (policy) {
      lines.push(describe(policy.node.path, 'name', policy.name,
        `the controller keeps a NetworkPolicy of this name for the SandboxTemplate ${template.node.path}: rename one`));
    }
  }
  return lines;
}

/** The namespace as far as it is known: one that is chosen when the manifest is applied can differ from chart to chart. */
function namespaceOf(object: ApiObject): string {
  return object.metadata.namespace ?? `(${object.chart.node.path})`;
}

function isOurs(object: ApiObject): boolean {
  return object.apiGroup === GROUP || object.apiGroup === EXTENSIONS_GROUP;
}
