import { printable } from '../checks';
import type { PlacedManifest } from '../policy';
import { treeOf, type TreeNode } from '../posture';

/** The graph from tenant to claim in a format. @internal */
export function graph(objects: readonly PlacedManifest[], format: string): string {
  const roots = treeOf(objects);
  switch (format) {
    case 'json': return JSON.stringify(roots, undefined, 2);
    case 'mermaid': return mermaid(roots);
    default: return roots.flatMap(root => lines(root, '', '')).join('\n') || 'no objects of the Agent Sandbox API';
  }
}

function lines({ kind, name, children }: TreeNode, first: string, rest: string): string[] {
  return [`${first}${kind} ${printable(name)}`, ...children.flatMap((child, index) => {
    const isLast = index === children.length - 1;
    return lines(child, `${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`);
  })];
}

/** A flow chart as many forges show it in Markdown. */
function mermaid(roots: readonly TreeNode[]): string {
  const result = ['flowchart LR'];
  let next = 0;
  const visit = ({ kind, name, children }: TreeNode): string => {
    const id = `n${next++}`;
    // Quotes and brackets end a label; numeric entities are text in all of them.
    result.push(`  ${id}["${kind} ${printable(name).replace(/[^\w .:/-]/gu, character => `#${character.codePointAt(0)};`)}"]`);
    children.map(visit).forEach(child => result.push(`  ${id} --> ${child}`));
    return id;
  };
  roots.forEach(visit);
  return result.join('\n');
}
