import { ROUTER } from '../generated/vocabulary.gen';
import { type ConnectedPods, type Connections, type Manifest, type NetworkEndpoint, type NetworkModel, Reachability } from '../policy';
import { classesOf, type ConnectedClass, EVERY_ADDRESS, onPorts } from './address-classes';
import { fact, NOTHING, PostureConcern, type PostureFact } from './fact';

const EVERYTHING = 'everything: every address, and all Pods of the cluster';

/** What a Sandbox or template is connected with. @internal */
export interface NetworkFacts {
  readonly facts: PostureFact[];
  readonly ingress: Connections;
  readonly egress: Connections;
}

/** Facts about who reaches the Pods of an object, and what they reach. @internal */
export function networkFacts(model: NetworkModel, manifest: Manifest, endpoint: NetworkEndpoint): NetworkFacts {
  const [ingress, egress] = (['ingress', 'egress'] as const).map(direction => model._connections(manifest, direction));
  const { apiServer, nodes } = model._reachesControlPlane(manifest, endpoint);
  const services = ([['the API server', apiServer], ['the kubelets of the nodes', nodes]] as const).flatMap(([name, reachability]) => {
    const isCertain = reachability === Reachability.ALLOWED;
    return reachability === Reachability.DENIED ? [] : [{ name: isCertain ? name : `perhaps ${name}: the address is not known`, isCertain }];
  });
  const tiers = [...ingress.tiers, ...egress.tiers];
  const [inward, outward] = [classesOf(ingress.addresses), classesOf(egress.addresses)];
  const isOpen = (side: Connections) => side.pods.some(each => each.pods === 'all Pods' && each.certain);
  const everything = (side: Connections, classes: readonly ConnectedClass[]) => isOpen(side) && classes[0]?.text === EVERY_ADDRESS;
  const named = (side: Connections, classes: readonly ConnectedClass[]) => [...classes.map(({ text }) => text), ...side.pods.map(podsText)];
  const reached = everything(egress, outward) ? [EVERYTHING] : [...named(egress, outward), ...services.map(({ name }) => name)];
  const callers = everything(ingress, inward) ? [EVERYTHING] : named(ingress, inward);
  return {
    ingress, egress,
    facts: [
      fact('reached-by', callers, {
        empty: NOTHING, isDefault: ingress.addresses.length === 0 && ingress.pods.length === 1 && isRouter(ingress.pods[0]),
        concern: isOpen(ingress) || inward.length > 0 ? PostureConcern.RISK : PostureConcern.NONE,
      }),
      fact('reaches', reached, {
        empty: NOTHING,
        concern: isOpen(egress) || outward.some(({ isRisk }) => isRisk) || services.some(({ isCertain }) => isCertain)
          ? PostureConcern.RISK : outward.length > 0 ? PostureConcern.NOTICE : PostureConcern.NONE,
      }),
      ...(tiers.length > 0 ? [fact('cluster-policies', [...new Set(tiers)])] : []),
    ],
  };
}

/** @internal */
export function isRouter({ namespace, labels }: ConnectedPods): boolean {
  return namespace !== undefined && Object.entries(ROUTER.labels).every(([key, value]) => labels?.[key] === value);
}

function podsText(each: ConnectedPods): string {
  const { pods, namespace, labels, ports, certain } = each;
  const name = isRouter(each) ? `the router (namespace ${namespace})`
    : labels?.['k8s-app'] === 'kube-dns' && namespace === 'kube-system' ? 'cluster DNS' : pods === 'all Pods' ? 'all Pods of the cluster' : pods;
  return `${name}${onPorts(ports)}${certain ? '' : ' (not certain)'}`;
}

/** What reaches the Pods of an object, and what they reach, in words. @internal */
export function networkWords(
  model: NetworkModel, manifest: Manifest, endpoint: NetworkEndpoint,
): { readonly reachedBy: string[]; readonly reaches: string[] } {
  const { facts } = networkFacts(model, manifest, endpoint);
  const items = (topic: string) => facts.find(each => each.topic === topic)!.items;
  return { reachedBy: items('reached-by'), reaches: items('reaches') };
}
