import { Gauge, type Registry } from 'prom-client';

/** Registers a gauge that is always 1 and whose labels say which build this is, under the label names of the Go programs. */
export function registerBuildInfo(registry: Registry, name: string, version: string): void {
  new Gauge({ name, help: 'What is running', labelNames: ['git_version', 'platform', 'compiler'], registers: [registry], aggregator: 'first' })
    .set({ git_version: version, platform: `${process.platform}/${process.arch}`, compiler: `node ${process.version}` }, 1);
}
