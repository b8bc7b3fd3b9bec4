import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { pages } from '../scripts/site/pages';

const ROOT = path.join(__dirname, '..');

describe('the site', () => {
  const out = fs.mkdtempSync(path.join(os.tmpdir(), 'site-'));
  const read = (...parts: string[]) => fs.readFileSync(path.join(out, ...parts), 'utf8');
  // VitePress fails by itself on links between pages that lead nowhere.
  beforeAll(() => {
    execFileSync(process.execPath, ['--import', 'tsx', 'scripts/site.ts', '--out', out, '--base', '/docs/'], { cwd: ROOT, stdio: 'pipe', env: { ...process.env, NODE_OPTIONS: '' } });
  }, 600_000);
  afterAll(() => fs.rmSync(out, { recursive: true }));

  test('has a page for each document, and one for each use case in the navigation', () => {
    const all = [...pages(ROOT).values()].map(page => page.replace(/\.md$/, '.html'));
    expect(all.filter(page => !fs.existsSync(path.join(out, page)))).toEqual([]);
    const useCases = all.filter(page => page.startsWith('use-cases/'));
    expect(useCases).toHaveLength(8);
    expect(useCases.filter(page => !read('index.html').includes(`href="/docs/${page}"`))).toEqual([]);
  });

  test('shows programs in all languages as tabs, and no HTML as text', () => {
    const html = read('constructs.html');
    expect([...html.matchAll(/<label[^>]*>([^<]*)<\/label>/g)].map(([, title]) => title).slice(0, 4)).toEqual(['TypeScript', 'Python', 'Java', 'Go']);
    expect(html).not.toMatch(/&lt;(details|!--)/);
  });

  test('shows braces as they are', () => {
    expect(read('guide/gitops.html')).toContain('<code>{{ … }}</code>');
  });

  test('links to the repository for documents without a page', () => {
    expect(read('constructs.html')).toContain('href="https://github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox/blob/main/API.md"');
  });

  test('searches without a server: the index is a file, and no page loads anything from elsewhere', () => {
    const files = fs.readdirSync(out, { recursive: true, encoding: 'utf8' });
    const [index, ...more] = files.filter(file => /localSearchIndex/.test(file) && file.endsWith('.js'));
    expect(more).toEqual([]);
    expect(read(index)).toContain('A coding agent');
    const loaded = files.filter(file => file.endsWith('.html')).flatMap(file => [...read(file).matchAll(/<(?:script|link|img)[^>]* (?:src|href)="(https?:[^"]*)"/g)].map(([, url]) => url));
    expect(loaded).toEqual([]);
  });
});
