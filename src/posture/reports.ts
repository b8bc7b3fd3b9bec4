import { type Finding, FindingSeverity, ruleInfos, sarifOf, type SarifResult, tagsOf } from '../findings';
import { PostureConcern, type PostureEntry } from './fact';
import { TOPICS } from './topics';

/** Entries and findings as JSON, with what the rules are called elsewhere. @internal */
export function jsonOf(entries: readonly PostureEntry[], findings: readonly Finding[]): string {
  return `${JSON.stringify({
    version: 1,
    entries: entries.map(({ object, place, facts }) => ({
      object, place,
      facts: facts.map(({ topic, items, isDefault, concern }) => ({ topic, items, isDefault, concern, standards: tagsOf(`posture/${topic}`) })),
    })),
    findings: findings.map(finding => ({ ...finding, standards: tagsOf(finding.rule) })),
  }, undefined, 2)}\n`;
}

/** Text that means nothing in Markdown. */
function plain(text: string): string {
  return text.replace(/[\\`*_{}[\]<>#|~!]/g, '\\$&').replace(/\r?\n/g, ' ');
}

/** One table for each object, for comments on pull requests. @internal */
export function markdownOf(entries: readonly PostureEntry[]): string {
  const mark = { [PostureConcern.NONE]: '', [PostureConcern.NOTICE]: '⚠️ ', [PostureConcern.RISK]: '⛔ ' };
  return entries.map(({ object, facts }) => [
    `### ${plain(object)}`, '', '| topic | what is true | |', '|---|---|---|',
    ...facts.map(({ topic, items, isDefault, concern }) => `| ${topic} | ${mark[concern]}${items.map(plain).join('<br>')} | ${isDefault ? 'default' : ''} |`),
  ].join('\n')).join('\n\n') + '\n';
}

/** Findings, and facts that weaken a sandbox as notes. @internal */
export function postureSarif(entries: readonly PostureEntry[], findings: readonly Finding[]): string {
  const topics = Object.entries(TOPICS).filter(([topic]) => topic !== 'findings').map(([topic, summary]) => ({ id: `posture/${topic}`, summary }));
  const notes = entries.flatMap(({ object, place, facts }) => facts.filter(({ topic, concern }) => topic !== 'findings' && concern !== PostureConcern.NONE)
    .map(({ topic, items }): SarifResult => ({ rule: `posture/${topic}`, level: 'note', place, text: `${object}: ${topic}: ${items.join('; ')}` })));
  const results = findings.map(({ rule, severity, place, object, field, message, remedy }): SarifResult => ({ rule, level: severity, place, text: `${object}: ${field}: ${message}: ${remedy}` }));
  return `${JSON.stringify(sarifOf([...results, ...notes], [...ruleInfos(), ...topics]), undefined, 2)}\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text for XML and HTML, also in attributes. Characters that XML cannot hold become `�`. @internal */
export function escaped(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
    .replace(/[&<>"']/g, character => ENTITIES[character]);
}

/** One suite for each object, one case for each topic. Cases fail for findings, warnings only where `strict`. @internal */
export function junitOf(entries: readonly PostureEntry[], findings: readonly Finding[], strict: boolean): string {
  const suites = entries.map(({ object, facts }) => {
    const failing = findings.filter(finding => finding.object === object && (strict || finding.severity === FindingSeverity.ERROR));
    const cases = facts.filter(({ topic }) => topic !== 'findings').map(({ topic, items }) =>
      `    <testcase classname="${escaped(object)}" name="${topic}"><system-out>${escaped(items.join('\n'))}</system-out></testcase>`);
    const failures = failing.map(({ rule, place, field, message, remedy }) =>
      `    <testcase classname="${escaped(object)}" name="${rule}"><failure message="${escaped(`${field}: ${message}`)}">${escaped(`${place}\n${remedy}`)}</failure></testcase>`);
    const all = [...cases, ...failures];
    return `  <testsuite name="${escaped(object)}" tests="${all.length}" failures="${failures.length}">\n${all.join('\n')}\n  </testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="agent-sandbox posture">\n${suites.join('\n')}\n</testsuites>\n`;
}
