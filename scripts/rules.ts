/**
 * Writes the tables of docs/reference/rules.md from the rules, the topics of a posture, and the table of standards. With another file as argument, that
 * file. Between `<!-- NAME -->` and `<!-- end -->` everything is generated.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIFF_RULES } from '../src/cli/diff';
import { CATALOGUES, type Standards, STANDARDS } from '../src/findings';
import { RULES } from '../src/findings/checks';
import { TOPICS } from '../src/posture/topics';

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

const columns = Object.keys(CATALOGUES) as Array<keyof Standards>;

function standards(ids: readonly string[]): string {
  const rows = ids.filter(id => STANDARDS[id]).map(id => [`\`${id}\``, ...columns.map(column => (STANDARDS[id][column] ?? []).join(', '))]);
  return table(['rule or topic', ...columns.map(column => CATALOGUES[column])], rows);
}

const TABLES: Readonly<Record<string, () => string>> = {
  rules: () => table(['rule', 'severity', 'what is wrong'], RULES.map(({ id, severity, summary }) => [`\`${id}\``, severity, summary])),
  diff: () => table(['rule', 'what the edit does'], DIFF_RULES.map(({ id, summary }) => [`\`${id}\``, summary])),
  topics: () => table(['topic', 'what it says'], Object.entries(TOPICS).map(([topic, words]) => [`\`${topic}\``, words])),
  standards: () => standards([...RULES.map(({ id }) => id), ...Object.keys(TOPICS).map(topic => `posture/${topic}`)]),
};

/** The document with its tables as they are now. */
export function withTables(text: string): string {
  return text.replace(/<!-- ([a-z]+) -->\n.*?<!-- end -->/gs, (all, name: string) => (TABLES[name] ? `<!-- ${name} -->\n${TABLES[name]()}\n<!-- end -->` : all));
}

if (require.main === module) {
  const file = process.argv[2] ?? join(__dirname, '..', 'docs', 'reference', 'rules.md');
  writeFileSync(file, withTables(readFileSync(file, 'utf8')));
}
