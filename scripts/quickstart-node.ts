/**
 * Brings the manifests of the quickstart to life on a real node: controller and router run as Pods, the sandboxes under gVisor
 * and behind enforced policies. Then it shows what a sandbox is for.
 */
import * as path from 'node:path';
import { App, Chart } from 'cdk8s';
import { imageName, isBuilt, writeImage } from './images';
import type { Manifest } from './manifest-table';
import { type RunOptions, SYSTEM, apply, lookAround, steps, watchClaims, watchPools } from './quickstart-cluster';
import { allowCaller, runCommand, withSandbox } from './quickstart-command';
import { ROUTER } from '../api/vocabulary';
import { AgentSandboxController, Isolation, Probe, SandboxClaim, SandboxNetwork, SandboxTemplate } from '../src';
import type { ControlPlane } from '../testbed/src/index.js';

const PROGRAMS = ['controller', 'router', 'runtime'];

/** Sandboxes that wait: as many as two cores hold beside the cluster. */
const POOL_SIZE = 2;

const KERNEL = ['cat', '/proc/version'];

/** The address where clouds hand out the credentials of a node. */
const METADATA = '169.254.169.254';
const ASK_METADATA = ['node', '-e', `require('net').connect({ host: '${METADATA}', port: 80, timeout: 2000 })`
  + ".on('connect', () => { console.log('reached'); process.exit(); }).on('error', () => { console.log('blocked'); process.exit(); })"
  + ".on('timeout', () => { console.log('blocked'); process.exit(); })"];

