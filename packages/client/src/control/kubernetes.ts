import {
  CONDITION, type ObjectRef, RUNNING, SANDBOXES, SANDBOX_CLAIMS, SUSPENDED, type Sandbox, type SandboxClaim, isMeantToRun, keyOf, podNameOf, readyOf,
  sandboxNameOf,
} from 'agent-sandbox-api';
import { type Cluster, Reader, Writer, isNotFound } from 'agent-sandbox-kube';
import { checkTimeout } from '../deadline.js';
import { SandboxNotFoundError } from '../errors.js';
import { selectPodAddress } from '../pod-address.js';
import { type WaitForClaimOptions, waitForClaim, waitForSandbox } from '../readiness.js';
import type { SandboxStatus, WaitOptions } from '../sandbox-status.js';
import { SandboxTarget } from '../target.js';
import type { ClaimRef, Control, ControlledSandbox } from './control.js';

/** Milliseconds to suspend or resume. */
export const WAIT_TIMEOUT_MS = 180_000;

/** Claims at the API server. */
export class KubernetesControl implements Control {
  constructor(private readonly cluster: () => Cluster) {}

  public create(claim: SandboxClaim): Promise<SandboxClaim> {
    return new Writer(this.cluster()).create(SANDBOX_CLAIMS, claim);
  }

  public get(ref: ObjectRef, signal?: AbortSignal): Promise<SandboxClaim> {
    return new Reader(this.cluster()).get(SANDBOX_CLAIMS, ref, { signal });
  }

  public list(namespace: string, labelSelector: string | undefined, signal?: AbortSignal): Promise<SandboxClaim[]> {
    return new Reader(this.cluster()).list(SANDBOX_CLAIMS, { namespace, labelSelector, signal });
  }

  public async delete({ namespace, claimName, claimUid }: ClaimRef, signal?: AbortSignal): Promise<void> {
    await new Writer(this.cluster()).delete(SANDBOX_CLAIMS, { namespace, name: claimName }, { uid: claimUid, signal });
  }

  public wait(claim: SandboxClaim, options: WaitForClaimOptions): Promise<SandboxClaim> {
    return waitForClaim(this.cluster(), claim, options);
  }

  public sandbox(claim: SandboxClaim): KubernetesSandbox {
    const sandbox = new KubernetesSandbox(this.cluster, keyOf(claim), claim.metadata.namespace!, sandboxNameOf(claim)!);
    sandbox.learn({ addresses: claim.status?.sandbox?.podIPs });
    return sandbox;
  }

  public async confirm(sandbox: ControlledSandbox, signal?: AbortSignal): Promise<void> {
    await sandbox.status(signal);
  }
}

/** The status of a Sandbox object in short. */
export function statusOf(sandbox: Sandbox): SandboxStatus {
  const ready = readyOf(sandbox);
  return {
    state: !isMeantToRun(sandbox) ? 'Suspended' : ready?.status === 'True' ? 'Ready' : 'NotReady',
    reason: ready?.reason ?? '',
    message: ready?.message ?? '',
    podName: podNameOf(sandbox),
    address: selectPodAddress(sandbox.status?.podIPs),
  };
}

class KubernetesSandbox extends SandboxTarget implements ControlledSandbox {
  public async status(signal?: AbortSignal): Promise<SandboxStatus> {
    return statusOf(await this.read(signal));
  }

  /** Both generations of the API are written in one request: either alone would be half of a change. */
  public async operate(operation: 'suspend' | 'resume', { wait = true, signal, timeoutMs: given = WAIT_TIMEOUT_MS }: WaitOptions): Promise<void> {
    const timeoutMs = checkTimeout(given);
    const cluster = this.cluster();
    const { namespace, name, claim } = this;
    const spec = operation === 'suspend' ? SUSPENDED : RUNNING;
    const patched = await new Writer(cluster).mergePatch(SANDBOXES, { namespace, name }, { spec }, { signal }).catch(error => {
      throw isNotFound(error)
        ? new SandboxNotFoundError(`Sandbox ${namespace}/${name} of claim ${claim} does not exist`, { claim, remedy: 'make a new claim', cause: error })
        : error;
    });
    this.forgetAddress();
    if (wait) {
      const condition = operation === 'suspend' ? CONDITION.suspended : CONDITION.ready;
      const done = await waitForSandbox(cluster, claim, patched, condition, { timeoutMs, signal });
      this.learn({ addresses: done.status?.podIPs });
    }
  }
}
