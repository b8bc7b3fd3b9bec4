/**
 * Builds the site of the documents in `dist/site`: `npm run site`. Every link between documents has to lead somewhere. `--base PATH` is the path that
 * the site is served at (default: `/`), `--out FOLDER` where it is written.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import type { DefaultTheme } from 'vitepress';
import type { SiteOptions } from './site/config';
import { pageOf, pages, titleOf } from './site/pages';

const ROOT = path.resolve(__dirname, '..');

/** The sections of the sidebar, by the folders of their pages. */
function sidebar(all: ReadonlyMap<string, string>): DefaultTheme.SidebarItem[] {
  const items = (belongs: (page: string) => boolean) => [...all].filter(([, page]) => belongs(page))
    .map(([file, page]) => ({ text: titleOf(ROOT, file), link: `/${page.replace(/(index)?\.md$/, '')}` }));
  const inFolder = (folder: string) => items(page => page.startsWith(`${folder}/`));
  return [
    { text: 'Start', items: [{ text: 'Ten minutes', link: '/' }, { text: 'Constructs', link: '/constructs' }] },
    { text: 'Use cases', items: inFolder('use-cases') },
    { text: 'Guides', items: [...inFolder('guide'), ...items(page => ['migrate-from-upstream.md', 'real-node.md'].includes(page))] },
    { text: 'Reference', items: inFolder('reference') },
    { text: 'Project', collapsed: true, items: [...items(page => ['architecture.md', 'benchmarks.md', 'contributing.md', 'security-policy.md', 'changelog.md'].includes(page)), ...inFolder('decisions')] },
  ];
}

async function main(base: string, out: string): Promise<void> {
  const { description, repository: { url } } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { description: string; repository: { url: string } };
  const repository = url.replace(/\.git$/, '');
  const outDir = path.resolve(out);
  // Below the repository, where VitePress finds itself.
  const source = path.join(ROOT, 'dist', `.site-pages-${process.pid}`);
  [source, outDir].forEach(folder => fs.rmSync(folder, { recursive: true, force: true }));
  const all = pages(ROOT);
  for (const [file, page] of all) {
    fs.mkdirSync(path.dirname(path.join(source, page)), { recursive: true });
    fs.writeFileSync(path.join(source, page), pageOf(ROOT, file, all, repository));
  }
  fs.cpSync(path.join(ROOT, 'docs', 'images'), path.join(source, 'images'), { recursive: true });
  fs.mkdirSync(path.join(source, 'public'));
  fs.copyFileSync(path.join(ROOT, 'llms.txt'), path.join(source, 'public', 'llms.txt'));
  const options: SiteOptions = { repository, description, outDir, base, sidebar: sidebar(all) };
  // VitePress reads its configuration from a file.
  fs.mkdirSync(path.join(source, '.vitepress'));
  fs.writeFileSync(path.join(source, '.vitepress', 'config.mts'), `import { siteConfig } from '../../../scripts/site/config';\nexport default siteConfig(${JSON.stringify(options)});\n`);
  const { build } = await import('vitepress');
  await build(source);
  fs.rmSync(source, { recursive: true });
}

const { values } = parseArgs({ options: { base: { type: 'string', default: '/' }, out: { type: 'string', default: path.join(ROOT, 'dist', 'site') } } });
main(values.base, values.out).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