/** Ends when the user wants it to, with everything that it has started. Throws if a program does not become ready. */
export async function runOnNode(options: RunOptions): Promise<void> {
  const { ControlPlane, NODE_PROGRAMS, findPrograms, missingForNode } = await import('../testbed/src/index.js');
  const found = findPrograms(NODE_PROGRAMS);
  const reason = missingForNode() ?? (found.kind === 'nothing' ? found.reason : undefined);
  if (reason) {
    throw new Error(reason);
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const step = steps();
  console.log(`\n${options.heading('On a real node')}`);
  const cluster = await step('node', () => ControlPlane.start({ node: true }), ({ nodes }) => `${nodes[0].name}: kubelet, containerd, runc, gVisor, kube-router`);
  try {
    await step('images', () => importImages(cluster, options.workDir), () => PROGRAMS.map(imageName).join(', '));
    await step('chart', () => install(cluster, options.workDir), () => 'controller and router run as Pods of the restricted level, behind their policies');
    const objects = forNode(options.objects);
    const claims = objects.filter(({ kind }) => kind === 'SandboxClaim');
    const others = objects.filter(({ kind }) => kind !== 'SandboxClaim');
    await step('manifests', () => apply(cluster, options.workDir, 'team', others), () => `${others.length} objects, all but the claim`);
    console.log('');
    await watchPools(cluster, others.filter(({ kind }) => kind === 'SandboxWarmPool'), options.heading, stop.signal);
    await apply(cluster, options.workDir, 'claims', claims);
    await watchClaims(cluster, claims, options.heading, stop.signal);
    await using router = await forwardRouter(cluster);
    const url = `http://127.0.0.1:${router.port}`;
    if (!stop.signal.aborted) {
      await showSandbox(cluster, claims[0], url, options);
    }
    if (options.keep && !stop.signal.aborted) {
      await openEditor(cluster, claims[0].metadata.namespace!, url, options, stop.signal);
      console.log(`\n${options.heading('Look around')}\n${await lookAround(cluster, objects, '{kubelet-0,kube-router-0}.log')}\n\nCtrl-C ends and removes all of it.`);
      await new Promise(resolve => stop.signal.addEventListener('abort', resolve, { once: true }));
    }
  } finally {
    await cluster.stop();
    console.log('\nEnded; nothing is left.');
  }
}

async function importImages(cluster: ControlPlane, workDir: string): Promise<void> {
  for (const program of PROGRAMS) {
    await cluster.nodes[0].importImages(await writeImage(program, path.join(workDir, 'images')));
  }
}

/** Installs the chart and waits until controller and router are available. */
async function install(cluster: ControlPlane, workDir: string): Promise<void> {
  const outdir = path.join(workDir, 'chart');
  const app = new App({ outdir });
  new AgentSandboxController(app, 'agent-sandbox', {
    namespace: SYSTEM,
    image: imageName('controller'),
    // The way from here to the router does not leave this machine, so its requests need no TLS.
    router: { image: imageName('router'), allowHttpTokens: true },
  });
  app.synth();
  await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', outdir]);
  await cluster.kubectl(['wait', '--for=condition=Available', 'deployment', '--all', '-n', SYSTEM, '--timeout=180s']);
}

/** The manifests with an image that exists, and a pool that fits. */
function forNode(objects: readonly Manifest[]): Manifest[] {
  return structuredClone(objects as Manifest[]).map((object: any) => {
    if (object.kind === 'SandboxTemplate') {
      object.spec.podTemplate.spec.containers[0].image = imageName('runtime');
    } else if (object.kind === 'SandboxWarmPool') {
      object.spec.replicas = POOL_SIZE;
    }
    return object;
  });
}

/** A way from this machine to the router. */
async function forwardRouter(cluster: ControlPlane) {
  const { spec } = await cluster.admin.get({ apiVersion: 'v1', kind: 'Service', namespace: SYSTEM, name: ROUTER.service });
  return cluster.nodes[0].forward(spec.clusterIP, spec.ports[0].port);
}

/** Runs VS Code in a sandbox and says where to open it, if its image was built before: that takes minutes. */
async function openEditor(
  cluster: ControlPlane, namespace: string, url: string, { workDir, heading }: RunOptions, signal: AbortSignal,
): Promise<void> {
  console.log(`\n${heading('VS Code')}`);
  if (!isBuilt('vscode')) {
    console.log('  left out, since its image is not built: npm run images -- vscode');
    return;
  }
  const step = steps();
  const name = 'editor';
  const container = {
    image: imageName('vscode'), port: 8080, cpu: '100m', memory: '512Mi', runAsUser: 1000, readOnlyRoot: true, writablePaths: ['/tmp', '/workspace'],
    readiness: Probe.httpGet('/healthz'),
  };
  await step('image', async () => cluster.nodes[0].importImages(await writeImage('vscode', path.join(workDir, 'images'))), names => names.join(', '));
  await step('sandbox', async () => {
    const outdir = path.join(workDir, 'editor');
    const app = new App({ outdir });
    const chart = new Chart(app, 'editor', { namespace });
    const template = new SandboxTemplate(chart, name, { containers: [container], isolation: Isolation.gvisor(), network: SandboxNetwork.dnsOnly() });
    new SandboxClaim(chart, 'claim', { name, template });
    app.synth();
    await cluster.kubectl(['apply', '--server-side', '-f', outdir]);
    await cluster.kubectl(['wait', '--for=condition=Ready', `sandboxclaim/${name}`, '-n', namespace, '--timeout=180s']);
  }, () => 'under gVisor, as an editor in the browser');
  await withSandbox({ cluster, namespace, claim: name }, url, async sandbox => {
    await using forward = await sandbox.forward({ port: 8080, path: '/?folder=/workspace', signal });
    console.log(`  open ${forward.url} until Ctrl-C`);
    await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
  });
}

async function showSandbox(cluster: ControlPlane, claim: Manifest, url: string, { heading }: RunOptions): Promise<void> {
  const step = steps();
  console.log(`\n${heading('Inside the sandbox')}`);
  const { name, namespace } = claim.metadata;
  await allowCaller(cluster, namespace!);
  const place = { cluster, namespace: namespace!, claim: name };
  const said = ({ stdout, milliseconds }: { stdout: string; milliseconds: number }) => `${stdout.trim().slice(0, 60)} (${milliseconds.toFixed(0)} ms)`;
  await step('kernel', () => runCommand(place, url, KERNEL), said);
  await step('metadata', () => runCommand(place, url, ASK_METADATA), result => `${METADATA}: ${said(result)}`);
  await step('suspend', () => withSandbox(place, url, sandbox => sandbox.suspend()), () => 'the Pod is gone, the Sandbox stays');
  await step('resume', () => withSandbox(place, url, sandbox => sandbox.resume()), () => 'a new Pod serves under the same name');
  await step('again', () => runCommand(place, url, KERNEL), said);
}
