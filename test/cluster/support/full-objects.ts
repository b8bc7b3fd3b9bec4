import { type Json, type KindName, type VersionName, schemaOf } from '../../../api/test/crd-files';
import { everyField } from '../../../api/test/every-field';
import { condition } from './bench';

/** Wire values only: the classes of the constructs are not what is tested here. */
const PLAIN = { quantity: (text: string) => text, intOrString: (value: number | string) => value };

/**
 * A spec with every field of a version's schema set. A claim names either a pool or a template, so there are two: `variant` says which.
 */
export function fullSpec(kind: KindName, version: VersionName, variant: 'pool' | 'template' = 'pool'): Json {
  const spec: Json = everyField(schemaOf(kind, version, 'spec'), PLAIN).wire;
  if (kind === 'SandboxClaim') {
    const { warmPoolRef, sandboxTemplateRef, warmpool, ...rest } = spec;
    return variant === 'pool' ? { ...rest, warmPoolRef } : { ...rest, sandboxTemplateRef, warmpool };
  }
  return spec;
}

/** A status with every field of the schema set, the values being such that conditions take them. */
export function fullStatus(kind: KindName): Json {
  const ready = { ...condition('Ready', 'True', 'AllGood', 'all is well'), observedGeneration: 3 };
  const other = condition('Finished', 'False', 'StillRunning');
  switch (kind) {
    case 'Sandbox': return {
      conditions: [ready, other], selector: 'agents.x-k8s.io/sandbox-name-hash=374de8f5', service: 'my-sandbox',
      serviceFQDN: 'my-sandbox.default.svc.cluster.local', podIPs: ['10.0.0.1', 'fd00::1'], nodeName: 'node-1', replicas: 1,
    };
    case 'SandboxClaim': return {
      conditions: [ready, other], sandbox: { name: 'pool-abcde', podIPs: ['10.0.0.1'], serviceFQDN: 'pool-abcde.default.svc.cluster.local' }, sandboxName: 'pool-abcde',
    };
    case 'SandboxWarmPool': return {
      replicas: 3, readyReplicas: 2, updatedReplicas: 1, selector: 'agents.x-k8s.io/warm-pool-sandbox=91dd7983', observedGeneration: 7, conditions: [ready, other],
    };
    case 'SandboxTemplate': throw new Error('templates have no status');
  }
}
