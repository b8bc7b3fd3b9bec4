/**
 * Runs in a process of its own and prints its measurements as one line of JSON, the last of its output:
 * `synth APP MODE COUNT OUTDIR` builds and synthesizes an app, `require MODULE…` loads modules, and `tsc ARGUMENT…` runs
 * the compiler.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { ChartFor } from './charts';

export interface SynthSample {
  /** Milliseconds until all constructs are there. */
  readonly build: number;
  /** Milliseconds that `app.synth()` takes. */
  readonly synth: number;
  /** Processor time of both, in milliseconds, with that of the garbage collector. */
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
  /** Processor time to load the modules, in milliseconds. */
  readonly cpu: number;
  /** Peak resident set of the process, in bytes. */
  readonly rss: number;
}

export interface TscSample {
  /** Milliseconds from the start of the process. */
  readonly wall: number;
  /** Processor time of the process, in milliseconds. */
  readonly cpu: number;
}

export type Mode = 'one chart' | 'chart per object';

// Loaded where it is timed, so not by an import statement.
const load = require;

function synth(file: string, mode: Mode, count: number, outdir: string): SynthSample {
  const { App, Chart } = load('cdk8s') as typeof import('cdk8s');
  const { build } = load(file) as { build(chartFor: ChartFor, count: number): void };
  const before = process.cpuUsage();
  const started = performance.now();
  const app = new App({ outdir });
  const shared = mode === 'one chart' ? new Chart(app, 'bench', { namespace: 'agents' }) : undefined;
  build(name => shared ?? new Chart(app, name, { namespace: 'agents' }), count);
  const built = performance.now();
  app.synth();
  const ended = performance.now();
  const cpu = cpuSince(before);
  return {
    build: built - started,
    synth: ended - built,
    cpu,
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
  const before = process.cpuUsage();
  modules.forEach(name => load(name));
  return { base: base - started, own: performance.now() - base, cpu: cpuSince(before), rss: peakRss() };
}

/** Runs the compiler in this process, and reports when it exits. */
function tsc(args: readonly string[]): void {
  process.on('exit', () => print({ wall: performance.now(), cpu: cpuSince({ user: 0, system: 0 }) } satisfies TscSample));
  const compiler = load.resolve('typescript/lib/tsc.js');
  process.argv = [process.argv[0], compiler, ...args];
  load(compiler);
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function peakRss(): number {
  return process.resourceUsage().maxRSS * 1024;
}

/** Unlike `console.log`, done when it returns. */
function print(sample: SynthSample | RequireSample | TscSample): void {
  fs.writeSync(1, `${JSON.stringify(sample)}\n`);
}

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case 'synth':
    print(synth(args[0], args[1] as Mode, Number(args[2]), args[3]));
    break;
  case 'require':
    print(requireModules(args));
    break;
  case 'tsc':
    tsc(args);
    break;
  default:
    throw new Error(`unknown command '${command}'`);
}
