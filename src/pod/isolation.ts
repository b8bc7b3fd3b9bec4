import type * as l1 from '../../imports';
import { checkCalls, dnsSubdomain, labelValue, Problems, qualifiedName } from '../checks';
import { checkLabels } from '../objects';

/** The hypervisor that runs the virtual machines of Kata Containers. */
export enum KataHypervisor {
  /** QEMU: runs everywhere, supports most devices. Runtime class `kata-qemu`. */
  QEMU = 'QEMU',

  /** Cloud Hypervisor: starts faster than QEMU. Runtime class `kata-clh`. */
  CLOUD_HYPERVISOR = 'Cloud Hypervisor',

  /** Firecracker: smallest; needs a block-device snapshotter such as devmapper on the node. Runtime class `kata-fc`. */
  FIRECRACKER = 'Firecracker',
}

/** Which nodes an isolation needs. */
export interface IsolationPlacement {
  /**
   * Labels of the nodes that have the runtime.
   *
   * @default - none
   */
  readonly nodeSelector?: { [key: string]: string };

  /**
   * Taints of these nodes that Pods tolerate.
   *
   * @default - none
   */
  readonly tolerations?: l1.Toleration[];
}

/** Runtime class and nodes of an isolation. */
export interface IsolationProps extends IsolationPlacement {
  /**
   * Name of the RuntimeClass in the cluster.
   *
   * @default - the usual name for this isolation
   */
  readonly runtimeClassName?: string;
}

/** Runtime class, nodes and hypervisor of Kata Containers. */
export interface KataIsolationProps extends IsolationProps {
  /**
   * The hypervisor.
   *
   * @default KataHypervisor.QEMU
   */
  readonly hypervisor?: KataHypervisor;
}

const KATA_RUNTIME_CLASSES: Readonly<Record<KataHypervisor, string>> = {
  [KataHypervisor.QEMU]: 'kata-qemu',
  [KataHypervisor.CLOUD_HYPERVISOR]: 'kata-clh',
  [KataHypervisor.FIRECRACKER]: 'kata-fc',
};

/** Label and taint that GKE puts on the nodes of GKE Sandbox, with its value. */
const GKE_SANDBOX = { key: 'sandbox.gke.io/runtime', value: 'gvisor' } as const;

/** What only {@link SandboxRuntimeClass} wants to know: the handler, or why there is none to assume. */
interface RuntimeClassHint {
  readonly handler?: string;
  readonly noHandler?: string;
}

/**
 * What keeps the containers of a sandbox apart from the kernel of the node: a runtime class, and the nodes that have
 * it. Values are immutable; one value serves any number of templates and Sandboxes.
 */
export class Isolation {
  /**
   * gVisor: a kernel in user space answers the system calls of the containers. RuntimeClass `gvisor`.
   *
   * @param props runtime class and nodes, where they are not the usual ones
   * @throws if a name, label or toleration is not well-formed
   */
  public static gvisor(props: IsolationProps = {}): Isolation {
    return new Isolation('Isolation.gvisor', 'gVisor', props.runtimeClassName ?? 'gvisor', props, { handler: 'runsc' });
  }

  /**
   * GKE Sandbox, which is gVisor on node pools of their own: RuntimeClass `gvisor`, node selector
   * `sandbox.gke.io/runtime: gvisor`, and a toleration of the taint of the same name. GKE brings the RuntimeClass.
   */
  public static gkeSandbox(): Isolation {
    const placement: IsolationPlacement = {
      nodeSelector: { [GKE_SANDBOX.key]: GKE_SANDBOX.value },
      tolerations: [{ key: GKE_SANDBOX.key, operator: 'Equal', value: GKE_SANDBOX.value, effect: 'NoSchedule' }],
    };
    return new Isolation('Isolation.gkeSandbox', 'GKE Sandbox (gVisor)', 'gvisor', placement, {
      noHandler: 'GKE brings the RuntimeClass of GKE Sandbox: leave this construct out, or name the handler',
    });
  }

  /**
   * Kata Containers: each Pod gets a virtual machine with a kernel of its own.
   *
   * @param props hypervisor, and runtime class and nodes where they are not the usual ones
   * @throws if a name, label or toleration is not well-formed
   */
  public static kata(props: KataIsolationProps = {}): Isolation {
    const hypervisor = props.hypervisor ?? KataHypervisor.QEMU;
    const usual = KATA_RUNTIME_CLASSES[hypervisor];
    return new Isolation('Isolation.kata', `Kata (${hypervisor})`, props.runtimeClassName ?? usual, props, { handler: usual });
  }

  /**
   * Pod Sandboxing of AKS, which is Kata Containers on the Microsoft hypervisor: RuntimeClass `kata-vm-isolation`,
   * which AKS brings together with the choice of nodes.
   *
   * @param props runtime class and nodes, where they are not the usual ones
   * @throws if a name, label or toleration is not well-formed
   */
  public static kataMshv(props: IsolationProps = {}): Isolation {
    return new Isolation('Isolation.kataMshv', 'Kata (MSHV)', props.runtimeClassName ?? 'kata-vm-isolation', props, {
      noHandler: 'AKS brings the RuntimeClass of Pod Sandboxing: leave this construct out, or name the handler',
    });
  }

