import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { App, Chart } from 'cdk8s';
import { imageName, writeImage } from '../../../scripts/images';
import { AgentSandboxController, type AgentSandboxControllerProps } from '../../../src';
import type { ControlPlane } from '../../../testbed/src/index.js';

/** Where the chart puts controller and router. */
export const SYSTEM = 'agent-sandbox-system';

/** Images of the programs, under the names that their archives carry. */
export const IMAGES = { controller: imageName('controller'), router: imageName('router'), runtime: imageName('runtime') };

/** Milliseconds that Deployments of the installation may take. */
const ROLLOUT_MS = 180_000;

/** Makes images available on the nodes, by default those of the programs; existing images stay. */
export async function importImages(cluster: ControlPlane, images: readonly string[] = Object.keys(IMAGES)): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'node-tests-images-'));
  try {
    for (const node of cluster.nodes) {
      const there = await node.images();
      for (const image of images) {
        if (!there.includes(imageName(image))) {
          const archive = path.join(dir, `${image}.oci.tar`);
          await node.importImages(fs.existsSync(archive) ? archive : await writeImage(image, dir));
        }
      }
    }
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
}

/** Installs controller and router as the construct does it, and waits until both serve. What is installed already stays. */
export async function install(cluster: ControlPlane, props: Partial<AgentSandboxControllerProps> = {}): Promise<void> {
  await importImages(cluster);
  await apply(cluster, app => new AgentSandboxController(app, 'agent-sandbox', {
    namespace: SYSTEM, image: IMAGES.controller, router: { image: IMAGES.router }, ...props,
  }));
  await rolledOut(cluster);
}

/** Waits until all Deployments of the installation have the Pods of their present templates. */
export async function rolledOut(cluster: ControlPlane): Promise<void> {
  for (const { metadata: { name } } of await cluster.admin.list('apps/v1', 'Deployment', SYSTEM)) {
    await cluster.admin.waitFor({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: SYSTEM, name: name! }, ({ metadata, spec, status }) =>
      status?.observedGeneration === metadata.generation && status?.updatedReplicas === spec.replicas && status?.availableReplicas === spec.replicas
      && status?.replicas === spec.replicas,
    { timeoutMs: ROLLOUT_MS });
  }
}

/** Applies what constructs make. */
async function apply(cluster: ControlPlane, build: (app: App) => void): Promise<void> {
  const outdir = fs.mkdtempSync(path.join(os.tmpdir(), 'node-tests-'));
  try {
    const app = new App({ outdir });
    build(app);
    app.synth();
    await cluster.kubectl(['apply', '--server-side', '--force-conflicts', '-f', outdir]);
  } finally {
    fs.rmSync(outdir, { recursive: true });
  }
}

/** Applies what constructs make in a chart of one namespace. */
export function applyIn(cluster: ControlPlane, namespace: string, build: (chart: Chart) => void): Promise<void> {
  return apply(cluster, app => build(new Chart(app, 'objects', { namespace })));
}
