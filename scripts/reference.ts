/**
 * Finishes API.md and docs/L1.md, which jsii-docgen wrote: adds an index, links the types of one document to the other, and leaves out
 * what is said twice. Run by `npx projen docs`, after jsii-docgen.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..');
const NAMESPACE = 'cdk8s-agent-sandbox';

/** A document as jsii-docgen wrote it, with index and links; `types` are those of the other document, at the path `other`. */
export function finished(text: string, types: ReadonlySet<string>, other: string): string {
  return withIndex(linked(shortened(text), types, other));
}

/** The ids of the types that a document describes. */
export function typesOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^### .*<a (?:name="[^"]*" )?id="([^"]+)"><\/a>$/gm)].map(([, id]) => id));
}

/** Without the code of each property, which repeats name and type, and with links as Markdown has them. */
function shortened(text: string): string {
  return text
    .replace(/```typescript\npublic (?:static )?readonly [^`]*```\n\n/g, '')
    .replace(/#### Initializer <a [^\n]*\n\n```typescript\n[^`]*```\n\n/g, '')
    .replace(/<a name="[^"]*" id="/g, '<a id="')
    .replace(/<code><a href="(#[^"]+)">([^<]+)<\/a><\/code>/g, '[`$2`]($1)')
    .replace(/\n---\n(?=\n---\n)/g, '')
    .replace(/\n{3,}/g, '\n\n');
}

/** With one row for each property, in place of a row with its summary and a section with the rest. */
export function tabled(text: string): string {
  return text.replace(/(#### Properties <a [^\n]*\n\n)((?:\|[^\n]*\n)+)\n---\n\n((?:#####(?!#)[^]*?\n---\n\n)+)(?=#{2,4} |$)/g, (_, head: string, table: string, sections: string) => {
    const details = new Map(sections.split('\n---\n\n').filter(Boolean).map(section => {
      const [, name, required, id, rest] = /^##### `([^`]+)`<sup>(\w+)<\/sup> <a id="([^"]+)"><\/a>\n([^]*)$/.exec(section)!;
      return [name, { required: required === 'Required', id, fallback: /^- \*Default:\* (.*)$/m.exec(rest)?.[1], text: rest.replace(/^- \*(Type|Default):.*$/gm, '') }] as const;
    }));
    const rows = table.trimEnd().split('\n').map(row => {
      const [, name, type] = /^\| \[`([^`]+)`\]\(#[^)]+\) \| (.*?) \| /.exec(row) ?? [];
      const detail = details.get(name);
      if (!detail) {
        return row;
      }
      const words = detail.text.trim().replace(/\s+/g, ' ').replace(/\|/g, '\\|');
      const fallback = detail.fallback && detail.fallback !== 'not set' ? `*Default:* ${detail.fallback}` : '';
      return `| <a id="${detail.id}"></a>\`${name}\`${detail.required ? ' (required)' : ''} | ${type} | ${[words, fallback].filter(Boolean).join(' ')} |`;
    });
    return `${head}${rows.join('\n')}\n\n`;
  });
}

function linked(text: string, types: ReadonlySet<string>, other: string): string {
  const pattern = new RegExp(`(?<![#\\w"/.-])${NAMESPACE}\\.((?:l1\\.)?\\w+)`, 'g');
  const link = (type: string, name: string) => (types.has(type) ? `<a href="${other}#${type}">${name}</a>` : type);
  return text.split('\n').map(line => (/^\| .*<code>|^- \*Type:\*/.test(line) ? line.replace(pattern, link) : line)).join('\n');
}

function withIndex(text: string): string {
  const lines: string[] = [];
  for (const [, hashes, title, id] of text.matchAll(/^(##|###) (.*?) <a id="([^"]+)"><\/a>$/gm)) {
    if (hashes === '##') {
      lines.push('', `**${title}**`, '');
    } else {
      lines.push(`- [${title}](#${id})`);
    }
  }
  const first = text.indexOf('\n## ');
  return `${text.slice(0, first).trimEnd()}\n${lines.join('\n')}\n${text.slice(first)}`;
}

function main(): void {
  const [api, l1] = ['API.md', 'docs/L1.md'].map(file => readFileSync(join(ROOT, file), 'utf8'));
  writeFileSync(join(ROOT, 'API.md'), tabled(finished(api, typesOf(l1), 'docs/L1.md')));
  writeFileSync(join(ROOT, 'docs', 'L1.md'), tabled(finished(l1, typesOf(api), '../API.md')));
}

if (require.main === module) {
  main();
}
