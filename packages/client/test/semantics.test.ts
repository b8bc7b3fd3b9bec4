import type { Sandbox } from 'agent-sandbox-api';
import { CREATOR_CASES, POD_NAME_CASES, RUNNING_CASES } from '../../api/test/semantics-cases.js';
import { buildClaim } from '../src/claim.js';
import { statusOf } from '../src/control/kubernetes.js';

const box = (annotations: { [key: string]: string } | undefined, spec: object = {}): Sandbox => ({
  apiVersion: 'agents.x-k8s.io/v1beta1', kind: 'Sandbox', metadata: { name: 'box', namespace: 'agents', annotations },
  spec: { podTemplate: { spec: { containers: [{ name: 'main', image: 'image' }] } }, ...spec },
});

test.each(RUNNING_CASES)('the status tells %j from a suspended sandbox: %s', (spec, isRunning) => {
  expect(statusOf(box(undefined, spec)).state === 'Suspended').toBe(!isRunning);
});

test.each(POD_NAME_CASES)('with the annotation %j the status names the Pod %s', (value, name) => {
  expect(statusOf(box(value === undefined ? undefined : { 'agents.x-k8s.io/pod-name': value })).podName).toBe(name);
});

test('programs know the creator of our claims', () => {
  const creator = buildClaim('agents', { pool: 'python' }, 0).metadata.labels!['agents.x-k8s.io/created-by']!;
  expect(CREATOR_CASES).toContainEqual([creator, creator]);
});
