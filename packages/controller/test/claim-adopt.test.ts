import { LABEL, type Sandbox } from 'agent-sandbox-api';
import { ClaimBench, claim, running } from './claim-bench.js';
import { foreignOwner, summary } from './fixtures.js';

const owners = (sandbox: Sandbox | undefined) => (sandbox?.metadata.ownerReferences ?? []).map(({ kind, name }) => `${kind}/${name}`);

function warm(...names: string[]): ClaimBench {
  const bench = new ClaimBench();
  names.forEach((name) => bench.member(name));
  bench.model.create(claim());
  return bench;
}

test('C39 C75 a claim adopts the oldest ready member with two writes, and tells it after it is ready', () => {
  const bench = warm('a', 'b');
  const before = bench.sandbox('a')!;
  expect(summary(bench.pass())).toEqual(['patch Sandbox', 'patch SandboxClaim/status']);
  const after = bench.sandbox('a')!;
  expect(owners(after)).toEqual(['SandboxClaim/claim']);
  expect(after.spec.podTemplate.spec).toEqual(before.spec.podTemplate.spec);
  expect(after.metadata.labels).toEqual({
    [LABEL.templateRefHash]: before.metadata.labels![LABEL.templateRefHash], [LABEL.launchType]: 'warm', [LABEL.claimUid]: bench.claim.metadata.uid,
  });
  expect(bench.condition()).toBe('True/DependenciesReady: Pod is Ready');
  expect(bench.claim.status).toMatchObject({ sandbox: { name: 'a', podIPs: ['10.0.0.1'] }, sandboxName: 'a' });
  expect(bench.events()).toEqual(['SandboxAdopted: Adopted warm pool Sandbox "a"']);
  expect(bench.pass()).toEqual([]);
  void foreignOwner;
  void running;
});
