import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { EXAMPLES, readManifests, synthesize } from '../../../scripts/example-apps';
import { imageName } from '../../../scripts/images';
import type { ControlPlane, KubeObject } from '../../../testbed/src/index.js';

/** Images that stand for builds of ours in the examples. */
const PLACEHOLDER = /^registry\.example\/agent-sandbox-([a-z-]+)@sha256:0{64}$/;

/**
 * What the app of an example makes, with the images of this tree. What needs a runtime that the node does not have is left out. Namespaces are
 * those of the example.
 */
export function exampleObjects(name: string, change: (object: any) => void = () => undefined): KubeObject[] {
  const outdir = fs.mkdtempSync(path.join(os.tmpdir(), 'node-examples-'));
  try {
    synthesize(path.join(EXAMPLES, name), outdir);
    const objects = [...readManifests(outdir).values()].flatMap(text => parseAllDocuments(text)).map(document => document.toJS() as KubeObject);
    const usable = objects.filter(({ spec }) => [undefined, 'gvisor'].includes(spec?.podTemplate?.spec?.runtimeClassName));
    for (const object of usable) {
      for (const container of object.spec?.podTemplate?.spec?.containers ?? []) {
        const [, image] = PLACEHOLDER.exec(container.image) ?? [];
        if (image === undefined) {
          throw new Error(`example ${name} has the image ${container.image}, which is none of ours`);
        }
        container.image = imageName(image);
      }
      change(object);
    }
    return usable;
  } finally {
    fs.rmSync(outdir, { recursive: true });
  }
}

/** Applies objects, namespaces first. */
export async function applyObjects(cluster: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
  const isNamespace = ({ kind }: KubeObject) => kind === 'Namespace';
  for (const object of [...objects.filter(isNamespace), ...objects.filter(each => !isNamespace(each))]) {
    await cluster.admin.apply(object, { force: true });
  }
}
