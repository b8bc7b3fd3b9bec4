import { RUNTIME_PORT } from 'agent-sandbox-api';
import { Agent, buildConnector } from 'undici';
import { SandboxNotReadyError, SandboxRequestError } from '../errors.js';
import { urlHost } from '../pod-address.js';
import { CONNECT_TIMEOUT_MS, type Connection, type ConnectionPlan, type Route, type Target } from './connection.js';

/** Sandboxes to which connections are kept; those of the oldest are closed. */
const MOST_SANDBOXES = 1000;

/**
 * Straight to the address of the Pod, for programs in the same cluster whose NetworkPolicies permit it. There is no router and so
 * nothing that checks who asks: tokens are not sent.
 *
 * Each connection is used only after the API server has confirmed that the address is that of the sandbox's Pod, which needs `get` on
 * Pods: an address that went to another Pod must not run commands there. A connection never changes Pods, so this is asked once for each.
 *
 * @param port of the runtime
 */
export function inCluster({ port = RUNTIME_PORT }: { readonly port?: number } = {}): ConnectionPlan {
  return { mode: 'in-cluster', open: () => new InClusterConnection(port) };
}

class InClusterConnection implements Connection {
  /** By namespace and name of the Sandbox. */
  private readonly agents = new Map<string, Agent>();

  constructor(private readonly port: number) {}

  public async route(target: Target, signal: AbortSignal): Promise<Route> {
    const address = await target.address(signal);
    if (!address) {
      // Pods of a warm pool have no Service, so there is no name to fall back on either.
      throw new SandboxNotReadyError(`the Sandbox of claim ${target.claim} has no Pod address`, {
        claim: target.claim, remedy: 'wait until it is Ready; resume it if it is suspended',
      });
    }
    return { origin: `http://${urlHost(address)}:${this.port}`, prefix: '', dispatcher: this.agentOf(target), viaRouter: false, isPrivate: false };
  }

  public forget(): void {
    // The target forgets its address itself.
  }

  public async close(): Promise<void> {
    await Promise.all([...this.agents.values()].map(agent => agent.destroy()));
  }

  private agentOf(target: Target): Agent {
    const key = `${target.namespace}/${target.name}`;
    let agent = this.agents.get(key);
    if (!agent) {
      const connect = buildConnector({ timeout: CONNECT_TIMEOUT_MS });
      agent = new Agent({
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: (options, callback) => connect(options, (error, socket) => {
          if (error) {
            callback(error, null);
            return;
          }
          // Asked when the connection stands: whatever becomes of the address later, this connection still ends where it ends now.
          confirm(target, options.hostname.replace(/^\[|\]$/g, '')).then(() => callback(null, socket!), refusal => {
            socket!.destroy();
            callback(refusal, null);
          });
        }),
      });
      this.agents.set(key, agent);
      if (this.agents.size > MOST_SANDBOXES) {
        const [[oldest, unused]] = this.agents;
        this.agents.delete(oldest);
        void unused.close();
      }
    }
    return agent;
  }
}

async function confirm(target: Target, address: string): Promise<void> {
  if (!await target.isAt(address, AbortSignal.timeout(CONNECT_TIMEOUT_MS))) {
    throw new SandboxRequestError(`${address} is not an address of the Pod of claim ${target.claim} any more`, undefined, '', false, {
      claim: target.claim, reason: 'AddressChanged', remedy: 'wait until its Pod is Ready',
    });
  }
}
