import type { RuleInfo } from './checks';
import { tagsOf } from './standards';

/** One result of a SARIF report. @internal */
export interface SarifResult {
  readonly rule: string;
  readonly level: string;
  /** `folder/file.yaml:12`, or the path of a construct. */
  readonly place: string;
  readonly text: string;
}

/** SARIF 2.1.0, as code scanning services read it. @internal */
export function sarifOf(results: readonly SarifResult[], rules: readonly RuleInfo[]): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{
      tool: {
        driver: {
          name: 'agent-sandbox-check',
          rules: rules.map(({ id, summary }) => {
            const tags = tagsOf(id);
            return { id, shortDescription: { text: summary }, ...(tags.length > 0 && { properties: { tags } }) };
          }),
        },
      },
      results: results.map(({ rule, level, place, text }) => {
        const [, uri, line] = /^(.*):(\d+)(?: .*)?$/.exec(place) ?? [undefined, place, undefined];
        return {
          ruleId: rule, level, message: { text },
          locations: [{ physicalLocation: { artifactLocation: { uri }, ...(line && { region: { startLine: Number(line) } }) } }],
        };
      }),
    }],
  };
}
