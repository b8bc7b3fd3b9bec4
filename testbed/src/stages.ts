import { stringify } from 'yaml';

/**
 * What happens to a pod on a fake node:
 *
 * - `ready`: it runs and becomes Ready
 * - `unready`: it runs, but its readiness never comes
 * - `image-pull-failure`: it stays Pending, its containers wait with ImagePullBackOff
 * - `crash-loop`: it runs, its containers wait with CrashLoopBackOff
 * - `succeed`: it becomes Ready and after a while phase Succeeded
 * - `fail`: it becomes Ready and after a while phase Failed
 *
 * A pod that no node can take is made with what it asks for, since scheduling is real: a node selector, a huge CPU request.
 */
export type PodBehavior = 'ready' | 'unready' | 'image-pull-failure' | 'crash-loop' | 'succeed' | 'fail';

/** Annotations with which a pod chooses for itself. Durations are as in Go: `250ms`, `1.5s`. */
export const POD_ANNOTATIONS = {
  /** A `PodBehavior`. */
  behavior: 'testbed/pod-behavior',
  /** Time from being scheduled to the first status. */
  startAfter: 'testbed/start-after',
  /** Time from Ready to the end of `succeed` and `fail`. */
  endAfter: 'testbed/end-after',
  /** Time from the deletion to the disappearance of the pod. */
  deleteAfter: 'testbed/delete-after',
} as const;

/** What happens to pods that have no annotations about it. */
export interface StageOptions {
  /** @default ready */
  readonly behavior?: PodBehavior;
  /** Milliseconds from being scheduled to the first status. @default 0 */
  readonly startDelayMs?: number;
  /** Upper end of the start delay, which is then drawn evenly between both. @default - `startDelayMs` */
  readonly startDelayMaxMs?: number;
  /** Milliseconds from Ready to the end of `succeed` and `fail`, and of the pods of a Job. @default 0 */
  readonly endDelayMs?: number;
  /** Milliseconds from the deletion to the disappearance of a pod. @default 0 */
  readonly deleteDelayMs?: number;
}

/** `fast`: everything at once. */
export type Stages = 'fast' | StageOptions;

const BEHAVIORS: readonly PodBehavior[] = ['ready', 'unready', 'image-pull-failure', 'crash-loop', 'succeed', 'fail'];

/** The stages as a kwok configuration file. Throws if an option is out of bounds. */
export function stagesFile(stages: Stages = 'fast'): string {
  const options = stages === 'fast' ? {} : stages;
  if (options.behavior && !BEHAVIORS.includes(options.behavior)) {
    throw new Error(`behavior must be one of ${BEHAVIORS.join(', ')}, got "${options.behavior}"`);
  }
  for (const name of ['startDelayMs', 'startDelayMaxMs', 'endDelayMs', 'deleteDelayMs'] as const) {
    if ((options[name] ?? 0) < 0) {
      throw new Error(`${name} must be 0 or more milliseconds, got ${options[name]}`);
    }
  }
  return [nodeInitialize(), ...podStages(options)].map(stage => stringify(stage)).join('---\n');
}

function podStages(options: StageOptions): object[] {
  const behavior = `.metadata.annotations["${POD_ANNOTATIONS.behavior}"] // "${options.behavior ?? 'ready'}"`;
  const behaves = (...values: PodBehavior[]) => ({ key: behavior, operator: 'In', values });
  const alive = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
  const phase = (value: string) => ({ key: '.status.phase', operator: 'In', values: [value] });
  const ofJob = { key: '.metadata.ownerReferences.[].kind', operator: 'In', values: ['Job'] };
  const notStarted = [alive, phase('Pending'), { key: '.status.containerStatuses', operator: 'DoesNotExist' }];
  const start = delay(POD_ANNOTATIONS.startAfter, options.startDelayMs, options.startDelayMaxMs);
  const end = delay(POD_ANNOTATIONS.endAfter, options.endDelayMs);
  return [
    stage('Pod', 'pod-ready', [...notStarted, behaves('ready', 'succeed', 'fail')], start, status('Running', RUNNING, true)),
    stage('Pod', 'pod-unready', [...notStarted, behaves('unready')], start, status('Running', RUNNING, false)),
    stage('Pod', 'pod-image-pull-failure', [...notStarted, behaves('image-pull-failure')], start,
      status('Pending', waiting('ImagePullBackOff', 'Back-off pulling image'), false)),
    stage('Pod', 'pod-crash-loop', [...notStarted, behaves('crash-loop')], start,
      status('Running', waiting('CrashLoopBackOff', 'back-off 10s restarting failed container'), false)),
    stage('Pod', 'pod-succeed', [alive, phase('Running'), behaves('succeed')], end, status('Succeeded', terminated(0, 'Completed'), false)),
    stage('Pod', 'pod-fail', [alive, phase('Running'), behaves('fail')], end, status('Failed', terminated(1, 'Error'), false)),
    stage('Pod', 'pod-of-job-complete', [alive, phase('Running'), behaves('ready'), ofJob], end,
      status('Succeeded', terminated(0, 'Completed'), false)),
    stage('Pod', 'pod-delete', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], delay(POD_ANNOTATIONS.deleteAfter, options.deleteDelayMs)),
  ];
}

