import { KNOBS } from './knobs';
import { templates } from './templates';
import { extraArgsChecks } from './extra-args';
import { CHECKS, HELPERS, NOTES, chartYaml, readme } from './texts';
import { valuesSchema, valuesTable, valuesYaml } from './values';

/** All files of the Helm chart, by path. */
export function chartFiles(version: string): Map<string, string> {
  const files = new Map<string, string>([
    ['Chart.yaml', chartYaml(version)],
    ['README.md', readme(valuesTable(KNOBS))],
    ['values.yaml', valuesYaml(KNOBS)],
    ['values.schema.json', `${JSON.stringify(valuesSchema(KNOBS), undefined, 2)}\n`],
    ['templates/_helpers.tpl', HELPERS],
    ['templates/checks.yaml', CHECKS + extraArgsChecks()],
    ['templates/NOTES.txt', NOTES],
  ]);
  templates(KNOBS).forEach((text, name) => files.set(`templates/${name}`, text));
  return files;
}
