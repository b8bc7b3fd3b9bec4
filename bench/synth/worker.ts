/**
 * Runs in a process of its own. `synth APP MODE COUNT OUTDIR` builds and synthesizes an app, `require MODULE…` loads
 * modules; either prints its measurements as one line of JSON.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ChartFor } from './charts';

export interface SynthSample {
  /** Milliseconds until all constructs are there. */
  readonly build: number;
  /** Milliseconds that `app.synth()` takes. */
  readonly synth: number;
  /** Processor time of both, in milliseconds. */
  readonly cpu: number;
  /** Peak resident set of the process, in bytes. */
  readonly rss: number;
  /** Objects in the manifests. */
  readonly objects: number;
}

export interface RequireSample {
  /** Milliseconds to load cdk8s and constructs, which every app needs. */
  readonly base: number;
  /** Milliseconds to load the modules after that. */
  readonly own: number;
  /** Peak resident set of the process, in bytes. */
  readonly rss: number;
}

export type Mode = 'one chart' | 'chart per object';

// Loaded where it is timed, so not by an import statement.
const load = require;

function synth(file: string, mode: Mode, count: number, outdir: string): SynthSample {
  const { App, Chart } = load('cdk8s') as typeof import('cdk8s');
  const { build } = load(file) as { build(chartFor: ChartFor, count: number): void };
  const cpu = process.cpuUsage();
  const started = performance.now();
  const app = new App({ outdir });
  const shared = mode === 'one chart' ? new Chart(app, 'bench', { namespace: 'agents' }) : undefined;
  build(name => shared ?? new Chart(app, name, { namespace: 'agents' }), count);
  const built = performance.now();
  app.synth();
  const ended = performance.now();
  const used = process.cpuUsage(cpu);
  return {
    build: built - started,
    synth: ended - built,
    cpu: (used.user + used.system) / 1000,
    rss: peakRss(),
    objects: fs.readdirSync(outdir).map(name => fs.readFileSync(path.join(outdir, name), 'utf8'))
      .reduce((sum, text) => sum + (text.match(/^kind: /gm)?.length ?? 0), 0),
  };
}

function requireModules(modules: readonly string[]): RequireSample {
  const started = performance.now();
  load('constructs');
  load('cdk8s');
  const base = performance.now();
  modules.forEach(name => load(name));
  return { base: base - started, own: performance.now() - base, rss: peakRss() };
}

function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024;
}

function main([command, ...args]: string[]): void {
  const result = command === 'require' ? requireModules(args) : synth(args[0], args[1] as Mode, Number(args[2]), args[3]);
  console.log(JSON.stringify(result));
}

main(process.argv.slice(2));
