import { ControlPlane } from '../../testbed/src/index.js';
import type { Score } from './scanners';

/** What the API server says about Pods in a namespace that enforces the Pod Security Standard *restricted*. */
export async function podSecurityFindings(manifests: readonly any[]): Promise<Score> {
  const cluster = await ControlPlane.start();
  try {
    const of = (kind: string) => manifests.filter(each => each.kind === kind);
    await cluster.admin.create(of('Namespace')[0]);
    // Pods name a RuntimeClass, and the ServiceAccount `default`, which a controller would make.
    for (const name of new Set(of('Pod').map(({ spec }) => spec.runtimeClassName))) {
      await cluster.admin.create({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, handler: name } as any);
    }
    const { namespace } = of('Pod')[0].metadata;
    await cluster.admin.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }).catch(() => undefined);
    const answers = await Promise.all(of('Pod').map(pod => cluster.admin.create(pod, { dryRun: 'All' }).then(() => undefined, (error: Error) => error.message)));
    const refused = answers.filter(each => each !== undefined);
    return { passed: answers.length - refused.length, findings: refused.length > 0 ? [{ id: 'restricted', words: refused[0]! }] : [] };
  } finally {
    await cluster.stop();
  }
}
