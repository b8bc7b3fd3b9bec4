import type { ApiObject, Duration } from 'cdk8s';
import type { Construct } from 'constructs';
import type * as l1 from '../../imports';
import { cpu, dnsSubdomain, envName, integer, memory, type Problems, Quantity, wholeSeconds } from '../checks';
import { checkKeys, checkLabels, type ImagePullPolicy, type ISecret } from '../objects';
import { object } from './objects';

/** The Deployment of a program: its image, its size, and where its Pods go. */
export interface InstalledProgramProps {
  /** Image, best with its digest: `registry.example/agent-sandbox-controller@sha256:…`. No registry has one of this project yet. */
  readonly image: string;

  /**
   * When to pull the image.
   *
   * @default - as Kubernetes: always for `:latest`, else if not present
   */
  readonly imagePullPolicy?: ImagePullPolicy;

  /**
   * Secrets with registry credentials, in the namespace of the program.
   *
   * @default - none
   */
  readonly imagePullSecrets?: ISecret[];

  /**
   * Number of Pods. From 2 on they are spread over nodes and zones, and a disruption budget keeps all but one.
   *
   * @default - 1 for the controller, 2 for the router
   */
  readonly replicas?: number;

  /**
   * CPU that is reserved, as a quantity.
   *
   * @default - '100m'
   */
  readonly cpu?: string;

  /**
   * CPU limit.
   *
   * @default - no limit
   */
  readonly cpuLimit?: string;

  /**
   * Memory that is reserved. 5,000 Sandboxes take the controller less than 250 MB.
   *
   * @default - '256Mi'
   */
  readonly memory?: string;

  /**
   * Memory limit.
   *
   * @default - '1Gi'
   */
  readonly memoryLimit?: string;

  /**
   * Environment variables, besides those that the program needs.
   *
   * @default - none
   */
  readonly env?: l1.EnvVar[];

  /**
   * Labels of the Pods. Those that the Deployment selects by stay as they are.
   *
   * @default - none
   */
  readonly podLabels?: { [key: string]: string };

  /**
   * Annotations of the Pods.
   *
   * @default - none
   */
  readonly podAnnotations?: { [key: string]: string };

  /**
   * Annotations of the service account.
   *
   * @default - none
   */
  readonly serviceAccountAnnotations?: { [key: string]: string };

  /**
   * Labels of the nodes to run on.
   *
   * @default - any node
   */
  readonly nodeSelector?: { [key: string]: string };

  /**
   * Taints of nodes that the Pods tolerate.
   *
   * @default - none
   */
  readonly tolerations?: l1.Toleration[];

  /**
   * Rules about nodes and other Pods.
   *
   * @default - none
   */
  readonly affinity?: l1.Affinity;

  /**
   * Priority class of the Pods, such as `system-cluster-critical`.
   *
   * @default - none
   */
  readonly priorityClassName?: string;

  /**
   * Time that a Pod gets to stop, in whole seconds.
   *
   * @default - 30 seconds (Kubernetes) for the controller, 45 seconds for the router
   */
  readonly terminationGracePeriod?: Duration;
}

/** What a program fixes about its Deployment. @internal */
export interface Program {
  readonly name: string;
  /** Name of the container. */
  readonly container: string;
  readonly selector: { [key: string]: string };
  /** Undefined leaves the number to an autoscaler. */
  readonly replicas: number | undefined;
  /** Whether there can be more than one Pod. */
  readonly several: boolean;
  readonly args: string[];
  readonly ports: { readonly [name: string]: number };
  readonly probes: { readonly startup?: unknown; readonly liveness: unknown; readonly readiness: unknown };
  readonly env?: unknown[];
  readonly podLabels?: { [key: string]: string };
  readonly podAnnotations?: { [key: string]: string };
  readonly volumes?: { readonly name: string; readonly path: string; readonly source: object }[];
  readonly terminationGracePeriod?: Duration;
}

