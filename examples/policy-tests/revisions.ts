import type { App } from 'cdk8s';
import { NetworkPeer, NetworkPort, SandboxNetwork } from 'cdk8s-agent-sandbox';
import { agents } from './app';

/** The app on the main branch, in the pull request, and after its fix; the variable REVISION chooses. */
const REVISIONS: Readonly<Record<string, () => App>> = {
  'main': () => agents(),
  'pull-request': () => agents(
    SandboxNetwork.dnsOnly()
      .allowEgressTo(NetworkPeer.cidr('10.0.0.0/8'), [NetworkPort.tcp(443)]),
  ),
  'fixed': () => agents(
    SandboxNetwork.dnsOnly()
      .allowEgressTo(NetworkPeer.cidr('10.50.0.0/24'), [NetworkPort.tcp(443)]),
  ),
};

/** The app of the revision that the environment names. */
export function appOfRevision(): App {
  return REVISIONS[process.env.REVISION ?? 'main']();
}
