import { Agent } from 'undici';
import { SandboxNotReadyError } from '../errors.js';
import { urlHost } from '../pod-address.js';
import { Connection, ConnectionPlan, Route, Target } from './connection.js';
import { agentOf } from './direct.js';

/**
 * Straight to the address of the Pod, for programs in the same cluster whose NetworkPolicies permit it. There is no router and so
 * nothing that checks who asks: tokens are not sent.
 *
 * @param port of the runtime
 */
export function inCluster({ port = 8888 }: { readonly port?: number } = {}): ConnectionPlan {
  return { mode: 'in-cluster', open: () => new InClusterConnection(port) };
}

class InClusterConnection implements Connection {
  private readonly agent: Agent = agentOf();

  constructor(private readonly port: number) {}

  public async route(target: Target, signal: AbortSignal): Promise<Route> {
    const address = await target.address(signal);
    if (!address) {
      // Pods of a warm pool have no Service, so there is no name to fall back on either.
      throw new SandboxNotReadyError(`the Sandbox of claim ${target.claim} has no Pod address`, {
        claim: target.claim, remedy: 'wait until it is Ready; resume it if it is suspended',
      });
    }
    return { origin: `http://${urlHost(address)}:${this.port}`, prefix: '', dispatcher: this.agent, viaRouter: false, isPrivate: false };
  }

  public forget(): void {
    // The target forgets its address itself.
  }

  public async close(): Promise<void> {
    await this.agent.destroy();
  }
}
