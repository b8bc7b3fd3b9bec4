import { existsSync } from 'node:fs';
import { FAKE_NODE_PROGRAMS, findPrograms } from '../binaries.js';
import { ControlPlane } from '../control-plane.js';
import { FOREIGN_CRDS_DIR, PROJECT_CRDS_DIR } from '../crds.js';

/** Fake nodes of the control plane that suites share. Two, so that rules about spreading have a choice. */
const FAKE_NODES = 2;

/** Starts the control plane of a test run: with all that suites may ask for and the programs at hand allow. */
export function startShared(): Promise<ControlPlane> {
  return ControlPlane.start({
    fakeNodes: findPrograms(FAKE_NODE_PROGRAMS).kind === 'binaries' ? FAKE_NODES : undefined,
    auditLog: true,
    crds: [PROJECT_CRDS_DIR, FOREIGN_CRDS_DIR].filter(existsSync),
  });
}
