/** Pages of the site: which documents of the repository it shows, where, and what is changed for it. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { withTabs } from '../translations/documents';
import { withLinks } from './links';

/** Pages by their documents. The reference of the classes is too long for a page and a search index: the site links to it. */
export function pages(root: string): ReadonlyMap<string, string> {
  const below = fs.readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(file => file.split(path.sep).join('/'))
    .filter(file => file.endsWith('.md') && file !== 'L1.md').sort();
  return new Map([
    ...below.map(file => [`docs/${file}`, file.replace(/README\.md$/, 'index.md')] as const),
    ['README.md', 'constructs.md'],
    ['chart/README.md', 'reference/chart.md'],
    ['packages/client/README.md', 'reference/client.md'],
    ['packages/controller/README.md', 'reference/controller.md'],
    ['packages/router/README.md', 'reference/router.md'],
    ['packages/runtime/README.md', 'reference/runtime.md'],
    ['packages/runtime/PROTOCOL.md', 'reference/protocol.md'],
    ['bench/README.md', 'benchmarks.md'],
    ['CONTRIBUTING.md', 'contributing.md'],
    ['SECURITY.md', 'security-policy.md'],
    ['CHANGELOG.md', 'changelog.md'],
  ]);
}

/** A document as its page: links lead to pages or to the repository, and programs in several languages are tabs. */
export function pageOf(root: string, file: string, all: ReadonlyMap<string, string>, repository: string): string {
  const own = all.get(file)!;
  const linked = withLinks(fs.readFileSync(path.join(root, file), 'utf8'), file, ({ target = file, anchor }) => {
    const hash = anchor === undefined ? '' : `#${anchor}`;
    const full = path.join(root, target);
    if (!fs.existsSync(full)) {
      throw new Error(`${file} has a link to ${target}, which does not exist`);
    }
    const isFolder = fs.statSync(full).isDirectory();
    const page = all.get(isFolder ? path.posix.join(target, 'README.md') : target);
    if (page !== undefined || target.startsWith('docs/images/')) {
      const relative = path.posix.relative(path.posix.dirname(own), page ?? target.replace('docs/', ''));
      return `${relative.startsWith('.') ? '' : './'}${relative}${hash}`;
    }
    return `${repository}/${isFolder ? 'tree' : 'blob'}/main/${target}${hash}`;
  });
  return withTabs(linked).replace(/^<!--[^]*?-->\n/gm, '');
}

/** The title of a document. */
export function titleOf(root: string, file: string): string {
  return /^# (.*?)(?: <a .*)?$/m.exec(fs.readFileSync(path.join(root, file), 'utf8'))![1];
}
