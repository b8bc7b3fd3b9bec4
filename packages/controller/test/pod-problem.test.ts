import { podProblem, type DiagnosedPod } from '../src/reconcile/pod-problem.js';

const text = (pod: DiagnosedPod) => {
  const found = podProblem(pod);
  return found && `${found.reason}: ${found.message}`;
};
const container = (status: object, spec: object = {}): DiagnosedPod => ({
  spec: { containers: [{ name: 'main', ...spec }] }, status: { containerStatuses: [{ name: 'main', image: 'registry/app', ready: false, ...status }] },
});
const waiting = (reason: string, message?: string) => ({ state: { waiting: { reason, message } } });
const ended = (fields: object) => ({ terminated: { reason: 'Error', exitCode: 1, ...fields } });

test.each<[string, DiagnosedPod, string | undefined]>([
  ['a Pod that starts', container(waiting('ContainerCreating')), undefined],
  ['a Pod whose init containers run', container(waiting('PodInitializing')), undefined],
  ['a container that runs without a probe', container({ state: { running: {} } }), undefined],
  ['a container that is ready after restarts', container({ ready: true, restartCount: 3, lastState: ended({}) }), undefined],
  ['a container that has ended well', container({ state: ended({ reason: 'Completed', exitCode: 0 }) }), undefined],
  ['an image that is not there', container(waiting('ErrImagePull', 'not found')), 'ImagePullBackOff: container "main" is waiting: ImagePullBackOff: cannot pull the image "registry/app": not found'],
  ['a configuration that is not there', container(waiting('CreateContainerConfigError', 'secret "key" not found')), 'CreateContainerConfigError: container "main" is waiting: CreateContainerConfigError: secret "key" not found'],
  ['a handler that fails', container(waiting('PostStartHookError', 'exit 1')), 'PostStartHookError: container "main" is waiting: PostStartHookError: exit 1'],
  ['an end', container({ state: ended({ exitCode: 3 }) }), 'Error: container "main" terminated: Error, exit code 3'],
  ['an end by a signal', container({ state: ended({ exitCode: 139, signal: 11 }) }), 'Error: container "main" terminated: Error, exit code 139, signal 11'],
  ['too little memory', container({ restartCount: 1, ...waiting('CrashLoopBackOff', 'back-off 10s'), lastState: ended({ reason: 'OOMKilled', exitCode: 137 }) }), 'CrashLoopBackOff: container "main" keeps terminating: CrashLoopBackOff: OOMKilled, exit code 137'],
  ['a startup probe', container({ started: false, state: { running: {} } }, { startupProbe: {} }), 'ContainersNotReady: container "main" has not passed its startup probe'],
  ['a readiness probe', container({ started: true, state: { running: {} } }, { readinessProbe: {} }), 'ContainersNotReady: container "main" has not passed its readiness probe'],
  ['an init container', { status: { initContainerStatuses: [{ name: 'setup', state: ended({}) }], containerStatuses: [{ name: 'main', ...waiting('PodInitializing') }] } }, 'Error: container "setup" terminated: Error, exit code 1'],
  ['an init container that is done', { status: { initContainerStatuses: [{ name: 'setup', state: ended({ exitCode: 0 }) }] } }, undefined],
  ['an eviction', { status: { reason: 'Evicted', message: 'low on memory' } }, 'Evicted: Evicted: low on memory'],
  ['no node', { status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes' }] } }, 'Unschedulable: not scheduled: Unschedulable: 0/1 nodes'],
  ['a gate', { status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message: 'gated' }] } }, 'SchedulingGated: not scheduled: SchedulingGated: gated'],
  ['a reason that no condition takes', container(waiting('error: 5!')), 'Error: container "main" is waiting: error: 5!'],
])('F5 %s', (_, pod, expected) => {
  expect(text(pod)).toBe(expected);
});

test('F5 is the same while the kubelet pulls and backs off, and while a container crashes and restarts', () => {
  const pulling = ['ErrImagePull', 'ImagePullBackOff'].map(reason => text(container(waiting(reason, reason === 'ErrImagePull' ? 'denied' : 'Back-off pulling image "registry/app": ErrImagePull: denied'))));
  expect(new Set(pulling).size).toBe(1);
  const crashing = [{ state: ended({}) }, waiting('CrashLoopBackOff', 'back-off 20s'), { state: { running: {} } }].map(state => text(container({ restartCount: 2, lastState: ended({}), ...state })));
  expect(new Set(crashing).size).toBe(1);
});