  /**
   * Any other runtime class. How well it isolates is for you to know.
   *
   * @param name name of the RuntimeClass in the cluster
   * @param placement the nodes that have the runtime
   * @throws if a name, label or toleration is not well-formed
   */
  public static runtimeClass(name: string, placement: IsolationPlacement = {}): Isolation {
    return new Isolation('Isolation.runtimeClass', `runtime class ${name}`, name, placement, {
      noHandler: "the handler of a runtime class is the cluster's choice: name the one in the configuration of containerd or CRI-O",
    });
  }

  /**
   * No isolation beyond that of ordinary containers: they share the kernel of the node, so a flaw in it lets what runs
   * in the sandbox take over the node and everything on it. For code that you would also run without a sandbox.
   */
  public static none(): Isolation {
    return new Isolation('Isolation.none', 'none', undefined, {}, {
      noHandler: 'without isolation there is no RuntimeClass: leave this construct out, or use Isolation.gvisor() or Isolation.kata()',
    });
  }

  /** Labels of the nodes that have the runtime; undefined where every node will do. */
  public readonly nodeSelector?: { [key: string]: string };

  /** Taints to tolerate; undefined where there are none. */
  public readonly tolerations?: l1.Toleration[];

  private constructor(
    where: string,
    /** A short name for people: `gVisor`, `Kata (QEMU)`, `none`. */
    public readonly description: string,
    /** Name of the RuntimeClass; undefined is the node's default runtime. */
    public readonly runtimeClassName: string | undefined,
    placement: IsolationPlacement,
    private readonly hint: RuntimeClassHint,
  ) {
    const problems = Problems.of(where);
    problems.check(where === 'Isolation.runtimeClass' ? 'name' : 'runtimeClassName', runtimeClassName, dnsSubdomain);
    checkLabels(problems, 'nodeSelector', placement.nodeSelector);
    checkTolerations(problems, 'tolerations', placement.tolerations);
    problems.throwIfAny();
    this.nodeSelector = Object.keys(placement.nodeSelector ?? {}).length > 0 ? { ...placement.nodeSelector } : undefined;
    this.tolerations = placement.tolerations?.length ? placement.tolerations.map(toleration => ({ ...toleration })) : undefined;
    Object.freeze(this.nodeSelector);
    this.tolerations?.forEach(toleration => Object.freeze(toleration));
    Object.freeze(this.tolerations);
  }

  /** The handler of the usual RuntimeClass for this isolation. @internal */
  public get _handler(): string | undefined {
    return this.hint.handler;
  }

  /** Why there is no usual handler. @internal */
  public get _noHandler(): string | undefined {
    return this.hint.noHandler;
  }

  /** The same isolation under a RuntimeClass of another name. @internal */
  public _named(runtimeClassName: string): Isolation {
    return new Isolation('Isolation', this.description, runtimeClassName, this, this.hint);
  }
}
checkCalls(Isolation);

const TAINT_EFFECTS: readonly string[] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const INTEGER = /^(0|-?[1-9]\d*)$/;

/**
 * The rules of Kubernetes' API server for tolerations, which no schema carries.
 *
 * @internal
 */
export function checkTolerations(problems: Problems, prop: string, tolerations: readonly l1.Toleration[] | undefined): void {
  (tolerations ?? []).forEach((toleration, index) => checkToleration(problems.at(`${prop}[${index}]`), toleration));
  // Pods may repeat themselves, a RuntimeClass may not.
  const fields = (tolerations ?? []).map(({ key, operator, value, effect, tolerationSeconds }) =>
    JSON.stringify([key, operator, value, effect, tolerationSeconds]));
  fields.forEach((text, index) => {
    if (fields.indexOf(text) < index) {
      problems.add(`${prop}[${index}]`, tolerations![index], 'it is there already: leave it out');
    }
  });
}

function checkToleration(problems: Problems, toleration: l1.Toleration): void {
  const { key, operator, value, effect, tolerationSeconds } = toleration;
  if (key) {
    problems.check('key', key, qualifiedName);
  } else if (operator !== 'Exists') {
    problems.add('operator', operator, "a toleration without key tolerates every taint and needs operator 'Exists'");
  }
  switch (operator ?? 'Equal') {
    case 'Equal':
      problems.check('value', value, labelValue);
      break;
    case 'Exists':
      if (value) {
        problems.add('value', value, "operator 'Exists' takes no value: leave it out, or use 'Equal'");
      }
      break;
    case 'Lt':
    case 'Gt':
      if (!INTEGER.test(value ?? '')) {
        problems.add('value', value, `operator '${operator}' compares whole numbers: write one, such as '950'`);
      }
      break;
    default:
      problems.add('operator', operator, "use 'Equal', 'Exists', or from Kubernetes 1.35 on 'Lt' or 'Gt'");
  }
  if (effect && !TAINT_EFFECTS.includes(effect)) {
    problems.add('effect', effect, "use 'NoSchedule', 'PreferNoSchedule' or 'NoExecute', or leave it out for all of them");
  }
  if (tolerationSeconds !== undefined) {
    if (effect !== 'NoExecute') {
      problems.add('tolerationSeconds', tolerationSeconds, "only a toleration of effect 'NoExecute' ends: set the effect or leave it out");
    } else if (!Number.isInteger(tolerationSeconds)) {
      problems.add('tolerationSeconds', tolerationSeconds, 'use a whole number of seconds');
    }
  }
}
