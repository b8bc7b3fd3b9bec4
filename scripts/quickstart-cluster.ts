/**
 * Brings the manifests of the quickstart to life on a control plane of its own: installs the chart, runs the controller,
 * applies the manifests, and shows what becomes of them.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { App } from 'cdk8s';
import { REPOSITORY } from './example-apps';
import { LiveTable } from './live-table';
import type { Manifest } from './manifest-table';
import { runCommand, startRouter, startRuntime } from './quickstart-command';
import { Programs } from './quickstart-programs';
import { ROUTER } from '../api/vocabulary';
import { AgentSandboxController, Isolation, SandboxRuntimeClass } from '../src';
import type { ControlPlane } from '../testbed/src/index.js';

const BUILD = 'npm run testbed -- build';
export const SYSTEM = ROUTER.namespace;

/** The images of the chart's Deployments: nothing pulls them, since the node is a fake. */
const IMAGE = 'registry.example/agent-sandbox-controller:quickstart';
const ROUTER_IMAGE = 'registry.example/agent-sandbox-router:quickstart';

type Heading = (text: string) => string;

/** What runs in the sandbox: something that every machine has. */
const COMMAND = ['sh', '-c', 'echo "Hello from $(uname -s), $(pwd)"'];

export interface RunOptions {
  /** What the team's manifests hold, in their order. */
  readonly objects: readonly Manifest[];
  /** Folder for files of this run. */
  readonly workDir: string;
  /** Whether to keep running until interrupted. */
  readonly keep: boolean;
  readonly heading: Heading;
}