function stage(kind: 'Pod' | 'Node', name: string, matchExpressions: object[], delayOf: object | undefined, statusTemplate?: string): object {
  return {
    apiVersion: 'kwok.x-k8s.io/v1alpha1',
    kind: 'Stage',
    metadata: { name },
    spec: {
      resourceRef: { apiGroup: 'v1', kind },
      selector: { matchExpressions },
      delay: delayOf,
      next: statusTemplate ? { statusTemplate } : { delete: true },
    },
  };
}

function delay(annotation: string, milliseconds: number = 0, max?: number): object {
  return {
    durationMilliseconds: milliseconds,
    durationFrom: { expressionFrom: `.metadata.annotations["${annotation}"]` },
    jitterDurationMilliseconds: max,
    jitterDurationFrom: max === undefined ? undefined : { expressionFrom: `.metadata.annotations["${annotation}"]` },
  };
}

/** State of a container as a template: whether it is ready and started, and the state proper. */
interface ContainerState {
  readonly started: boolean;
  readonly restartCount: number;
  readonly state: string;
}

const RUNNING: ContainerState = { started: true, restartCount: 0, state: '{running: {startedAt: {{ $now | Quote }}}}' };

function waiting(reason: string, message: string): ContainerState {
  return { started: false, restartCount: reason === 'CrashLoopBackOff' ? 1 : 0, state: `{waiting: {reason: ${reason}, message: ${message}}}` };
}

function terminated(exitCode: number, reason: string): ContainerState {
  return {
    started: false,
    restartCount: 0,
    state: `{terminated: {exitCode: ${exitCode}, reason: ${reason}, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}}`,
  };
}

/** Status of a pod as a Go template, in the shape a kubelet writes it. */
function status(phase: string, container: ContainerState, ready: boolean): string {
  const finished = phase === 'Succeeded' || phase === 'Failed';
  const reason = ready ? '' : `, reason: ${finished ? 'PodCompleted' : 'ContainersNotReady'}`;
  return `
{{ $now := Now }}
phase: ${phase}
startTime: {{ or .status.startTime $now | Quote }}
conditions:
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: ContainersReady, status: "${ready ? 'True' : 'False'}", lastTransitionTime: {{ $now | Quote }}${reason}}
- {type: Ready, status: "${ready ? 'True' : 'False'}", lastTransitionTime: {{ $now | Quote }}${reason}}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: ${ready}, started: ${container.started}, restartCount: ${container.restartCount}, state: ${container.state}}
{{ end }}
{{ if .spec.initContainers }}
initContainerStatuses:
{{ range .spec.initContainers }}
{{ if eq ( or .restartPolicy "" ) "Always" }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: ${ready}, started: ${container.started}, restartCount: ${container.restartCount}, state: ${container.state}}
{{ else }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: true, restartCount: 0, state: ${terminated(0, 'Completed').state}}
{{ end }}
{{ end }}
{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
hostIPs: [{ip: {{ NodeIPWith .spec.nodeName | Quote }}}]
{{ $podIP := or .status.podIP ( PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) ) }}
podIP: {{ $podIP | Quote }}
podIPs: [{ip: {{ $podIP | Quote }}}]
`;
}

/** A new node becomes Ready. Afterwards kwok renews its Lease, which is what keeps a node Ready. */
function nodeInitialize(): object {
  const notReady = { key: '.status.conditions.[] | select( .type == "Ready" ) | .status', operator: 'NotIn', values: ['True'] };
  return stage('Node', 'node-initialize', [notReady], undefined, `
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
phase: Running
`);
}
