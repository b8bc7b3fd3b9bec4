import { type CommandResult, TOOLS_IMAGE, waitFor } from '../../../testbed/src/index.js';
import type { NodeTestbed } from '../../../testbed/src/jest/index.js';

/** Milliseconds that a pod has to become Ready; a second on an idle machine. */
const POD_TIMEOUT_MS = 120_000;

/** Outcomes of a try to connect that say it is not possible. */
const CLOSED = ['refused', 'timeout', 'unreachable'];

export interface PodOptions {
  /** `runc`, or the name of a RuntimeClass. */
  readonly runtime: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly volume?: { readonly name: string };
  readonly mount?: object;
}

export interface RunningPod {
  readonly name: string;
  readonly ip: string;
}

/** Pods of the testbed's own image, with what tests ask of them. */
export class PodBench {
  private last = 0;

  constructor(private readonly testbed: NodeTestbed) {}

  /** Creates a pod; returns its name. */
  public async create(options: PodOptions): Promise<string> {
    const name = `pod-${++this.last}`;
    await this.testbed.cluster.admin.create({
      apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: this.testbed.namespace, labels: options.labels },
      spec: {
        runtimeClassName: options.runtime === 'runc' ? undefined : options.runtime,
        terminationGracePeriodSeconds: 0,
        containers: [{
          name: 'main', image: TOOLS_IMAGE, imagePullPolicy: 'Never', command: options.command ?? ['sleep', '3600'],
          volumeMounts: options.mount ? [options.mount] : undefined,
        }],
        volumes: options.volume ? [options.volume] : undefined,
      },
    });
    return name;
  }

  /** Creates a pod and waits until it is Ready. */
  public async run(options: PodOptions): Promise<RunningPod> {
    return this.ready(await this.create(options));
  }

  /** Waits until a pod of any namespace is Ready. */
  public async ready(name: string, namespace = this.testbed.namespace): Promise<RunningPod> {
    const { status } = await this.testbed.cluster.admin.waitFor(
      { apiVersion: 'v1', kind: 'Pod', namespace, name },
      pod => (pod.status?.conditions ?? []).some((condition: any) => condition.type === 'Ready' && condition.status === 'True'),
      { timeoutMs: POD_TIMEOUT_MS },
    );
    return { name, ip: status.podIP };
  }

  public async remove({ name }: RunningPod): Promise<void> {
    const ref = { apiVersion: 'v1', kind: 'Pod', namespace: this.testbed.namespace, name };
    await this.testbed.cluster.admin.delete(ref);
    await this.testbed.cluster.admin.waitGone(ref, { timeoutMs: POD_TIMEOUT_MS });
  }

  /** Runs a command in a pod, as `kubectl exec` does. */
  public exec(pod: RunningPod, command: readonly string[], namespace = this.testbed.namespace): Promise<CommandResult> {
    return this.testbed.cluster.kubectl(['exec', '-n', namespace, pod.name, '--', ...command]);
  }

  /** What a container has written so far. */
  public async logs(pod: RunningPod, container?: string): Promise<string> {
    return (await this.testbed.cluster.kubectl(['logs', '-n', this.testbed.namespace, pod.name, ...container ? ['-c', container] : []])).stdout;
  }

  /** What the first container has written, as soon as it matches. */
  public async untilLogs(pod: RunningPod, pattern: RegExp): Promise<string> {
    return waitFor(async () => {
      const text = await this.logs(pod);
      return pattern.test(text) ? text : undefined;
    }, { what: `${pattern} in the logs of ${pod.name}`, timeoutMs: POD_TIMEOUT_MS });
  }

  /** Tries to connect from a pod to targets such as `tcp:1.1.1.1:80`; returns what became of each. */
  public async connect(pod: RunningPod, targets: readonly string[], namespace = this.testbed.namespace): Promise<Record<string, string>> {
    return JSON.parse((await this.exec(pod, ['probe', 'connect', ...targets], namespace)).stdout);
  }

  /** Waits until exactly `open` of the targets can be reached: policies come into force a moment after they are written. */
  public async untilConnects(pod: RunningPod, targets: readonly string[], open: readonly string[], namespace = this.testbed.namespace): Promise<void> {
    const expected = targets.map(target => `${target} ${open.includes(target) ? 'open' : 'closed'}`).sort();
    let last = '';
    await waitFor(async () => {
      const outcomes = Object.entries(await this.connect(pod, targets, namespace));
      last = outcomes.map(([target, outcome]) => `${target} ${CLOSED.includes(outcome) ? 'closed' : outcome}`).sort().join(', ');
      return last === expected.join(', ');
    }, { what: `pod ${pod.name} to reach just ${open.join(', ') || 'nothing'}`, timeoutMs: 60_000, intervalMs: 250, lastSeen: () => last });
  }

  public async claimVolume(name: string, storage: string): Promise<void> {
    await this.testbed.cluster.admin.create({
      apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: this.testbed.namespace },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
    });
  }

  /** Message of the first event of a pod with this reason. */
  public async event(pod: string, reason: string): Promise<string> {
    return waitFor(async () => {
      const events = await this.testbed.cluster.admin.list('v1', 'Event', this.testbed.namespace);
      return events.find(event => event.reason === reason && event.involvedObject.name === pod)?.message as string | undefined;
    }, { what: `the event ${reason} of pod ${pod}`, timeoutMs: POD_TIMEOUT_MS });
  }
}