/** @internal */
export function checkProgram(problems: Problems, props: InstalledProgramProps): void {
  problems.check('image', props.image ?? '', image);
  problems.check('replicas', props.replicas, integer(1));
  problems.check('cpu', props.cpu, cpu);
  problems.check('cpuLimit', props.cpuLimit, cpu);
  problems.check('memory', props.memory, memory);
  problems.check('memoryLimit', props.memoryLimit, memory);
  for (const [request, limit] of [['cpu', 'cpuLimit'], ['memory', 'memoryLimit']] as const) {
    const asked = Quantity.tryParse(props[request] ?? DEFAULT_SIZE[request]);
    const most = Quantity.tryParse(props[limit] ?? DEFAULT_SIZE[limit] ?? '');
    if (asked && most && asked.exceeds(most)) {
      problems.add(limit, props[limit] ?? DEFAULT_SIZE[limit], `it is less than ${request}, '${props[request] ?? DEFAULT_SIZE[request]}': raise the one or lower the other`);
    }
  }
  (props.env ?? []).forEach(({ name }, index) => problems.check(`env[${index}].name`, name, envName));
  checkLabels(problems, 'podLabels', props.podLabels);
  checkKeys(problems, 'podAnnotations', props.podAnnotations);
  checkKeys(problems, 'serviceAccountAnnotations', props.serviceAccountAnnotations);
  checkLabels(problems, 'nodeSelector', props.nodeSelector);
  problems.check('priorityClassName', props.priorityClassName, dnsSubdomain);
  wholeSeconds(problems, 'terminationGracePeriod', props.terminationGracePeriod, 0);
}

const DEFAULT_SIZE: { readonly cpu: string; readonly memory: string; readonly cpuLimit?: string; readonly memoryLimit: string } = {
  cpu: '100m', memory: '256Mi', memoryLimit: '1Gi',
};

function image(value: string): string | undefined {
  return /^[^\s<>{}]+$/.test(value) ? undefined : 'name an image that you have built or mirrored, best with its digest';
}

/** The Deployment, and a disruption budget where there are several Pods. @internal */
export function deployment(scope: Construct, program: Program, props: InstalledProgramProps): ApiObject {
  const { name, selector, several } = program;
  const matchLabels = selector;
  if (several) {
    object(scope, 'policy/v1', 'PodDisruptionBudget', { name, labels: selector }, { spec: { maxUnavailable: 1, selector: { matchLabels } } });
  }
  return object(scope, 'apps/v1', 'Deployment', { name, labels: selector }, {
    spec: {
      replicas: program.replicas,
      selector: { matchLabels },
      template: {
        metadata: {
          labels: { ...props.podLabels, ...program.podLabels, ...selector },
          annotations: mapOf({ ...props.podAnnotations, ...program.podAnnotations }),
        },
        spec: podSpec(program, props),
      },
    },
  });
}

function podSpec(program: Program, props: InstalledProgramProps): object {
  const { name, selector, volumes = [] } = program;
  return {
    serviceAccountName: name,
    imagePullSecrets: props.imagePullSecrets?.map(secret => ({ name: secret.name })),
    priorityClassName: props.priorityClassName,
    terminationGracePeriodSeconds: (props.terminationGracePeriod ?? program.terminationGracePeriod)?.toSeconds(),
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    nodeSelector: props.nodeSelector,
    tolerations: props.tolerations,
    affinity: props.affinity,
    topologySpreadConstraints: program.several
      ? ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map(topologyKey =>
        ({ maxSkew: 1, topologyKey, whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: selector } }))
      : undefined,
    containers: [{
      name: program.container,
      image: props.image,
      imagePullPolicy: props.imagePullPolicy,
      args: program.args,
      env: listOf([...(program.env ?? []), ...(props.env ?? [])]),
      ports: Object.entries(program.ports).map(([portName, containerPort]) => ({ name: portName, containerPort })),
      startupProbe: program.probes.startup,
      livenessProbe: program.probes.liveness,
      readinessProbe: program.probes.readiness,
      resources: {
        requests: { cpu: props.cpu ?? DEFAULT_SIZE.cpu, memory: props.memory ?? DEFAULT_SIZE.memory },
        limits: { cpu: props.cpuLimit, memory: props.memoryLimit ?? DEFAULT_SIZE.memoryLimit },
      },
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true },
      volumeMounts: listOf(volumes.map(volume => ({ name: volume.name, mountPath: volume.path, readOnly: true }))),
    }],
    volumes: listOf(volumes.map(volume => ({ name: volume.name, ...volume.source }))),
  };
}

/** The service account of a program. @internal */
export function serviceAccount(scope: Construct, program: Pick<Program, 'name' | 'selector'>, props: InstalledProgramProps): void {
  object(scope, 'v1', 'ServiceAccount', { name: program.name, labels: program.selector, annotations: props.serviceAccountAnnotations }, {});
}

/** A probe over HTTP. @internal */
export function httpProbe(path: string, port: string, periodSeconds: number, failureThreshold?: number): object {
  return { httpGet: { path, port }, periodSeconds, failureThreshold };
}

function listOf<T>(items: T[]): T[] | undefined {
  return items.length > 0 ? items : undefined;
}

function mapOf<T extends object>(map: T): T | undefined {
  return Object.keys(map).length > 0 ? map : undefined;
}