/** Ends when the user wants it to, with everything that it has started. Throws if a program does not become ready. */
export async function runOnCluster(options: RunOptions): Promise<void> {
  const { ControlPlane, FAKE_NODE_PROGRAMS, PROJECT_CRDS_DIR, findPrograms } = await import('../testbed/src/index.js');
  const found = findPrograms(FAKE_NODE_PROGRAMS);
  if (found.kind === 'nothing') {
    await offerBuild(found.reason);
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  console.log(`\n${options.heading('On a cluster')}`);
  const step = steps();
  const cluster = await step('control plane', () => ControlPlane.start({ fakeNodes: 1, crds: [PROJECT_CRDS_DIR] }), ({ components }) => components.join(', '));
  const programs = new Programs(cluster.dir);
  try {
    await step('chart', () => install(cluster, options.workDir), count => `${count} objects, with the rights that the controller has`);
    await step('controller', () => startController(cluster, programs), () => "running here, as the chart's service account: the node is a fake");
    const claims = options.objects.filter(({ kind }) => kind === 'SandboxClaim');
    const others = options.objects.filter(({ kind }) => kind !== 'SandboxClaim');
    await step('manifests', () => apply(cluster, options.workDir, 'team', others), () => `${others.length} objects, all but the claim`);
    console.log('');
    await watchPools(cluster, others.filter(({ kind }) => kind === 'SandboxWarmPool'), options.heading, stop.signal);
    await apply(cluster, options.workDir, 'claims', claims);
    await watchClaims(cluster, claims, options.heading, stop.signal);
    if (!stop.signal.aborted) {
      const { name, namespace } = claims[0].metadata;
      console.log(`\n${options.heading('Inside the sandbox')}`);
      const place = { cluster, programs, workDir: options.workDir, system: SYSTEM, namespace: namespace!, claim: name };
      await step('runtime', () => startRuntime(place), () => 'running here, under the address of the Pod');
      const router = await step('router', () => startRouter(place), url => `${url}, as the chart's service account`);
      const { stdout, milliseconds } = await step('client', () => runCommand(place, router, COMMAND), () => "with a token of the team's service account");
      console.log(`\n  $ ${COMMAND.slice(0, -1).join(' ')} '${COMMAND.at(-1)}'\n  ${stdout.trimEnd()}\n  (${milliseconds.toFixed(0)} ms)`);
    }
    if (options.keep && !stop.signal.aborted) {
      console.log(`\n${options.heading('Look around')}\n${await lookAround(cluster, options.objects)}\n\nCtrl-C ends and removes all of it.`);
      await new Promise(resolve => stop.signal.addEventListener('abort', resolve, { once: true }));
    }
  } finally {
    await programs.end();
    await cluster.stop();
    console.log('\nEnded; nothing is left.');
  }
}

/** Says what is done, then how it went and how long it took. */
export function steps(): <T>(name: string, work: () => Promise<T>, result: (value: T) => string) => Promise<T> {
  return async (name, work, result) => {
    const started = performance.now();
    const value = await work();
    console.log(`  ${name.padEnd(15)}${`${((performance.now() - started) / 1000).toFixed(1)} s`.padStart(7)}  ${result(value)}`);
    return value;
  };
}

/** Applies the chart and what the administrator of a cluster with gVisor has there already. Returns the number of objects. */
async function install(cluster: ControlPlane, workDir: string): Promise<number> {
  const outdir = path.join(workDir, 'chart');
  const app = new App({ outdir });
  const chart = new AgentSandboxController(app, 'agent-sandbox', { namespace: SYSTEM, image: IMAGE, router: { image: ROUTER_IMAGE } });
  new SandboxRuntimeClass(chart, 'gvisor', { isolation: Isolation.gvisor() });
  app.synth();
  const { stdout } = await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', outdir]);
  return stdout.trim().split('\n').length;
}

async function startController(cluster: ControlPlane, programs: Programs): Promise<void> {
  const { path: kubeconfig } = await cluster.kubeconfig({ serviceAccount: `${SYSTEM}/agent-sandbox-controller` });
  await programs.start('controller', [
    `--kubeconfig=${kubeconfig}`, '--extensions', `--leader-election-namespace=${SYSTEM}`, '--metrics-bind-address=0', '--health-probe-bind-address=0',
  ], '"working"');
}

export async function apply(cluster: ControlPlane, workDir: string, name: string, objects: readonly Manifest[]): Promise<void> {
  const file = path.join(workDir, `${name}.json`);
  fs.writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await cluster.kubectl(['apply', '--server-side', '-f', file]);
}

/** Shows the pools while they fill. */
export async function watchPools(cluster: ControlPlane, pools: readonly Manifest[], heading: Heading, signal: AbortSignal): Promise<void> {
  const table = new LiveTable(['POOL', 'NAMESPACE', 'DESIRED', 'READY', 'AFTER'], heading);
  const started = performance.now();
  await until(signal, 60_000, `the pools ${pools.map(({ metadata }) => metadata.name).join(', ')} to fill`, async () => {
    const held = await Promise.all(pools.map(pool => cluster.admin.get(refOf(pool))));
    const full = held.every(({ spec, status }) => (status?.readyReplicas ?? 0) >= (spec.replicas ?? 1));
    table.show(held.map(({ metadata, spec, status }) => [
      metadata.name!, metadata.namespace!, `${spec.replicas ?? 1}`, `${status?.readyReplicas ?? 0}`, since(started),
    ]), full);
    return full;
  });
}

/** Shows the claims until each has its sandbox. */
export async function watchClaims(cluster: ControlPlane, claims: readonly Manifest[], heading: Heading, signal: AbortSignal): Promise<void> {
  const table = new LiveTable(['CLAIM', 'NAMESPACE', 'SANDBOX', 'READY', 'REASON', 'AFTER'], heading);
  const started = performance.now();
  console.log('');
  await until(signal, 60_000, 'the claims to become ready', async () => {
    const held = await Promise.all(claims.map(claim => cluster.admin.get(refOf(claim))));
    const ready = held.map(({ status }) => status?.conditions?.find((condition: any) => condition.type === 'Ready'));
    const done = ready.every(condition => condition?.status === 'True');
    table.show(held.map(({ metadata, status }, index) => [
      metadata.name!, metadata.namespace!, status?.sandbox?.name ?? '-', ready[index]?.status ?? '-', ready[index]?.reason ?? '-', since(started),
    ]), done);
    return done;
  });
}

/** Looks again and again until it is done, the user has had enough, or it takes too long. */
async function until(signal: AbortSignal, timeoutMs: number, what: string, look: () => Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !signal.aborted && !await look();) {
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

function refOf({ apiVersion, kind, metadata: { name, namespace } }: Manifest) {
  return { apiVersion, kind, name, namespace };
}

function since(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

export async function lookAround(cluster: ControlPlane, objects: readonly Manifest[], logs: string = '{controller,router,runtime}.log'): Promise<string> {
  const named = (kind: string) => objects.find(object => object.kind === kind)!.metadata;
  const { namespace } = named('SandboxWarmPool');
  const lines = [
    `export KUBECONFIG=${(await cluster.kubeconfig()).path} PATH=${path.dirname(cluster.kubectlPath)}:$PATH`,
    `kubectl get sandboxwarmpools,sandboxclaims,sandboxes,pods,networkpolicies -n ${namespace}`,
    `kubectl describe sandboxclaim ${named('SandboxClaim').name} -n ${namespace}`,
    `kubectl scale sandboxwarmpool ${named('SandboxWarmPool').name} --replicas=8 -n ${namespace}`,
    `tail ${path.join(cluster.dir, logs)}`,
  ];
  return lines.map(line => `  ${line}`).join('\n');
}

/** A build takes minutes: it starts only after a yes. */
async function offerBuild(reason: string): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new Error(reason);
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${reason}\nBuild it now with "${BUILD}"? It takes about 6 minutes on 2 cores. [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) {
    throw new Error('nothing was built, and nothing was applied');
  }
  const cli = path.join(REPOSITORY, 'testbed', 'src', 'cli.ts');
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', cli, 'build'], { stdio: 'inherit', cwd: REPOSITORY });
  if (status !== 0) {
    throw new Error(`the build failed: run ${BUILD} to see why`);
  }
}
