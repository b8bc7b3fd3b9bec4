import { type Finding, FindingSeverity, type RuleInfo } from '../findings';

/** How findings are written, by the name of the format. @internal */
export const FORMATS: Readonly<Record<string, (findings: readonly Finding[], rules: readonly RuleInfo[]) => string>> = {
  text: findings => [...findings.map(text), summary(findings)].join('\n'),
  json: findings => JSON.stringify(findings, undefined, 2),
  sarif: (findings, rules) => JSON.stringify(sarif(findings, rules), undefined, 2),
};

function text({ severity, place, object, field, message, remedy, rule }: Finding): string {
  return `${place}: ${severity}: ${object}: ${field}: ${message}\n    ${remedy} [${rule}]`;
}

function summary(findings: readonly Finding[]): string {
  const count = (severity: FindingSeverity) => findings.filter(finding => finding.severity === severity).length;
  return `${count(FindingSeverity.ERROR)} errors, ${count(FindingSeverity.WARNING)} warnings`;
}

/** SARIF 2.1.0, as code scanning services read it. */
function sarif(findings: readonly Finding[], rules: readonly RuleInfo[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: { driver: { name: 'agent-sandbox-check', rules: rules.map(({ id, summary: meaning }) => ({ id, shortDescription: { text: meaning } })) } },
      results: findings.map(({ rule, severity, place, object, field, message, remedy }) => {
        const [, uri, line] = /^(.*):(\d+)(?: .*)?$/.exec(place) ?? [undefined, place, undefined];
        return {
          ruleId: rule,
          level: severity,
          message: { text: `${object}: ${field}: ${message}: ${remedy}` },
          locations: [{ physicalLocation: { artifactLocation: { uri }, ...(line && { region: { startLine: Number(line) } }) } }],
        };
      }),
    }],
  };
}
