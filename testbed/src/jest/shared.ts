import { existsSync } from 'node:fs';
import { FAKE_NODE_PROGRAMS, findPrograms, resolve } from '../binaries.js';
import { ControlPlane } from '../control-plane.js';
import { FOREIGN_CRDS_DIR, PROJECT_CRDS_DIR } from '../crds.js';
import { ProvidedCluster } from '../provided-cluster.js';

/** Fake nodes of the control plane that suites share. Two, so that rules about spreading have a choice. */
const FAKE_NODES = 2;

/** What the suites of a run share. */
export interface SharedCluster {
  /** Work folder of a control plane to attach to, undefined if a cluster was provided. */
  readonly dir?: string;
  stop(): Promise<void>;
}

/**
 * Makes ready what the suites of a run share: a control plane with all that suites may ask for and the programs at hand
 * allow, or the CRDs in a provided cluster, if it allows that.
 */
export async function startShared(): Promise<SharedCluster> {
  const crds = [PROJECT_CRDS_DIR, FOREIGN_CRDS_DIR].filter(existsSync);
  const found = resolve();
  if (found.kind === 'provided') {
    const cluster = ProvidedCluster.connect(found);
    try {
      if (cluster.allowsClusterWrites) {
        await cluster.installCrds(...crds);
      }
    } finally {
      await cluster.close();
    }
    return { stop: async () => undefined };
  }
  const fakeNodes = findPrograms(FAKE_NODE_PROGRAMS).kind === 'binaries' ? FAKE_NODES : undefined;
  return ControlPlane.start({ fakeNodes, auditLog: true, crds });
}

/**
 * Starts the control plane with a real node that suites share, or takes the one in the folder that
 * `AGENT_SANDBOX_TEST_NODE_DIR` names: repeated runs of one test then do not wait for a node each time.
 */
export async function startSharedNode(): Promise<SharedCluster> {
  const dir = process.env.AGENT_SANDBOX_TEST_NODE_DIR;
  if (dir) {
    return { dir, stop: async () => undefined };
  }
  return ControlPlane.start({ node: true, auditLog: true, crds: [PROJECT_CRDS_DIR].filter(existsSync) });
}
