import { SandboxTemplate } from '../src';
import { SandboxDisruptionBudget, type SandboxDisruptionBudgetProps, UnhealthyPodEvictionPolicy } from '../src/scaling/disruption-budget';
import { manifestOf, synth, testChart } from './helpers';

const template = SandboxTemplate.fromName('test-template-custom');

function budget(props: Partial<SandboxDisruptionBudgetProps> = {}, namespace?: string): any {
  return manifestOf(new SandboxDisruptionBudget(testChart({ namespace }), 'budget', { template, ...props }));
}

test('it protects all claimed sandboxes of a template, and no idle ones', () => {
  const chart = testChart({ namespace: 'agents' });
  new SandboxDisruptionBudget(chart, 'budget', { template });
  expect(synth(chart)).toEqual([{
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'budget', namespace: 'agents' },
    spec: {
      minAvailable: 2147483647,
      selector: {
        matchLabels: { 'agents.x-k8s.io/sandbox-template-ref-hash': '999443e6' },
        matchExpressions: [{ key: 'agents.x-k8s.io/warm-pool-sandbox', operator: 'DoesNotExist' }],
      },
    },
  }]);
});

test('number, eviction policy, name and metadata are written', () => {
  expect(budget({
    minAvailable: 0, unhealthyPodEvictionPolicy: UnhealthyPodEvictionPolicy.ALWAYS_ALLOW, name: 'keep', namespace: 'other', labels: { a: 'b' }, annotations: { c: 'd' },
  }, 'agents')).toMatchObject({
    metadata: { name: 'keep', namespace: 'other', labels: { a: 'b' }, annotations: { c: 'd' } },
    spec: { minAvailable: 0, unhealthyPodEvictionPolicy: 'AlwaysAllow' },
  });
});

test('sandboxes of a template of another namespace carry the hash of its full name', () => {
  const selected = (namespace: string | undefined) => budget({ template: SandboxTemplate.fromName('pool', 'library') }, namespace).spec.selector.matchLabels;
  // FNV-1a of 'pool', and of 'library/pool'
  expect(selected('library')).toEqual({ 'agents.x-k8s.io/sandbox-template-ref-hash': '91dd7983' });
  expect(selected(undefined)).toEqual({ 'agents.x-k8s.io/sandbox-template-ref-hash': '91dd7983' });
  expect(selected('agents')).toEqual({ 'agents.x-k8s.io/sandbox-template-ref-hash': '94f6e97b' });
});

test.each<[any, string]>([
  [{ minAvailable: '50%' },
    "test/budget: minAvailable is '50%': Kubernetes counts percentages from the scale of the owner, and Sandboxes have none: use a whole number"],
  [{ minAvailable: 1.5 }, 'test/budget: minAvailable is 1.5: use a whole number from 0 to 2147483647'],
  [{ minAvailable: -1 }, 'test/budget: minAvailable is -1: use a whole number from 0 to 2147483647'],
  [{ maxUnavailable: 1 },
    'test/budget: maxUnavailable is 1: Kubernetes counts it from the scale of the owner, and Sandboxes have none, so that nothing could ever be evicted: use minAvailable'],
  [{ name: 'Keep' },
    "test/budget: name is 'Keep': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  [{ namespace: 'a.b' },
    "test/budget: namespace is 'a.b': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  [{ labels: { team: 'a b' } },
    "test/budget: labels['team'] is 'a b': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
])('fails early: %j', (props, message) => {
  expect(() => budget(props)).toThrow(new Error(message));
});
