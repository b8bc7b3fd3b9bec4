import type { RuntimeOptions } from './options.js';

export function openApiDocument(_options: RuntimeOptions): unknown {
  return { openapi: '3.1.0', info: { title: 'Agentic Sandbox Runtime', version: '1.0.0' }, paths: {} };
}
