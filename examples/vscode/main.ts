import { App, Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { Isolation, PodSecurityLevel, Relaxation, Sandbox, SandboxNamespace, SandboxNetwork, SandboxVolume } from 'cdk8s-agent-sandbox';

// REPLACE: pin the image by its digest.
const IMAGE = 'ghcr.io/coder/envbuilder';
// REPLACE: the repository to work on. It needs a devcontainer that starts code-server on port 13337.
const REPOSITORY = 'https://git.example/your-team/your-project';

/** A development environment: built from the repository's devcontainer at its first start, kept on a volume. */
function workspace(scope: Construct, name: string, isolation: Isolation, memory: string): Sandbox {
  return new Sandbox(scope, name, {
    podLabels: { sandbox: name },
    containers: [{
      name: 'devcontainer-main',
      image: IMAGE,
      port: 13337,
      cpu: '1',
      cpuLimit: '4',
      memory,
      memoryLimit: '8Gi',
      ephemeralStorage: '4Gi',
      env: {
        ENVBUILDER_GIT_URL: kplus.EnvValue.fromValue(REPOSITORY),
        ENVBUILDER_GIT_CLONE_SINGLE_BRANCH: kplus.EnvValue.fromValue('true'),
        ENVBUILDER_DEVCONTAINER_DIR: kplus.EnvValue.fromValue('.devcontainer'),
        ENVBUILDER_INIT_SCRIPT: kplus.EnvValue.fromValue('.devcontainer/start.sh'),
        ENVBUILDER_IGNORE_PATHS: kplus.EnvValue.fromValue('/var/run,/product_uuid,/product_name'),
      },
      mounts: [{ path: '/workspaces', volume: SandboxVolume.persistent('workspaces-pvc', { size: '10Gi' }) }],
      // envbuilder unpacks an image over its own root file system: as root, with chown and the like. sudo stays off.
      relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.DEFAULT_CAPABILITIES],
    }],
    isolation,
    network: SandboxNetwork.publicInternet(),
  });
}

const app = new App();
const chart = new Chart(app, 'workspaces', { namespace: 'workspaces' });

// "restricted" would refuse containers that run as root.
new SandboxNamespace(chart, 'workspaces', { enforce: PodSecurityLevel.BASELINE });

workspace(chart, 'vscode-gvisor', Isolation.gvisor(), '2Gi');
workspace(chart, 'vscode-kata', Isolation.kata(), '2Gi');
workspace(chart, 'vscode-aks', Isolation.kataMshv(), '4Gi');

app.synth();
