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
  writeFileSync(join(ROOT, 'API.md'), finished(api, typesOf(l1), 'docs/L1.md'));
  writeFileSync(join(ROOT, 'docs', 'L1.md'), finished(l1, typesOf(api), '../API.md'));
}

if (require.main === module) {
  main();
}
