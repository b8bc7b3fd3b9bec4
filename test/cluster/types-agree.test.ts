import type { Construct } from 'constructs';
import * as fc from 'fast-check';
import { ALL_VERSIONS, type Json, type KindName, type VersionName, schemaOf, typedSpecOf } from '../../api/test/crd-files';
import { l1 } from '../../src';
import { ApiError, type KubeObject } from '../../testbed/src/index.js';
import { describeWithControlPlane } from '../../testbed/src/jest/index.js';
import { manifestOf, testChart } from '../helpers';
import { Bench } from './support/bench';
import { differences } from './support/differences';
import { fullSpec } from './support/full-objects';
import { arbitraryOf, brokenRules, mutations, toProps } from './support/random-objects';

/** Objects of each kind and version, and mutations of such. */
const RUNS = Number(process.env.AGENT_SANDBOX_TEST_RUNS ?? 100);
/** Repeats a run that failed; every run says its own. */
const SEED = Number(process.env.AGENT_SANDBOX_TEST_SEED ?? Date.now() % 2 ** 31);

jest.setTimeout(Math.max(60_000, RUNS * 1000));

type L1Class = new (scope: Construct, id: string, props: any) => Construct;
const CLASSES: Readonly<Record<string, L1Class>> = {
  'Sandbox v1beta1': l1.Sandbox, 'Sandbox v1alpha1': l1.SandboxV1Alpha1,
  'SandboxTemplate v1beta1': l1.SandboxTemplate, 'SandboxTemplate v1alpha1': l1.SandboxTemplateV1Alpha1,
  'SandboxClaim v1beta1': l1.SandboxClaim, 'SandboxClaim v1alpha1': l1.SandboxClaimV1Alpha1,
  'SandboxWarmPool v1beta1': l1.SandboxWarmPool, 'SandboxWarmPool v1alpha1': l1.SandboxWarmPoolV1Alpha1,
};
const ARBITRARIES = new Map(ALL_VERSIONS.map(([kind, version]) => [`${kind} ${version}`, arbitraryOf(typedSpecOf(kind, version))]));

/** The rules of a kind beyond its schema. */
function brokenRulesOfKind(kind: KindName, spec: Json): string[] {
  switch (kind) {
    case 'SandboxClaim': return [
      ...(('warmPoolRef' in spec) === ('sandboxTemplateRef' in spec) ? ['not exactly one of warmPoolRef and sandboxTemplateRef'] : []),
      ...('warmpool' in spec && !('sandboxTemplateRef' in spec) ? ['warmpool without sandboxTemplateRef'] : []),
    ];
    // The scale subresource counts with 32 bits.
    case 'SandboxWarmPool': return spec.replicas > 2 ** 31 - 1 ? ['replicas beyond 32 bits'] : [];
    default: return [];
  }
}

describeWithControlPlane(`the types of the L1 and the server (AGENT_SANDBOX_TEST_SEED=${SEED} AGENT_SANDBOX_TEST_RUNS=${RUNS})`, testbed => {
  const bench = new Bench(testbed);
  const send = async (object: KubeObject): Promise<KubeObject | ApiError> => {
    try {
      return await bench.dryRun(object);
    } catch (error) {
      if (error instanceof ApiError) {
        return error;
      }
      throw error;
    }
  };

  test.each(ALL_VERSIONS)('agree on any %s of %s: what the types allow is accepted unless a rule says why not', async (kind, version) => {
    const schema = typedSpecOf(kind, version);
    let accepted = 0;
    await fc.assert(fc.asyncProperty(ARBITRARIES.get(`${kind} ${version}`)!, async spec => {
      const manifest = synthesize(kind, version, toProps(schema, spec), testbed.namespace);
      expect(manifest.spec).toEqual(spec);
      const rules = [...brokenRules(schema, spec, 'spec'), ...brokenRulesOfKind(kind, spec)];
      const outcome = await send(manifest);
      if (outcome instanceof ApiError) {
        expect([rules, outcome.message]).toEqual([expect.arrayContaining([expect.any(String)]), expect.any(String)]);
      } else {
        accepted++;
        expect(rules).toEqual([]);
        expect(differences(spec, outcome.spec).filter(line => !line.startsWith('+'))).toEqual([]);
      }
    }), { numRuns: RUNS, seed: SEED });
    // A generator whose objects are all refused would prove nothing.
    expect(accepted).toBeGreaterThan(RUNS / 10);
  });

  test.each(ALL_VERSIONS)('agree on any %s of %s with a mistake: it is refused', async (kind, version) => {
    const schema = schemaOf(kind, version, 'spec');
    const all = mutations(schema, fullSpec(kind, version));
    await fc.assert(fc.asyncProperty(fc.nat({ max: all.length - 1 }), async index => {
      const { what, apply } = all[index];
      const outcome = await send(bench.manifest(kind, version, apply()));
      expect([what, outcome instanceof ApiError ? 'refused' : 'accepted']).toEqual([what, 'refused']);
    }), { numRuns: RUNS, seed: SEED });
  });
});

/** The manifest that the L1 writes. */
function synthesize(kind: KindName, version: VersionName, spec: unknown, namespace: string): KubeObject {
  return manifestOf(new CLASSES[`${kind} ${version}`](testChart(), 'random', { metadata: { name: 'random', namespace }, spec }));
}
