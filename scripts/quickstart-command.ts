/**
 * Runs a command in a sandbox of the quickstart, as a program of the team would: with the client, a token of a service account,
 * and the router in between.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { RUNTIME_PORT } from '../src/generated/vocabulary.gen';
import type { Programs } from './quickstart-programs';
import type { Sandbox as SandboxHandle } from '../packages/client/src/index.js' with { 'resolution-mode': 'import' };
import type { ControlPlane } from '../testbed/src/index.js';

/** Where the runtime of the sandbox listens: Pods of the fake node have addresses that lead nowhere. */
const RUNTIME_ADDRESS = '127.0.0.2';

/** The service account that the team's program runs as. */
const CALLER = 'agent';

/** Which sandbox. */
export interface ClaimPlace {
  readonly cluster: ControlPlane;
  /** Namespace of the claim. */
  readonly namespace: string;
  /** The claim, which is bound. */
  readonly claim: string;
}

export interface Place extends ClaimPlace {
  readonly programs: Programs;
  /** A place for files of this run. */
  readonly workDir: string;
  /** Namespace of the chart. */
  readonly system: string;
}

/** What a command said, and how long the way to it took. */
export interface Said {
  readonly stdout: string;
  readonly milliseconds: number;
}

/** Gives the Pod of the claim a runtime, which is what its image would have. */
export async function startRuntime({ cluster, programs, workDir, namespace, claim }: Place): Promise<void> {
  const baseDir = path.join(workDir, 'sandbox');
  fs.mkdirSync(baseDir, { recursive: true });
  await programs.start('runtime', [`--listen-host=${RUNTIME_ADDRESS}`, `--port=${RUNTIME_PORT}`, `--base-dir=${baseDir}`], 'listening');
  const { status } = await cluster.admin.get({ apiVersion: 'extensions.agents.x-k8s.io/v1beta1', kind: 'SandboxClaim', namespace, name: claim });
  await cluster.admin.merge(
    { apiVersion: 'v1', kind: 'Pod', namespace, name: status.sandbox.name },
    { status: { podIP: RUNTIME_ADDRESS, podIPs: [{ ip: RUNTIME_ADDRESS }] } },
    'status',
  );
}

/** Starts the router with the rights of the chart, and lets the team's service account use sandboxes. Returns its address. */
export async function startRouter({ cluster, programs, system, namespace }: Place): Promise<string> {
  const { path: kubeconfig } = await cluster.kubeconfig({ serviceAccount: `${system}/sandbox-router` });
  const { freePort } = await import('../testbed/src/ports.js');
  const port = await freePort();
  await programs.start('router', [
    `--kubeconfig=${kubeconfig}`, `--http-bind-address=127.0.0.1:${port}`, '--metrics-bind-address=0', '--health-probe-bind-address=0',
    '--workers=1', '--allow-loopback-pod-ip',
  ], '"listening"');
  await allowCaller(cluster, namespace);
  return `http://127.0.0.1:${port}`;
}

/** Lets the team's service account use sandboxes. */
export async function allowCaller(cluster: ControlPlane, namespace: string): Promise<void> {
  const rbac = 'rbac.authorization.k8s.io';
  await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: CALLER, namespace } });
  await cluster.admin.create({
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { name: CALLER, namespace },
    subjects: [{ kind: 'ServiceAccount', name: CALLER, namespace }],
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'agent-sandbox-user' },
  });
}

/** Runs a command with the client. */
export function runCommand(place: ClaimPlace, router: string, command: readonly string[]): Promise<Said> {
  return withSandbox(place, router, async sandbox => {
    const started = performance.now();
    const { stdout, stderr, exitCode } = await sandbox.commands.run(command);
    if (exitCode !== 0) {
      throw new Error(`${command.join(' ')} ended with ${exitCode}: ${stderr}`);
    }
    return { stdout, milliseconds: performance.now() - started };
  });
}

/** Takes up the sandbox of the claim with the client. */
export async function withSandbox<T>(
  { cluster, namespace, claim }: ClaimPlace, router: string, use: (sandbox: SandboxHandle) => Promise<T>,
): Promise<T> {
  const { RouterToken, SandboxClient, SandboxConnection } = await import('../packages/client/src/index.js');
  const { Cluster, loadCredentials } = await import('../packages/kube/src/index.js');
  const { path: kubeconfig } = await cluster.kubeconfig();
  const api = new Cluster({ credentials: loadCredentials({ kubeconfig }), userAgent: 'quickstart' });
  const client = new SandboxClient({
    cluster: api,
    namespace,
    connection: SandboxConnection.direct({ url: router }),
    token: RouterToken.fromServiceAccount({ name: CALLER }),
  });
  try {
    return await use(await client.get(claim));
  } finally {
    await client.close();
    await api.close();
  }
}
