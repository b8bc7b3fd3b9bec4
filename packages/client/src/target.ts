import { PODS, SANDBOXES, type Sandbox as SandboxObject, keyOf, podNameOf } from 'agent-sandbox-api';
import { type Cluster, Reader, isNotFound, isSituation } from 'agent-sandbox-kube';
import { SandboxAccessError, SandboxNotFoundError } from './errors.js';
import { selectPodAddress } from './pod-address.js';
import type { TransportTarget } from './transport.js';

/** The fields of a Sandbox that requests need: its identity, and the address of its Pod. */
export class SandboxTarget implements TransportTarget {
  private knownUid?: string;
  private knownAddress?: string;
  /** Whether the caller may not read Sandboxes: asking again would not help. */
  private isForbidden = false;

  /** @param claim `namespace/name` */
  constructor(
    protected readonly cluster: () => Cluster,
    public readonly claim: string,
    public readonly namespace: string,
    public readonly name: string,
  ) {}

  /** Takes over what is known already. */
  public learn({ uid, addresses }: { uid?: string; addresses?: readonly string[] }): this {
    this.knownUid = uid ?? this.knownUid;
    this.knownAddress = selectPodAddress(addresses) ?? this.knownAddress;
    return this;
  }

  public async uid(signal: AbortSignal): Promise<string> {
    return this.knownUid ?? (await this.read(signal)).metadata.uid!;
  }

  public async address(signal: AbortSignal): Promise<string | undefined> {
    if (this.knownAddress !== undefined || this.isForbidden) {
      return this.knownAddress;
    }
    try {
      await this.read(signal);
    } catch (error) {
      if (!isSituation(error, 'forbidden')) {
        throw error;
      }
      this.isForbidden = true;
    }
    return this.knownAddress;
  }

  public async isAt(address: string, signal: AbortSignal): Promise<boolean> {
    const sandbox = await this.read(signal);
    const podName = podNameOf(sandbox);
    // What the Sandbox says is as old as the controller's last look at the Pod.
    const pod = await new Reader(this.cluster()).get(PODS, { namespace: this.namespace, name: podName }, { signal }).catch(error => {
      if (isNotFound(error)) {
        return undefined;
      }
      throw isSituation(error, 'forbidden')
        ? new SandboxAccessError(`Pod ${this.namespace}/${podName} of claim ${this.claim} may not be read, so its address cannot be confirmed`, 403, {
          claim: this.claim, remedy: 'get the right to get Pods in that namespace', cause: error,
        })
        : error;
    });
    const addresses = [pod?.status?.podIP, ...(pod?.status?.podIPs ?? []).map(({ ip }) => ip)];
    return pod?.status?.phase === 'Running' && !pod.metadata.deletionTimestamp && addresses.some(each => selectPodAddress([each]) === address);
  }

  public forgetAddress(): void {
    this.knownAddress = undefined;
  }

  /** The Sandbox object as it is now. Throws `SandboxNotFoundError`. */
  public async read(signal?: AbortSignal): Promise<SandboxObject> {
    try {
      const found = await new Reader(this.cluster()).get(SANDBOXES, this, { signal });
      this.knownUid = found.metadata.uid;
      this.knownAddress = selectPodAddress(found.status?.podIPs);
      return found;
    } catch (error) {
      throw isNotFound(error)
        ? new SandboxNotFoundError(`Sandbox ${keyOf({ namespace: this.namespace, name: this.name })} of claim ${this.claim} does not exist`, {
          claim: this.claim, remedy: 'make a new claim', cause: error,
        })
        : error;
    }
  }
}
