/** What a worker does: measures one client in a process of its own, so that memory and processor time are its own. */
import { nameOf } from './subject.js';

export interface ListSample {
  /** Milliseconds from the start of the process until all modules are loaded. */
  readonly loaded: number;
  /** Resident set after that, in bytes. */
  readonly loadedRss: number;
  /** Milliseconds from the start to a complete cache. */
  readonly synced: number;
  /** Processor time of that, in milliseconds. */
  readonly cpu: number;
  /** Resident set with the cache, after a garbage collection, and its peak, in bytes. */
  readonly rss: number;
  readonly peakRss: number;
  /** Heap with the cache, after a garbage collection, in bytes. */
  readonly heap: number;
  readonly objects: number;
}

export interface WriteSample {
  /** Milliseconds of each write. */
  readonly latencies: readonly number[];
  /** Milliseconds of all. */
  readonly total: number;
  /** Processor time of all, in milliseconds. */
  readonly cpu: number;
}

/** Something that can list and write, ours or another's. */
export interface Client {
  /** Resolves when all objects are in memory, with their number. */
  sync(): Promise<number>;
  /** Sets a label by a merge patch. */
  patch(name: string, label: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Measures what the command line says, `list KUBECONFIG` or `write KUBECONFIG COUNT CONCURRENCY`, and prints it as one line of JSON. */
export async function measure(make: (kubeconfig: string) => Client): Promise<void> {
  const [command, kubeconfig, count, concurrency] = process.argv.slice(2);
  const client = make(kubeconfig);
  const result = command === 'list' ? await list(client) : await write(client, Number(count), Number(concurrency));
  console.log(JSON.stringify(result));
  process.exit(0);
}

async function list(client: Client): Promise<ListSample> {
  const loaded = performance.now();
  global.gc!();
  const loadedRss = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const objects = await client.sync();
  const synced = performance.now() - start;
  const used = process.cpuUsage(cpu);
  global.gc!();
  const { rss, heapUsed } = process.memoryUsage();
  await client.close();
  return {
    loaded, loadedRss, synced, cpu: (used.user + used.system) / 1000, rss, peakRss: process.resourceUsage().maxRSS * 1024, heap: heapUsed, objects,
  };
}

async function write(client: Client, count: number, concurrency: number): Promise<WriteSample> {
  const run = async (writes: number, latencies: number[]) => {
    let next = 0;
    await Promise.all(Array.from({ length: concurrency }, async () => {
      for (let number = next++; number < writes; number = next++) {
        const begin = performance.now();
        await client.patch(nameOf(number), `${process.pid}-${number}`);
        latencies.push(performance.now() - begin);
      }
    }));
  };
  // Connections and compiled code are there before it counts.
  await run(concurrency * 5, []);
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await run(count, latencies);
  const total = performance.now() - begin;
  const used = process.cpuUsage(cpu);
  await client.close();
  return { latencies, total, cpu: (used.user + used.system) / 1000 };
}
