import type { DefaultTheme, UserConfig } from 'vitepress';
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
    // Documents have no HTML but comments: what looks like a tag, such as <name>, is text.
    markdown: { html: false, anchor: { slugify: anchorOf } },
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
