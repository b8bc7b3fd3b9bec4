/**
 * Prints, as JSON by file name, the definitions and the manifests of a release: `manifests.ts VERSION CONTROLLER-IMAGE ROUTER-IMAGE`. With `--definitions`,
 * the definitions as a list.
 */
import { App, Chart, Yaml } from 'cdk8s';
import { AgentSandboxCrds } from '../../src';
import { installYaml } from '../helm/install-yaml';

function definitions(): unknown[] {
  const chart = new Chart(new App({ outdir: '/nonexistent' }), 'crds');
  new AgentSandboxCrds(chart, 'crds');
  return chart.toJson();
}

/** The manifest of the repository with the images of the release. */
function withImages(name: string, text: string, version: string, images: Record<string, string>): string {
  const body = text.replace(/^(#.*\n)+/, '').replace(/REPLACE-WITH-YOUR-REGISTRY\/agent-sandbox-(\w+):REPLACE-WITH-YOUR-TAG/g, (_, program: string) => images[program]);
  if (body.includes('REPLACE-WITH')) {
    throw new Error(`install/${name} has a placeholder that a release does not know`);
  }
  return `# cdk8s-agent-sandbox ${version}: kubectl apply --server-side -f ${name}\n${body}`;
}

const [first, controller, router] = process.argv.slice(2);
process.stdout.write(JSON.stringify(first === '--definitions' ? definitions() : Object.fromEntries([
  ['crds.yaml', `# cdk8s-agent-sandbox ${first}: kubectl apply --server-side -f crds.yaml\n${Yaml.stringify(...definitions())}`],
  ...[...installYaml()].map(([name, text]) => [name, withImages(name, text, first, { controller, router })] as const),
])));
