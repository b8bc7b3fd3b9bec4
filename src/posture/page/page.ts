import { createHash } from 'node:crypto';
import { type Finding, FindingSeverity, tagsOf } from '../../findings';
import type { NetworkMatrixRow, PlacedManifest } from '../../policy';
import type { PostureDifference } from '../difference';
import { isOurs } from '../entries';
import { PostureConcern, type PostureEntry, type PostureFact } from '../fact';
import { escaped } from '../reports';
import { treeOf } from '../tree';
import { graphOf } from './graph';
import { matrixOf } from './matrix';
import { SCRIPT } from './script';
import { STYLE } from './style';

/** What is on the page. @internal */
export interface PageContent {
  readonly title: string;
  readonly manifests: readonly PlacedManifest[];
  readonly entries: readonly PostureEntry[];
  readonly findings: readonly Finding[];
  readonly matrix: readonly NetworkMatrixRow[];
  /** Sandboxes that the matrix leaves out. */
  readonly isLeftOut: number;
  /** Absent without a state to compare with. */
  readonly differences?: readonly PostureDifference[];
  readonly comparedWith?: string;
}

/** One page that asks for nothing outside of it. @internal */
export function pageOf(content: PageContent): string {
  const { title, entries, findings, differences, matrix, isLeftOut, manifests } = content;
  const ids = new Map(entries.map((entry, index) => [entry.object, { id: `o${index}`, concern: String(worst(entry)) }]));
  const graph = graphOf(treeOf(manifests), object => ids.get(object));
  const sections: ReadonlyArray<readonly [id: string, name: string, note: string, html: string]> = [
    ...(differences ? [['changes', 'Changes', `since ${content.comparedWith ?? 'before'}`, changesOf(differences, entries)] as const] : []),
    ['graph', 'Graph', 'from tenant to claim', `<div class="panel scroll">${graph}</div>`],
    ['sandboxes', 'Posture', 'what is true of each object', `<div class="cards">${entries.map((entry, index) => card(entry, `o${index}`)).join('')}</div>`],
    ['network', 'Network', 'what sandboxes reach', matrix.length === 0 ? '<p class="panel soft">No template and no Sandbox.</p>' : matrixOf(matrix, isLeftOut)],
    ['findings', 'Findings', '', findingsOf(findings)],
  ];
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header><h1>${escaped(title)}</h1><p class="soft">${escaped(counts(entries, manifests))}</p>${tilesOf(content)}</header>
<nav aria-label="Sections"><div>${sections.map(([id, name]) => `<a href="#${id}">${name}</a>`).join('')}<span class="end"><label><input type="checkbox" id="chosen"> only what is not default</label><label hidden><span id="count" aria-live="polite"></span><input type="search" id="search" placeholder="Filter, press /" aria-label="Filter objects"></label></span></div></nav>
<main id="main">
${sections.map(([id, name, note, html]) => `<section aria-labelledby="${id}"><h2 id="${id}">${name}${note ? ` <small>${escaped(note)}</small>` : ''}</h2>${html}</section>`).join('\n')}
</main>
<footer>Worked out from manifests by cdk8s-agent-sandbox. What is true holds for a network plugin that enforces NetworkPolicies as specified.</footer>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function worst({ facts }: PostureEntry): PostureConcern {
  return [PostureConcern.RISK, PostureConcern.NOTICE].find(each => facts.some(({ concern }) => concern === each)) ?? PostureConcern.NONE;
}

function counts(entries: readonly PostureEntry[], manifests: readonly PlacedManifest[]): string {
  const of = (kind: string) => entries.filter(({ object }) => object.startsWith(`${kind} `)).length;
  const claims = manifests.filter(({ manifest }) => manifest.kind === 'SandboxClaim' && isOurs(manifest)).length;
  const words: ReadonlyArray<readonly [number, string, string]> = [
    [of('Tenant'), 'tenant', 'tenants'], [of('SandboxTemplate'), 'template', 'templates'], [of('SandboxWarmPool'), 'pool', 'pools'],
    [of('Sandbox'), 'Sandbox without a template', 'Sandboxes without a template'], [claims, 'claim', 'claims'],
  ];
  return words.filter(([count]) => count > 0).map(([count, one, many]) => `${count} ${count === 1 ? one : many}`).join(' · ') || 'no objects of the Agent Sandbox API';
}

function tilesOf({ entries, findings }: PageContent): string {
  const pods = entries.filter(({ object }) => /^Sandbox(Template)? /.test(object));
  const fact = ({ facts }: PostureEntry, topic: string): PostureFact | undefined => facts.find(each => each.topic === topic);
  const without = (topic: string, concern: PostureConcern) => pods.filter(entry => fact(entry, topic)?.concern === concern).length;
  const share = (topic: string, words: string) => {
    const [risks, notices] = [without(topic, PostureConcern.RISK), without(topic, PostureConcern.NOTICE)];
    return [`${pods.length - risks - notices}<span> of ${pods.length}</span>`, words, risks > 0 ? 'risk' : notices > 0 ? 'notice' : ''];
  };
  const errors = findings.filter(({ severity }) => severity === FindingSeverity.ERROR).length;
  const tiles = [
    share('isolation', 'isolated from the kernel of the node'), share('pod-security', 'meet the restricted standard'), share('token', 'without a token'),
    share('reaches', 'reach nothing outside of the cluster'), share('images', 'with images pinned by digest'),
    [`${errors}<span> + ${findings.length - errors}</span>`, 'errors and warnings', errors > 0 ? 'risk' : findings.length > 0 ? 'notice' : ''],
  ];
  return `<ul class="tiles">${tiles.map(([number, words, tone]) => `<li class="${tone}"><b>${number}</b><small>${words}</small></li>`).join('')}</ul>`;
}

function tag(concern: PostureConcern): string {
  return concern === PostureConcern.NONE ? '' : `<span class="tag ${concern}">${concern}</span>`;
}

function card(entry: PostureEntry, id: string): string {
  const [kind, ...name] = entry.object.split(' ');
  const rows = entry.facts.map(({ topic, items, isDefault, concern }) => `<div${isDefault ? ' class="default"' : ''}><dt>${topic}</dt><dd>${
    items.map((item, index) => `<p>${escaped(item)}${index > 0 ? '' : `${isDefault ? '<span class="tag">default</span>' : ''}${tag(concern)}`}</p>`).join('')}</dd></div>`);
  return `<article id="${id}" class="${worst(entry)}" tabindex="-1" data-find><h3><span>${escaped(kind)}</span> ${escaped(name.join(' '))}</h3><p class="place mono">${escaped(entry.place)}</p><dl>${rows.join('')}</dl></article>`;
}

function changesOf(differences: readonly PostureDifference[], entries: readonly PostureEntry[]): string {
  if (differences.length === 0) {
    return '<p class="panel">Nothing has changed: the posture is the same.</p>';
  }
  const byObject = new Map(entries.map(entry => [entry.object, entry]));
  const line = (mark: string, tone: string, element: string, topic: string | undefined, item: string, note = '') =>
    `<p class="${tone}"><${element}><span aria-hidden="true">${mark} </span>${topic === undefined ? '' : `<b>${escaped(topic)}</b> `}${escaped(item)}</${element}>${note}</p>`;
  const linesOf = ({ object, topic, before, after }: PostureDifference) => {
    const concern = byObject.get(object)?.facts.find(each => each.topic === topic)?.concern ?? PostureConcern.NONE;
    return [...before.map(item => line('−', 'gone', 'del', topic, item)), ...after.map((item, index) => line('+', 'come', 'ins', topic, item, index === 0 ? tag(concern) : ''))].join('');
  };
  return `<div class="panel">${[...new Set(differences.map(({ object }) => object))].map(object =>
    `<div class="change" data-find><h3>${escaped(object)}</h3>${differences.filter(each => each.object === object).map(linesOf).join('')}</div>`).join('')}</div>`;
}

function findingsOf(findings: readonly Finding[]): string {
  if (findings.length === 0) {
    return '<p class="panel">No findings.</p>';
  }
  const rows = findings.map(({ rule, severity, object, place, field, message, remedy }) => `<tr data-find><td><span class="tag ${severity === FindingSeverity.ERROR ? 'risk' : 'notice'}">${severity}</span></td><td><code>${escaped(rule)}</code><br><small class="soft">${escaped(tagsOf(rule).join(', '))}</small></td><td>${escaped(object)}<br><small class="soft mono">${escaped(place)}</small></td><td><span class="mono">${escaped(field)}</span>: ${escaped(message)}<br><b>Remedy:</b> ${escaped(remedy)}</td></tr>`);
  return `<div class="panel scroll"><table><thead><tr><th scope="col">severity</th><th scope="col">rule</th><th scope="col">object</th><th scope="col">what is wrong</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}
