import { SANDBOXES, Sandbox as SandboxObject, keyOf } from 'agent-sandbox-api';
import { Cluster, Reader, isNotFound, isSituation } from 'agent-sandbox-kube';
import { SandboxNotFoundError } from './errors.js';
import { selectPodAddress } from './pod-address.js';
import { TransportTarget } from './transport.js';

/** A Sandbox object as requests need it: who it is, and where its Pod is. */
export class SandboxTarget implements TransportTarget {
  private knownUid?: string;
  private knownAddress?: string;
  /** Whether the caller may not read Sandboxes: asking again would not help. */
  private isForbidden = false;

  /** @param claim `namespace/name` */
  constructor(
    private readonly cluster: () => Cluster,
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
