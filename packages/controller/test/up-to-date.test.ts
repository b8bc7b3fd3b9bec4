import { ANNOTATION } from 'agent-sandbox-api';
import { ClaimBench, claim } from './claim-bench.js';
import { SandboxBench, sandbox } from './fixtures.js';

describe('F8 a Sandbox whose Pod spec is edited', () => {
  const settled = () => {
    const bench = new SandboxBench();
    bench.model.create(sandbox());
    bench.settle();
    return bench;
  };
  const edit = (bench: SandboxBench, image: string) => bench.model.edit(bench.sandbox, draft => {
    draft.spec.podTemplate.spec.containers![0]!.image = image;
  });

  test('says that its Pod was created from an earlier one, until it is set back or the Pod is new', () => {
    const bench = settled();
    expect(bench.condition('UpToDate')).toBeUndefined();
    const { image } = bench.sandbox.spec.podTemplate.spec.containers![0]!;
    edit(bench, 'new');
    bench.settle();
    expect(bench.condition('UpToDate')).toMatch(/^False\/PodTemplateChanged: the Pod "box" was created from an earlier spec\.podTemplate\.spec: delete the Pod, or suspend/);
    edit(bench, image!);
    bench.settle();
    expect(bench.condition('UpToDate')).toBeUndefined();
    edit(bench, 'new');
    bench.settle();
    bench.model.destroy(bench.pod!);
    bench.settle();
    expect(bench.pod).toBeDefined();
    expect(bench.condition('UpToDate')).toBeUndefined();
  });

  test('says nothing where the labels of the Pod change, which it gets at once, or the Pod does not say what it was created from', () => {
    const bench = settled();
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.podTemplate.metadata = { labels: { a: '1' } };
    });
    bench.settle();
    expect(bench.condition('UpToDate')).toBeUndefined();
    bench.model.edit(bench.pod!, draft => {
      delete draft.metadata.annotations![ANNOTATION.podSpecHash];
    });
    edit(bench, 'new');
    bench.settle();
    expect(bench.condition('UpToDate')).toBeUndefined();
  });
});

describe('F8 a claim that is edited when it has its Sandbox', () => {
  const warm = () => {
    const bench = new ClaimBench({ envVarsInjectionPolicy: 'Allowed' });
    bench.member('a');
    bench.model.create(claim());
    bench.settle();
    return bench;
  };
  const upToDate = ({ claim: { status } }: ClaimBench) => {
    const found = status?.conditions?.find(({ type }) => type === 'UpToDate');
    return found && `${found.status}/${found.reason}: ${found.message}`;
  };
  const edit = (bench: ClaimBench, change: Partial<ReturnType<typeof claim>['spec']>) => {
    bench.model.edit(bench.claim, draft => Object.assign(draft.spec, change));
    bench.settle();
  };

  test.each([
    ['spec.env', { env: [{ name: 'A', value: '1' }] }, { env: [] }],
    ['spec.volumeClaimTemplates', { volumeClaimTemplates: [{ metadata: { name: 'v' }, spec: {} }] }, { volumeClaimTemplates: undefined }],
    ['spec.warmPoolRef, spec.sandboxTemplateRef or spec.warmpool', { warmPoolRef: { name: 'other' } }, { warmPoolRef: { name: 'pool' } }],
  ])('says so for %s, until it is set back, and stays ready', (part, change, back) => {
    const bench = warm();
    expect(upToDate(bench)).toBeUndefined();
    edit(bench, change as object);
    expect(upToDate(bench)).toContain(`False/ClaimChanged: the Sandbox "a" is that of an earlier ${part}: create another claim, or delete the Sandbox`);
    expect(bench.condition()).toMatch(/^True/);
    edit(bench, back as object);
    expect(upToDate(bench)).toBeUndefined();
  });

  test('says nothing for what takes effect, and for a Sandbox that does not say what was asked for', () => {
    const bench = warm();
    edit(bench, { additionalPodMetadata: { labels: { 'sandbox.users.io/team': 'x' } }, lifecycle: { ttlSecondsAfterFinished: 5 } });
    expect(upToDate(bench)).toBeUndefined();
    bench.model.edit(bench.sandbox('a')!, draft => {
      delete draft.metadata.annotations![ANNOTATION.claimRequest];
    });
    edit(bench, { env: [{ name: 'A', value: '1' }] });
    expect(upToDate(bench)).toBeUndefined();
  });
});

describe('F8 definitions with new defaults', () => {
  const settled = () => {
    const bench = new SandboxBench();
    bench.model.create(sandbox({ podTemplate: { spec: { containers: [{ name: 'main', image: 'image', ports: [{ containerPort: 80 }] }] } } }));
    bench.settle();
    return bench;
  };
  const upgrade = (bench: SandboxBench, change: (container: any) => void) => bench.model.edit(bench.sandbox, draft => {
    const { generation } = draft.metadata;
    change(draft.spec.podTemplate.spec.containers![0]);
    draft.metadata.generation = generation;
  });

  test('are no edit of a Sandbox, also where an edit of something else follows', () => {
    const bench = settled();
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.shutdownTime = '2127-01-01T00:00:00Z';
    });
    upgrade(bench, container => (container.ports[0].protocol = 'TCP'));
    bench.settle();
    expect(bench.condition('UpToDate')).toBeUndefined();
    upgrade(bench, container => (container.ports[0].protocol = 'UDP'));
    bench.model.edit(bench.sandbox, draft => {
      draft.spec.shutdownTime = '2128-01-01T00:00:00Z';
    });
    bench.settle();
    expect(bench.condition('UpToDate')).toMatch(/^False/);
  });
});
