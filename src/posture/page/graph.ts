import { escaped } from '../reports';
import type { TreeNode } from '../tree';

const [WIDTH, HEIGHT, GAP_X, GAP_Y, TOP] = [214, 44, 64, 12, 28];
const COLUMNS = ['tenant', 'template, or Sandbox', 'pool', 'claims'];
/** Letters of a name in a box. */
const MOST_LETTERS = 27;

/** Where an object is on the page, and how it is. @internal */
export interface GraphTarget {
  readonly id: string;
  readonly concern: string;
}

/** Tenant, template, pool and claims as SVG. @internal */
export function graphOf(roots: readonly TreeNode[], targetOf: (object: string) => GraphTarget | undefined): string {
  const boxes: string[] = [];
  const edges: string[] = [];
  let row = 0;
  const place = (node: TreeNode): number => {
    // Before those of its children, so that Tab goes from tenant to claim.
    const index = boxes.push('') - 1;
    const ys = node.children.map(place);
    const y = ys.length > 0 ? (ys[0] + ys[ys.length - 1]) / 2 : TOP + (HEIGHT + GAP_Y) * row++;
    const x = leftOf(node.depth);
    boxes[index] = boxOf(node, targetOf(node.object), x, y);
    node.children.forEach((child, at) => {
      const [x1, y1, x2, y2] = [x + WIDTH, y + HEIGHT / 2, leftOf(child.depth), ys[at] + HEIGHT / 2];
      edges.push(`<path class="edge" d="M${x1} ${y1}C${x1 + GAP_X / 2} ${y1} ${x2 - GAP_X / 2} ${y2} ${x2} ${y2}"/>`);
    });
    return y;
  };
  roots.forEach(place);
  const width = leftOf(COLUMNS.length - 1) + WIDTH + 4;
  const height = TOP + Math.max(1, row) * (HEIGHT + GAP_Y);
  const heads = COLUMNS.map((name, index) => `<text class="head" x="${leftOf(index)}" y="14">${name}</text>`);
  return `<svg width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="group" aria-label="Tenants, templates, pools and claims">`
    + `${heads.join('')}${edges.join('')}${boxes.join('')}</svg>`;
}

function leftOf(column: number): number {
  return 4 + column * (WIDTH + GAP_X);
}

function boxOf({ kind, name }: TreeNode, target: GraphTarget | undefined, x: number, y: number): string {
  const short = name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS - 1)}…` : name;
  const inner = `<title>${escaped(name)}</title><rect class="box" x="${x}" y="${y}" width="${WIDTH}" height="${HEIGHT}" rx="8"/>`
    + `<rect class="bar ${target?.concern ?? 'plain'}" x="${x}" y="${y + 8}" width="4" height="${HEIGHT - 16}" rx="2"/>`
    + `<text class="kind" x="${x + 14}" y="${y + 16}">${escaped(kind)}</text><text x="${x + 14}" y="${y + 33}">${escaped(short)}</text>`;
  const label = `${kind} ${name}, ${target?.concern === 'none' ? 'no concern' : target?.concern}`;
  return target ? `<a href="#${target.id}" aria-label="${escaped(label)}">${inner}</a>` : `<g>${inner}</g>`;
}
