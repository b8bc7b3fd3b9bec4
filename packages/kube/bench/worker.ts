/**
 * Runs in a process of its own, so that memory and processor time are its own. `list SUBJECT KUBECONFIG` fills a cache,
 * `write SUBJECT KUBECONFIG COUNT CONCURRENCY` patches labels; either prints its measurements as one line of JSON.
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { KubeObject } from '../src/object.js';
import { GROUP, NAMESPACE, PLURAL, VERSION, nameOf } from './subject.js';

export interface ListSample {
  /** Milliseconds to load the modules. */
  readonly load: number;
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
interface Client {
  /** Resolves when all objects are in memory, with their number. */
  sync(): Promise<number>;
  patch(name: string, label: string): Promise<unknown>;
  close(): Promise<void>;
}

type Factory = (kubeconfig: string) => Promise<Client>;

async function ours(kubeconfig: string, freeze: boolean): Promise<Client> {
  const { Cluster, Informer, Writer, customResource, loadCredentials } = await import('../src/index.js');
  const resource = customResource<KubeObject>(GROUP, VERSION, 'Sandbox', PLURAL);
  const cluster = new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'bench' });
  const informer = new Informer(cluster, resource, { freeze });
  const writer = new Writer(cluster);
  const stop = new AbortController();
  let running: Promise<void> | undefined;
  return {
    sync: async () => {
      running = informer.run(stop.signal);
      await informer.waitForSync();
      return informer.store.size;
    },
    patch: (name, label) => writer.mergePatch(resource, { namespace: NAMESPACE, name }, { metadata: { labels: { bench: label } } }),
    close: async () => {
      stop.abort();
      await running;
      await cluster.close();
    },
  };
}

async function clientNode(kubeconfig: string): Promise<Client> {
  const { CustomObjectsApi, KubeConfig, PatchStrategy, makeInformer, setHeaderOptions } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CustomObjectsApi);
  const list = () => api.listClusterCustomObject({ group: GROUP, version: VERSION, plural: PLURAL });
  const informer = makeInformer<KubernetesObject>(config, `/apis/${GROUP}/${VERSION}/${PLURAL}`, list);
  return {
    sync: async () => {
      await informer.start();
      return (informer as unknown as { list(): unknown[] }).list().length;
    },
    patch: (name, label) => api.patchNamespacedCustomObject(
      { group: GROUP, version: VERSION, plural: PLURAL, namespace: NAMESPACE, name, body: { metadata: { labels: { bench: label } } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    ),
    close: async () => informer.stop(),
  };
}

const CLIENTS: Record<string, Factory> = {
  'ours': kubeconfig => ours(kubeconfig, true),
  'ours-unfrozen': kubeconfig => ours(kubeconfig, false),
  'client-node': clientNode,
};

async function list(factory: Factory, kubeconfig: string): Promise<ListSample> {
  const begin = performance.now();
  const client = await factory(kubeconfig);
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
    load: loaded - begin, loadedRss, synced, cpu: (used.user + used.system) / 1000, rss, peakRss: process.resourceUsage().maxRSS * 1024, heap: heapUsed, objects,
  };
}

async function write(factory: Factory, kubeconfig: string, count: number, concurrency: number): Promise<WriteSample> {
  const client = await factory(kubeconfig);
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

const [command, subject, kubeconfig, count, concurrency] = process.argv.slice(2);
const result = command === 'list' ? await list(CLIENTS[subject], kubeconfig) : await write(CLIENTS[subject], kubeconfig, Number(count), Number(concurrency));
console.log(JSON.stringify(result));
process.exit(0);
