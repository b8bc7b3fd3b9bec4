import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ApiClient, KubeObject } from './api-client.js';
import { TESTBED_DIR } from './programs.js';
import { waitFor } from './wait.js';

/** Reduced stand-ins of the foreign kinds that examples use. */
export const FOREIGN_CRDS_DIR = join(TESTBED_DIR, 'crds');

/** The CRDs of this project. */
export const PROJECT_CRDS_DIR = join(TESTBED_DIR, '..', 'chart', 'files', 'crds');

/** Objects of YAML files; a folder stands for the `.yaml` files directly in it. */
export async function readManifests(paths: readonly string[]): Promise<KubeObject[]> {
  const files: string[] = [];
  for (const path of paths) {
    files.push(...(await stat(path)).isDirectory() ? (await readdir(path)).filter(name => name.endsWith('.yaml')).sort().map(name => join(path, name)) : [path]);
  }
  const objects: KubeObject[] = [];
  for (const file of files) {
    for (const document of parseAllDocuments(await readFile(file, 'utf8'))) {
      if (document.errors.length > 0) {
        throw new Error(`${file}: ${document.errors[0].message}`);
      }
      const object = document.toJS();
      if (object) {
        objects.push(object);
      }
    }
  }
  return objects;
}

/** Applies CRDs (other kinds in the files are left alone) and waits until each is Established and served in every version. */
export async function installCrds(client: ApiClient, paths: readonly string[]): Promise<string[]> {
  const crds = (await readManifests(paths)).filter(object => object.kind === 'CustomResourceDefinition');
  await Promise.all(crds.map(async crd => {
    await client.apply(crd, { force: true });
    await client.waitFor({ ...crd, name: crd.metadata.name! }, isEstablished);
    const served = crd.spec.versions.filter((version: any) => version.served);
    await Promise.all(served.map((version: any) => waitFor(
      () => client.request('GET', `/apis/${crd.spec.group}/${version.name}/${crd.spec.names.plural}`, { query: { limit: 1 } }),
      { what: `the server to serve ${crd.metadata.name} ${version.name}` },
    )));
  }));
  return crds.map(crd => crd.metadata.name!);
}

function isEstablished(crd: KubeObject): boolean {
  return (crd.status?.conditions ?? []).some((condition: any) => condition.type === 'Established' && condition.status === 'True');
}
