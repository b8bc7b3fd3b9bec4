import * as os from 'node:os';
import { median, quantile } from '../statistics';
import { round, table } from '../table';
import type { Measurement, Scenario } from './scenarios';
import type { Candidate } from './world';
import { type Part, total } from './writes';

/** All runs of a scenario with one controller. */
export interface Result {
  readonly scenario: Scenario;
  readonly candidate: Candidate;
  readonly measurements: readonly Measurement[];
  /** Why runs failed. */
  readonly failures: readonly string[];
}

const PARTS: readonly Part[] = ['path', 'after', 'refill'];
const MB = 1e6;

/** Latencies of all rounds together, and medians of the rounds of everything else. */
export interface Summary {
  readonly latencies: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
  /** Writes per claim, or per Sandbox where there are no claims. */
  readonly path: number;
  readonly after: number;
  readonly refill: number;
  readonly total: number;
  /** Of all claims together. */
  readonly conflicts: number;
  readonly cpuMs: number;
  readonly apiServerCpuMs: number;
  readonly rssBytes: number;
  readonly more: { readonly [name: string]: number };
}

/** Undefined if no run of the scenario came to its end. */
function summarize({ measurements }: Result): Summary | undefined {
  if (measurements.length === 0) {
    return undefined;
  }
  const latencies = measurements.flatMap(({ latenciesMs }) => latenciesMs);
  const middle = (value: (measurement: Measurement) => number) => median(measurements.map(value));
  const per = (...parts: Part[]) => middle(({ writes, count }) => parts.reduce((sum, part) => sum + total(writes[part]), 0) / count);
  return {
    latencies: latencies.length,
    p50: quantile(latencies, 0.5),
    p90: quantile(latencies, 0.9),
    p95: quantile(latencies, 0.95),
    p99: quantile(latencies, 0.99),
    max: Math.max(...latencies),
    path: per('path'),
    after: per('after'),
    refill: per('refill'),
    total: per(...PARTS),
    conflicts: middle(({ conflicts }) => conflicts),
    cpuMs: middle(({ controllerCpuMs, count }) => controllerCpuMs / count),
    apiServerCpuMs: middle(({ apiServerCpuMs, count }) => apiServerCpuMs / count),
    rssBytes: middle(({ rssBytes }) => rssBytes),
    more: Object.fromEntries(Object.keys(measurements[0].more ?? {}).map(name => [name, middle(({ more }) => more![name])])),
  };
}

export function text(results: readonly Result[], rounds: number): string {
  const scenarios = [...new Set(results.map(({ scenario }) => scenario))];
  return [
    `${os.availableParallelism()} cores; ${rounds} ${rounds === 1 ? 'round' : 'rounds'}: latencies of all together, medians of everything else`,
    ...scenarios.flatMap(scenario => about(scenario, results.filter(result => result.scenario === scenario))),
  ].join('\n');
}

function about(scenario: Scenario, results: readonly Result[]): string[] {
  const done = results.flatMap(result => {
    const summary = summarize(result);
    return summary ? [{ name: result.candidate.name, result, summary }] : [];
  });
  const more = Object.keys(done[0]?.summary.more ?? {});
  return [
    `\n${scenario.name}: ${scenario.description}`,
    ...(done.length === 0 ? [] : [
      `  ${scenario.latency}; writes and CPU for each`,
      table(
        ['', 'n', 'p50 ms', 'p90', 'p95', 'p99', 'max', 'path', 'after', 'refill', 'writes', '409s', 'CPU ms', 'API server', 'RSS MB', ...more],
        done.map(({ name, summary: s }) => [
          name, s.latencies, s.p50, s.p90, s.p95, s.p99, s.max, s.path, s.after, s.refill, s.total,
          s.conflicts, s.cpuMs, s.apiServerCpuMs, s.rssBytes / MB, ...more.map(key => s.more[key]),
        ]),
      ),
      ...done.flatMap(({ name, result }) => PARTS.flatMap(part => {
        const counts = perOne(result, part);
        return counts ? [`  ${name}, ${part}: ${counts}`] : [];
      })),
    ]),
    ...results.flatMap(({ candidate, failures }) => failures.map(failure => `  ${candidate.name} failed: ${failure}`)),
  ];
}

/** Writes of a part for each claim, by verb and resource. */
function perOne({ measurements }: Result, part: Part): string {
  const whats = [...new Set(measurements.flatMap(({ writes }) => Object.keys(writes[part])))];
  const entries = whats.map(what => [what, median(measurements.map(({ writes, count }) => (writes[part][what] ?? 0) / count))] as const);
  return entries.sort((a, b) => b[1] - a[1]).map(([what, value]) => `${what} ${round(value)}`).join(', ');
}

/** One line for programs: what was measured, and its summary. */
export function json(results: readonly Result[], rounds: number): string {
  const lines = results.map(result => ({
    scenario: result.scenario.name, controller: result.candidate,
    summary: summarize(result), failures: result.failures, measurements: result.measurements,
  }));
  return JSON.stringify({ bench: 'controller', cores: os.availableParallelism(), rounds, results: lines },
    (_, value) => (typeof value === 'number' ? Number(value.toFixed(3)) : value));
}
