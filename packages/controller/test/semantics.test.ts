import { LABEL, definedOnly } from 'agent-sandbox-api';
import { CLAIM_ANNOTATION_CASES, CREATOR_CASES, POD_NAME_CASES, RUNNING_CASES } from '../../api/test/semantics-cases.js';
import { metadataProblem } from '../src/claim/pod-metadata.js';
import { createdByOf } from '../src/object/metadata.js';
import { observeSandbox } from '../src/sandbox/observe.js';
import { NAMESPACE, OPTIONS, SandboxBench, pod, sandbox } from './fixtures.js';
import { Model } from './model.js';

test.each(RUNNING_CASES)('the spec %j gets a Pod: %s', (spec, isRunning) => {
  const bench = new SandboxBench();
  bench.ready(sandbox(spec));
  expect(bench.pod !== undefined).toBe(isRunning);
});

test.each(POD_NAME_CASES)('the annotation %j means the Pod %s', (value, name) => {
  const annotations: { [key: string]: string } = definedOnly({ 'agents.x-k8s.io/pod-name': value });
  const model = new Model();
  model.create(sandbox({}, { name: 'box', annotations }));
  model.create(pod({ name }));
  expect(observeSandbox(model, NAMESPACE, 'box', { now: model.now, monotonic: model.now, options: OPTIONS })?.trackedPod?.metadata.name).toBe(name);
});

test.each(CLAIM_ANNOTATION_CASES)('a claim may add the annotation %s to Pods: %s', (key, allowed) => {
  expect(metadataProblem({ annotations: { [key]: 'x' } }, []) === undefined).toBe(allowed);
});

test.each(CREATOR_CASES)('the creator %s counts as %s', (value, expected) => {
  expect(createdByOf({ metadata: { labels: { [LABEL.createdBy]: value } } })).toBe(expected);
});
