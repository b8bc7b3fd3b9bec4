/** Links between the documents of the repository. */
import * as fs from 'node:fs';
import * as path from 'node:path';

/** A link of a Markdown text to a place in the repository. */
export interface Link {
  /** Path below the root; undefined where the link is to the same document. */
  readonly target?: string;
  /** Heading, as its anchor. */
  readonly anchor?: string;
  readonly text: string;
}

const LINK = /\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]*))?\)/g;
const CODE = /^(```+)[^\n]*\n[^]*?^\1$|`[^`\n]*`/gm;

/** The text of a Markdown document with other links; code stays as it is. */
export function withLinks(markdown: string, file: string, replaced: (link: Link) => string): string {
  const code: string[] = [];
  const prose = markdown.replace(CODE, text => `\0${code.push(text) - 1}\0`);
  return prose
    .replace(LINK, (text, target: string, anchor?: string) =>
      `](${replaced({ target: target === '' ? undefined : path.posix.normalize(path.posix.join(path.posix.dirname(file), target)), anchor, text })})`)
    .replace(/\0(\d+)\0/g, (_, index: string) => code[Number(index)]);
}

/** The links of a document. */
function linksOf(markdown: string, file: string): Link[] {
  const links: Link[] = [];
  withLinks(markdown, file, link => {
    links.push(link);
    return '';
  });
  return links;
}

/** The anchor of a heading, as GitHub makes it. */
export function anchorOf(heading: string): string {
  return heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').replace(/\s/g, '-');
}

/** The anchors of a document. */
function anchorsOf(markdown: string): Set<string> {
  const counts = new Map<string, number>();
  const anchors = new Set<string>();
  for (const [, heading] of markdown.replace(/^(```+)[^\n]*\n[^]*?^\1$/gm, '').matchAll(/^#{1,6} (.*)$/gm)) {
    const text = heading.replace(/<[^>]*>/g, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const anchor = anchorOf(text);
    const count = counts.get(anchor) ?? 0;
    counts.set(anchor, count + 1);
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`);
  }
  [...markdown.matchAll(/<a (?:name|id)="([^"]*)"/g)].forEach(([, name]) => anchors.add(name));
  return anchors;
}

/** Links of a document that lead nowhere, as the file and the link. */
export function deadLinks(root: string, file: string): string[] {
  const read = (name: string) => fs.readFileSync(path.join(root, name), 'utf8');
  return linksOf(read(file), file).filter(({ target, anchor }) => {
    const full = path.join(root, target ?? file);
    if (!fs.existsSync(full)) {
      return true;
    }
    return anchor !== undefined && full.endsWith('.md') && !anchorsOf(read(target ?? file)).has(anchor);
  }).map(({ text }) => `${file}: ${text.slice(2, -1)}`);
}
