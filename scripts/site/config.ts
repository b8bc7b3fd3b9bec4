import type { DefaultTheme, MarkdownRenderer, UserConfig } from 'vitepress';
import { anchorOf } from './links';

export interface SiteOptions {
  readonly repository: string;
  readonly description: string;
  readonly outDir: string;
  readonly base: string;
  readonly sidebar: DefaultTheme.SidebarItem[];
}

/** The configuration of VitePress. Its search needs no server: the index is a file of the site. */
export function siteConfig({ repository, description, outDir, base, sidebar }: SiteOptions): UserConfig<DefaultTheme.Config> {
  return {
    title: 'cdk8s-agent-sandbox',
    description,
    base,
    outDir,
    lang: 'en',
    // Every page says the same for the same documents.
    lastUpdated: false,
    markdown: {
      // Documents have no HTML but comments: what looks like a tag, such as <name>, is text.
      html: false,
      anchor: { slugify: anchorOf },
      config: textIsNoTemplate,
    },
    vite: { logLevel: 'warn', build: { chunkSizeWarningLimit: 4096 } },
    themeConfig: {
      search: { provider: 'local' },
      sidebar,
      outline: [2, 3],
      nav: [{ text: 'Guides', link: '/guide/install' }, { text: 'Use cases', link: '/use-cases/coding-agent' }, { text: 'Reference', link: '/reference/rules' }],
      socialLinks: [{ icon: 'github', link: repository }],
    },
  };
}

/** Shows braces as they are: pages are templates of Vue, which would evaluate what stands between two of them. */
function textIsNoTemplate(markdown: MarkdownRenderer): void {
  const { rules } = markdown.renderer;
  for (const name of ['text', 'code_inline'] as const) {
    const render = rules[name]!;
    rules[name] = (...args) => render(...args).replaceAll('{{', '&#123;&#123;');
  }
}
