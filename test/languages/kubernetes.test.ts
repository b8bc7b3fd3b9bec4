import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES } from '../../scripts/example-apps';
import { findPrograms } from '../../testbed/src/index.js';
import { artifact, describeRelease, emptyFolder, release, run } from './release';

const found = findPrograms(['helm', 'kubeconform']);
const programOf = (name: 'helm' | 'kubeconform') => (found.kind === 'binaries' ? found.find(name) : undefined) ?? name;

describeRelease('the files of a release for Kubernetes', [programOf('helm'), programOf('kubeconform')], () => {
  const folder = emptyFolder();

  test('Helm installs the chart from its package', () => {
    const { version } = release();
    const chart = artifact(release(), /^chart\//);
    expect(run(folder, programOf('helm'), ['show', 'chart', chart])).toContain(`\nversion: ${version}\n`);
    const objects = parseAllDocuments(run(folder, programOf('helm'), ['template', 'agent-sandbox', chart, '--namespace', 'agent-sandbox-system', '--set', 'router.enabled=true']))
      .map(document => document.toJS()).filter(Boolean);
    const images = objects.filter(({ kind }) => kind === 'Deployment').flatMap(({ spec }) => spec.template.spec.containers.map(({ image }: any) => image));
    expect(images.sort()).toEqual(['controller', 'router'].map(name => expect.stringMatching(new RegExp(`/agent-sandbox-${name}:${version}`))));
  });

  test('kubeconform checks manifests by the schemas, and refuses fields that do not exist', () => {
    const schemas = path.join(folder, 'schemas');
    fs.mkdirSync(schemas);
    run(folder, 'tar', ['-xzf', artifact(release(), /^schemas\//), '-C', schemas]);
    const check = (file: string) => spawnSync(programOf('kubeconform'), [
      '-strict', '-summary', '-schema-location', `${schemas}/{{ .Group }}/{{ .ResourceKind }}_{{ .ResourceAPIVersion }}.json`, file,
    ], { encoding: 'utf8' });
    expect(check(path.join(EXAMPLES, 'network-cookbook', 'manifests'))).toMatchObject({ status: 0, stdout: expect.stringMatching(/Valid: 1\d, Invalid: 0, Errors: 0/) });
    const wrong = path.join(folder, 'pool.yaml');
    fs.writeFileSync(wrong, 'apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata:\n  name: a\nspec:\n  sandboxTemplateRef:\n    name: t\n  poolSize: 3\n');
    expect(check(wrong)).toMatchObject({ status: 1, stdout: expect.stringContaining('poolSize') });
  });

  test('the installation for kubectl and the definitions are manifests with the images of the release', () => {
    const install = fs.readFileSync(artifact(release(), /^install\/agent-sandbox\.yaml$/), 'utf8');
    expect(install).toContain(`/agent-sandbox-controller:${release().version}`);
    const kinds = parseAllDocuments(fs.readFileSync(artifact(release(), /^install\/.*crds.*\.yaml$/), 'utf8')).map(document => document.toJS().kind);
    expect(kinds).toEqual(Array(4).fill('CustomResourceDefinition'));
  });
});
