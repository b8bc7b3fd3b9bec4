/**
 * Compares our cache and writes with those of `@kubernetes/client-node`, on a control plane of its own and in turns: time and
 * memory until 5,000 Sandboxes are in a cache, and 2,000 patches by 20 at a time. Both are bundled, as programs are in their
 * images: of client-node, 936 files, a bundle keeps the tenth part. Prints a table and one line of JSON.
 *
 * node --conditions=agent-sandbox-source --import tsx packages/kube/bench/main.ts [--objects 5000] [--writes 2000] [--rounds 3]
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { SANDBOXES } from 'agent-sandbox-api';
import { build } from 'esbuild';
import { ControlPlane } from '../../../testbed/src/control-plane.js';
import { PROJECT_CRDS_DIR } from '../../../testbed/src/crds.js';
import { Cluster, Writer, loadCredentials } from '../src/index.js';
import { NAMESPACE, STATUS, nameOf, sandbox } from './subject.js';
import type { ListSample, WriteSample } from './worker.js';

const CONCURRENCY = 20;
const SUBJECTS = ['ours', 'client-node'];

const { values } = parseArgs({
  options: { objects: { type: 'string', default: '5000' }, writes: { type: 'string', default: '2000' }, rounds: { type: 'string', default: '3' } },
});
const [objects, writes, rounds] = [values.objects, values.writes, values.rounds].map(Number);

async function fill(kubeconfig: string): Promise<void> {
  const cluster = new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'bench-setup' });
  const writer = new Writer(cluster);
  let next = 0;
  await Promise.all(Array.from({ length: CONCURRENCY }, async () => {
    for (let number = next++; number < objects; number = next++) {
      await writer.create(SANDBOXES, sandbox(number));
      await writer.mergePatch(SANDBOXES, { namespace: NAMESPACE, name: nameOf(number) }, { status: STATUS }, { subresource: 'status' });
    }
  }));
  await cluster.close();
}

/** Bundles the workers of a subject; returns the path of the file to run. */
async function bundle(subject: string, outdir: string): Promise<string> {
  await build({
    entryPoints: [fileURLToPath(new URL(`./${subject}.ts`, import.meta.url))],
    outdir, bundle: true, platform: 'node', format: 'esm', target: 'node20', outExtension: { '.js': '.mjs' }, logLevel: 'error',
    conditions: ['agent-sandbox-source'],
    // Dependencies that are CommonJS ask for it.
    banner: { js: "import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url);" },
  });
  return join(outdir, `${subject}.mjs`);
}

async function work<T>(worker: string, ...args: readonly string[]): Promise<T> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', worker, ...args], { maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(stdout);
}

function quantile(list: readonly number[], part: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

function medians<K extends string>(samples: readonly Record<K, number>[], keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map(key => [key, quantile(samples.map(sample => sample[key]), 0.5)])) as Record<K, number>;
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map(row => row.map(cell => (typeof cell === 'number' ? cell.toFixed(cell < 10 ? 2 : 0) : cell)))];
  const widths = head.map((_, column) => Math.max(...cells.map(row => row[column].length)));
  return cells.map(row => `  ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ')}`).join('\n');
}

const MB = 1e6;

await using controlPlane = await ControlPlane.start({ crds: [PROJECT_CRDS_DIR] });
const { path: kubeconfig } = await controlPlane.kubeconfig();
await controlPlane.admin.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
console.error(`creating ${objects} Sandboxes`);
await fill(kubeconfig);

const outdir = mkdtempSync(join(tmpdir(), 'kube-bench-'));
const lists = new Map<string, ListSample[]>(SUBJECTS.map(subject => [subject, []]));
const patches = new Map<string, WriteSample[]>(SUBJECTS.map(subject => [subject, []]));
try {
  const workers = new Map(await Promise.all(SUBJECTS.map(async subject => [subject, await bundle(subject, outdir)] as const)));
  for (let round = 1; round <= rounds; round++) {
    console.error(`round ${round} of ${rounds}`);
    for (const [subject, worker] of workers) {
      lists.get(subject)!.push(await work<ListSample>(worker, 'list', kubeconfig));
    }
    for (const [subject, worker] of workers) {
      patches.get(subject)!.push(await work<WriteSample>(worker, 'write', kubeconfig, String(writes), String(CONCURRENCY)));
    }
  }
} finally {
  rmSync(outdir, { recursive: true });
}

const listed = SUBJECTS.map(subject => ({
  subject, ...medians(lists.get(subject)!, ['loaded', 'loadedRss', 'synced', 'cpu', 'rss', 'peakRss', 'heap', 'objects']),
}));
const written = SUBJECTS.map(subject => {
  const samples = patches.get(subject)!;
  const latencies = samples.flatMap(sample => sample.latencies);
  return {
    subject,
    perSecond: writes / quantile(samples.map(sample => sample.total), 0.5) * 1000,
    p50: quantile(latencies, 0.5),
    p90: quantile(latencies, 0.9),
    p99: quantile(latencies, 0.99),
    cpuPerWrite: quantile(samples.map(sample => sample.cpu), 0.5) / writes,
  };
});
console.log(`Cache of ${objects} Sandboxes, medians of ${rounds} rounds`);
console.log(table(['', 'loaded ms', 'loaded MB', 'synced ms', 'CPU ms', 'heap MB', 'RSS MB', 'peak MB', 'objects'],
  listed.map(({ subject, loaded, loadedRss, synced, cpu, heap, rss, peakRss, objects: count }) =>
    [subject, loaded, loadedRss / MB, synced, cpu, heap / MB, rss / MB, peakRss / MB, String(count)])));
console.log(`\n${writes} merge patches, ${CONCURRENCY} at a time`);
console.log(table(['', 'per second', 'p50 ms', 'p90 ms', 'p99 ms', 'CPU ms each'],
  written.map(row => [row.subject, row.perSecond, row.p50, row.p90, row.p99, row.cpuPerWrite])));
console.log(JSON.stringify({ bench: 'kube', objects, writes, rounds, listed, written }));
