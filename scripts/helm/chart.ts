import { CHART_VALUES, KNOBS } from './knobs';
import { testHook, testProgram } from './test-hook';
import { templates } from './templates';
import { extraArgsChecks } from './extra-args';
import { CHECKS, HELPERS, NOTES, chartYaml, readme } from './texts';
import { valuesSchema, valuesTable, valuesYaml } from './values';

/** All files of the Helm chart, by path. */
export function chartFiles(version: string): Map<string, string> {
  const values = [...KNOBS, ...CHART_VALUES];
  const files = new Map<string, string>([
    ['Chart.yaml', chartYaml(version)],
    ['README.md', readme(valuesTable(values))],
    ['values.yaml', valuesYaml(values)],
    ['values.schema.json', `${JSON.stringify(valuesSchema(values), undefined, 2)}\n`],
    ['templates/_helpers.tpl', HELPERS],
    ['templates/checks.yaml', CHECKS + extraArgsChecks()],
    ['templates/NOTES.txt', NOTES],
    ['templates/tests/claim.yaml', testHook()],
    testProgram(),
  ]);
  templates(KNOBS).forEach((text, name) => files.set(`templates/${name}`, text));
  return files;
}
