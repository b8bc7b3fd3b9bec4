import { lazily } from '../../checks';
import { AddressSet, destinations as allDestinations, type NamedDestination, type NetworkMatrixRow } from '../../policy';
import { addressClasses } from '../address-classes';
import { escaped } from '../reports';

/** Destinations in the cluster, and the classes of all others. */
const CLUSTER: ReadonlyArray<readonly [id: string, name: string, isSensitive: boolean]> = [
  ['cluster-dns', 'cluster DNS', false], ['api-server', 'API server', true], ['kubelet', 'kubelets', true],
  ['pods-of-own-namespace', 'Pods, own namespace', false], ['pods-of-other-namespaces', 'Pods, other namespaces', true],
];
const CLASSES: ReadonlyArray<readonly [id: string, name: string, isSensitive: boolean]> = [
  ['metadata', 'metadata servers', true], ['private', 'private', true], ['link-local', 'link-local', true], ['shared', 'shared', true],
  ['loopback', 'loopback', true], ['translation', 'translation to IPv4', true], ['reserved', 'reserved', false], ['public', 'public internet', false],
];
const PUBLIC = lazily(() => addressClasses().filter(({ name }) => name.startsWith('public')).reduce((all, { set }) => all.union(set), AddressSet.EMPTY));

/** Whether sandboxes have no business there. One cloud has a metadata server on the public internet, which answers its own machines only. */
function isSensitive({ class: group, cidr }: NamedDestination): boolean {
  return CLASSES.find(([id]) => id === group)![2] && !PUBLIC().contains(AddressSet.of(cidr));
}

/** Sandboxes in the table of all destinations. */
const MOST_COLUMNS = 24;
const SYMBOLS: Readonly<Record<string, string>> = { allowed: '✓', denied: '–', unknown: '?' };

/** What sandboxes reach: in classes, and each destination. @internal */
export function matrixOf(rows: readonly NetworkMatrixRow[], isLeftOut: number): string {
  const heads = [...CLUSTER, ...CLASSES].map(([, name]) => `<th scope="col">${name}</th>`).join('');
  const body = rows.map(row => `<tr data-find><th scope="row">${nameOf(row)}</th>${CLUSTER.map(each => single(row, each)).join('')}${CLASSES.map(each => grouped(row, each)).join('')}</tr>`);
  return `<div class="panel"><div class="scroll"><table class="matrix live"><thead><tr><th scope="col">from</th>${heads}</tr></thead><tbody>${body.join('')}</tbody></table></div>
<p class="said mono" id="said" aria-live="polite"></p>
<ul class="legend"><li>– denied</li><li>✓ allowed</li><li>? not known from the manifests</li><li>2/5 that many of the destinations of a class</li><li>arrow keys move, and say which</li></ul>
${isLeftOut > 0 ? `<p class="soft">${isLeftOut} more sandboxes are left out of the table; <code>agent-sandbox network</code> answers for them.</p>` : ''}${detailed(rows)}</div>`;
}

function nameOf({ sandbox }: NetworkMatrixRow): string {
  const [kind, name] = sandbox.split(' ');
  return `${escaped(name ?? kind)}`;
}

function cell(row: NetworkMatrixRow, name: string, answer: string, text: string, isSensitive: boolean, more = ''): string {
  const tone = answer === 'denied' ? 'd' : answer === 'unknown' ? 'u' : isSensitive ? 'r' : 'a';
  return `<td class="${tone}" data-say="${escaped(`${row.sandbox} to ${name}: ${answer}${more}`)}"><span class="c" aria-label="${answer}">${text}</span></td>`;
}

function single(row: NetworkMatrixRow, [id, name, isSensitive]: readonly [string, string, boolean]): string {
  const answer = row.cells[id] ?? 'unknown';
  return cell(row, name, answer, SYMBOLS[answer] ?? '?', isSensitive);
}

function grouped(row: NetworkMatrixRow, [id, name]: readonly [string, string, boolean]): string {
  const destinations = allDestinations().filter(each => each.class === id);
  const open = destinations.filter(each => row.cells[each.name] === 'allowed');
  const unknown = destinations.filter(each => row.cells[each.name] === 'unknown');
  const answer = open.length > 0 ? 'allowed' : unknown.length > 0 ? 'unknown' : 'denied';
  const part = open.length > 0 && open.length < destinations.length;
  const list = (open.length > 0 ? open : unknown).map(each => each.name);
  return cell(row, name, answer, part ? `${open.length}/${destinations.length}` : SYMBOLS[answer], open.some(isSensitive), part ? `: ${list.join(', ')}` : '');
}

function detailed(rows: readonly NetworkMatrixRow[]): string {
  if (rows.length === 0 || rows.length > MOST_COLUMNS) {
    return '';
  }
  const lines = allDestinations().map(destination => ({ ...destination, sensitive: isSensitive(destination) })).map(({ name, description, cidr, port, sensitive }) => `<tr><th scope="row">${name}<br><small class="soft">${escaped(description)}, <code>${cidr}</code>, port ${port}</small></th>${rows.map(row => {
    const answer = row.cells[name];
    return `<td class="${answer === 'denied' ? 'd' : answer === 'unknown' ? 'u' : sensitive ? 'r' : 'a'}"><span class="c" aria-label="${answer}">${SYMBOLS[answer]}</span></td>`;
  }).join('')}</tr>`);
  return `<details><summary>All ${allDestinations().length} destinations</summary><div class="scroll"><table class="matrix"><thead><tr><th scope="col">to</th>${rows.map(row => `<th scope="col">${nameOf(row)}</th>`).join('')}</tr></thead><tbody>${lines.join('')}</tbody></table></div></details>`;
}
