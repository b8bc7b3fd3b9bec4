import { existsSync } from 'node:fs';
import { BackgroundControlPlane } from '../background.js';
import { FOREIGN_CRDS_DIR, PROJECT_CRDS_DIR } from '../crds.js';
import { seconds } from './format.js';

export interface UpCommandOptions {
  /** Number of fake nodes, without real ones. */
  readonly nodes: number;
  /** Number of real nodes. */
  readonly realNodes: number;
  /** Whether to install the CRDs of this project and the stand-ins of foreign kinds. */
  readonly crds: boolean;
}

/** Starts the background control plane and says how to use it. */
export async function up({ nodes, realNodes, crds }: UpCommandOptions): Promise<void> {
  const begin = performance.now();
  const { controlPlane, started } = await BackgroundControlPlane.start({
    ...realNodes > 0 ? { node: { count: realNodes } } : { fakeNodes: nodes || undefined }, auditLog: true,
  });
  const installed = crds ? await controlPlane.installCrds(...[PROJECT_CRDS_DIR, FOREIGN_CRDS_DIR].filter(existsSync)) : [];
  await controlPlane.close();
  console.log([
    started ? `started in ${seconds(performance.now() - begin)} at ${controlPlane.connection.server}` : `runs already at ${controlPlane.connection.server}`,
    ...controlPlane.nodes.map(node => `${node.name} runs pods; its files are in ${node.dir}`),
    ...(crds ? [`${installed.length} CustomResourceDefinitions installed`] : []),
    '',
    'use it:   eval "$(npm run --silent testbed -- env)"',
    `or with:  kubectl --kubeconfig ${BackgroundControlPlane.kubeconfigPath} get nodes`,
    'stop it:  npm run testbed -- down',
  ].join('\n'));
}

/** Stops the background control plane. */
export async function down(): Promise<void> {
  console.log(await BackgroundControlPlane.stop() ? 'stopped' : 'nothing runs');
}
