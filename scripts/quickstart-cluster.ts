/**
 * Applies the manifests of the quickstart to a real API server and says what the server holds afterwards.
 */
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';
import { createInterface } from 'node:readline/promises';
import { REPOSITORY } from './example-apps';
import { Manifest, format, rows } from './manifest-table';

const BUILD = 'npm run testbed -- build';

/** What the API server made of the manifests. */
export interface ServerView {
  /** Where it was applied, in words. */
  readonly where: string;
  /** The objects as the server holds them, in the order of the manifests. */
  readonly objects: readonly Manifest[];
}

/**
 * Applies `manifests` (a folder) to the cluster that the testbed finds, and reads every object back. A control plane that
 * was started for this is stopped again.
 *
 * @throws if there is nothing to apply to, or the server refuses something
 */
export async function applyToCluster(manifests: string, objects: readonly Manifest[]): Promise<ServerView> {
  const { BackgroundControlPlane } = await import('../testbed/src/background.js');
  const { ControlPlane, PROJECT_CRDS_DIR, resolve } = await import('../testbed/src/index.js');
  const { ProvidedCluster } = await import('../testbed/src/provided-cluster.js');
  let found = resolve();
  if (found.kind === 'nothing') {
    await offerBuild(found.reason);
    found = resolve();
  }
  if (found.kind === 'nothing') {
    throw new Error(found.reason);
  }
  const running = found.kind === 'provided' ? ProvidedCluster.connect(found) : await BackgroundControlPlane.find();
  const own = running ? undefined : await ControlPlane.start();
  const cluster = running ?? own!;
  try {
    await cluster.installCrds(PROJECT_CRDS_DIR);
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', manifests]);
    const held: Manifest[] = [];
    for (const { kind, metadata: { name, namespace } } of objects) {
      const { stdout } = await cluster.kubectl(['get', kind, name, ...(namespace ? ['-n', namespace] : []), '-o', 'json']);
      held.push(JSON.parse(stdout));
    }
    const version = JSON.parse((await cluster.kubectl(['version', '-o', 'json'])).stdout).serverVersion.gitVersion;
    const which = found.kind === 'provided' ? 'the cluster of AGENT_SANDBOX_TEST_KUBECONFIG' : own ? 'a control plane of its own, which is stopped now' : 'the control plane of "npm run testbed -- up"';
    return { where: `Kubernetes ${version}, ${which}`, objects: held };
  } finally {
    await (own?.stop() ?? cluster.close());
  }
}

/** The table of what the server holds, with what it adds to each object. */
export function serverReport({ where, objects }: ServerView, heading: (text: string) => string): string {
  const table = format(rows(objects), heading).split('\n').map(line => `  ${line}`).join('\n');
  return `The API server (${where}) accepted all of it, and holds\n\n${table}`;
}

/** A build takes minutes: only who says yes gets one. */
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
