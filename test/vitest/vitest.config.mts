import { resolve } from 'node:path';

const SOURCES = resolve(import.meta.dirname, '..', '..', 'src');

/** As in a project that has installed the library; it is read from its sources here. */
export default {
  cacheDir: resolve(SOURCES, '..', 'node_modules', '.vite'),
  test: { include: ['*.vitest.ts'], globals: false },
  resolve: {
    alias: [
      { find: 'cdk8s-agent-sandbox/matchers.js', replacement: resolve(SOURCES, 'testing', 'matchers.ts') },
      { find: 'cdk8s-agent-sandbox', replacement: resolve(SOURCES, 'index.ts') },
    ],
  },
};
