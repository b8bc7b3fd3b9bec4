import { printable } from '../checks';
import { type Finding, FindingSeverity, type RuleInfo, sarifOf, shownFindings, tagsOf } from '../findings';
import { escaped } from '../posture';

/** How findings are written, by the name of the format. @internal */
export const FORMATS: Readonly<Record<string, (findings: readonly Finding[], rules: readonly RuleInfo[], strict: boolean) => string>> = {
  text: findings => [...shownFindings(findings).map(({ finding, more }) => text(finding) + left(finding, more)), summary(findings)].join('\n'),
  json: findings => JSON.stringify(findings.map(finding => ({ ...finding, standards: tagsOf(finding.rule) })), undefined, 2),
  sarif: (findings, rules) => JSON.stringify(sarifOf(findings.map(({ rule, severity, place, object, field, message, remedy }) =>
    ({ rule, level: severity, place, text: `${object}: ${field}: ${message}: ${remedy}` })), rules), undefined, 2),
  junit: (findings, rules, strict) => junit(findings, rules, strict),
};

function text({ severity, place, object, field, message, remedy, rule }: Finding): string {
  return `${printable(`${place}: ${severity}: ${object}: ${field}: ${message}`)}\n    ${printable(remedy)} [${rule}]`;
}

function left({ rule }: Finding, more: number): string {
  return more > 0 ? `\n    and ${more} more of this kind; --format json lists them [${rule}]` : '';
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: FindingSeverity) => findings.filter(finding => finding.severity === severity).length;
  return `${count(FindingSeverity.ERROR)} errors, ${count(FindingSeverity.WARNING)} warnings`;
}

/** One case for each rule. */
function junit(findings: readonly Finding[], rules: readonly RuleInfo[], strict: boolean): string {
  const cases = rules.map(({ id }) => {
    const found = findings.filter(({ rule }) => rule === id);
    const failing = found.filter(({ severity }) => strict || severity === FindingSeverity.ERROR);
    const failures = failing.map(({ place, object, field, message, remedy }) =>
      `<failure message="${escaped(`${object}: ${field}: ${message}`)}">${escaped(`${place}\n${remedy}`)}</failure>`);
    return { failed: failing.length > 0, text: `    <testcase classname="rules" name="${id}">${failures.join('')}</testcase>` };
  });
  const failed = cases.filter(each => each.failed).length;
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites name="agent-sandbox check">', `  <testsuite name="rules" tests="${cases.length}" failures="${failed}">`,
    ...cases.map(each => each.text), '  </testsuite>', '</testsuites>'].join('\n');
}
