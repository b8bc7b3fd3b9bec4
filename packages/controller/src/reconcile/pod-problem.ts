/** Why a Pod does not run or is not ready, in the words of the scheduler, the kubelet and the container runtime. */
export interface PodProblem {
  /** CamelCase: the reason of the waiting or terminated container, of the Pod, or of its scheduling. */
  readonly reason: string;
  readonly message: string;
}

/** The parts of a Pod that explain why it does not run. */
export interface DiagnosedPod {
  readonly spec?: { readonly containers?: readonly ProbedContainer[]; readonly initContainers?: readonly ProbedContainer[] };
  readonly status?: {
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

interface ProbedContainer {
  readonly name: string;
  readonly readinessProbe?: unknown;
  readonly startupProbe?: unknown;
}

interface ContainerStatus {
  readonly name: string;
  readonly image?: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
}

interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: object;
  readonly terminated?: { readonly reason?: string; readonly message?: string; readonly exitCode?: number; readonly signal?: number };
}

/** Reason of a container that runs but does not pass a probe. */
export const PROBE_FAILING = 'ContainersNotReady';

/** Reasons of containers that are starting. */
const STARTING: readonly string[] = ['ContainerCreating', 'PodInitializing', ''];
const IMAGE: readonly string[] = ['ErrImagePull', 'ImagePullBackOff'];
const LONGEST_DETAIL = 500;

/**
 * The first problem of a Pod: of the Pod as a whole, then of init containers, containers and scheduling. The text stays the same
 * while a container crashes and restarts, or while the kubelet tries to pull an image, so that it costs one status write.
 */
export function podProblem({ spec, status = {} }: DiagnosedPod): PodProblem | undefined {
  const probes = new Map([...spec?.initContainers ?? [], ...spec?.containers ?? []].map(container => [container.name, container]));
  if (status.reason) {
    return problem(status.reason, status.reason, status.message);
  }
  for (const container of [...status.initContainerStatuses ?? [], ...status.containerStatuses ?? []]) {
    const found = container.ready ? undefined : containerProblem(container, probes.get(container.name));
    if (found !== undefined) {
      return found;
    }
  }
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  return scheduled?.status === 'False' && scheduled.reason
    ? problem(scheduled.reason, `not scheduled: ${scheduled.reason}`, scheduled.message)
    : undefined;
}

/** The problem of a Pod whose containers cannot be started yet, from an Event. Identifiers that differ with each attempt are left out. */
export function startProblem(reason: string, message: string | undefined): PodProblem {
  return problem(reason, `not started: ${reason}`, message?.replace(/\b[0-9a-f]{32,}\b/g, '…'));
}

function containerProblem(status: ContainerStatus, container: ProbedContainer | undefined): PodProblem | undefined {
  const { name, state = {}, lastState = {}, restartCount = 0 } = status;
  const { reason = '', message } = state.waiting ?? {};
  const ended = state.terminated ?? lastState.terminated;
  if (IMAGE.includes(reason)) {
    const detail = message?.replace(/^Back-off pulling image( "[^"]*")?:? ?/, '').replace(/^ErrImagePull: /, '');
    return problem('ImagePullBackOff', `container "${name}" is waiting: ImagePullBackOff: cannot pull the image "${status.image ?? ''}"`, detail);
  }
  if (reason === 'CrashLoopBackOff' || (restartCount > 0 && ended !== undefined)) {
    return problem('CrashLoopBackOff', `container "${name}" keeps terminating: CrashLoopBackOff`, ended && endOf(ended));
  }
  if (state.terminated !== undefined) {
    return state.terminated.exitCode === 0 ? undefined : problem(state.terminated.reason || 'Error', `container "${name}" terminated`, endOf(state.terminated));
  }
  if (!STARTING.includes(reason)) {
    return problem(reason, `container "${name}" is waiting: ${reason}`, message);
  }
  if (state.running === undefined) {
    return undefined;
  }
  const probe = status.started === false && container?.startupProbe !== undefined ? 'startup' : container?.readinessProbe !== undefined ? 'readiness' : undefined;
  return probe && problem(PROBE_FAILING, `container "${name}" has not passed its ${probe} probe`);
}

function endOf({ reason, exitCode, signal, message }: NonNullable<ContainerState['terminated']>): string {
  return [reason, exitCode === undefined ? undefined : `exit code ${exitCode}`, signal ? `signal ${signal}` : undefined, message].filter(Boolean).join(', ');
}

/** The reasons of conditions have a stricter form than those of containers. */
function problem(reason: string, text: string, detail?: string): PodProblem {
  const message = detail ? `${text}: ${detail}` : text;
  return {
    reason: /^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/.test(reason) ? reason : 'Error',
    message: message.length > LONGEST_DETAIL ? `${message.slice(0, LONGEST_DETAIL)}…` : message,
  };
}
