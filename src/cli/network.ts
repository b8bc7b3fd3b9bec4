import { nearest, printable } from '../checks';
import { NetworkPort } from '../network';
import { AddressSet, describeObject, type NetworkAnswer, NetworkEndpoint, NetworkModel, type PlacedManifest, Reachability } from '../policy';
import { networkWords } from '../posture';
import { type Invocation, type Result, UsageError } from './command-line';

/** What a sandbox reaches and what reaches it, or whether it reaches one destination. @internal */
export function network(invocation: Invocation, objects: readonly PlacedManifest[]): Result {
  const [name, destination] = invocation.arguments;
  const model = NetworkModel._ofPlaced(objects);
  const { endpoint, manifest } = sandboxOf(name, objects);
  const json = invocation.value('format') === 'json';
  if (destination === undefined) {
    const { reaches, reachedBy } = networkWords(model, manifest, endpoint);
    const lines = (head: string, items: readonly string[]) => [head, ...items.map(item => `  ${printable(item)}`)];
    return {
      code: 0,
      output: json ? JSON.stringify({
        sandbox: endpoint.description, reachedBy, reaches, ranges: model.reaches(endpoint), cells: rowOf(model, endpoint),
      }, undefined, 2) : [...lines(`${printable(endpoint.description)} is reached by`, reachedBy), ...lines('and reaches', reaches)].join('\n'),
    };
  }
  const to = destinationOf(destination, objects);
  const port = portOf(invocation.value('port'));
  const answer = model.canReach(endpoint, to, port);
  const expected = invocation.value('expect');
  const code = expected !== undefined && expected !== String(answer.reachability) ? 1 : 0;
  const output = json ? JSON.stringify({ sandbox: endpoint.description, destination: to.description, ...answer }, undefined, 2)
    : textOf(endpoint, to, answer, expected);
  return { code, output };
}

function rowOf(model: NetworkModel, { description }: NetworkEndpoint): { readonly [destination: string]: string } | undefined {
  return model.matrix().find(({ sandbox }) => sandbox === description)?.cells;
}

function textOf(from: NetworkEndpoint, to: NetworkEndpoint, answer: NetworkAnswer, expected: string | undefined): string {
  const { reachability, reasons, places, example } = answer;
  return [
    `${from.description} to ${to.description}: ${reachability}${expected !== undefined && expected !== String(reachability) ? `, and ${expected} was expected` : ''}`,
    ...reasons.map(reason => `  ${reason}`),
    ...(example !== undefined && reachability !== Reachability.DENIED ? [`  for example ${example}`] : []),
    ...(places.length > 0 ? [`  decided by ${places.join(', ')}`] : []),
  ].map(printable).join('\n');
}

function sandboxOf(name: string, objects: readonly PlacedManifest[]): { readonly endpoint: NetworkEndpoint; readonly manifest: PlacedManifest['manifest'] } {
  const candidates = objects.filter(({ manifest: { kind, apiVersion } }) =>
    ['Sandbox', 'SandboxTemplate'].includes(kind) && /agents\.x-k8s\.io\//.test(String(apiVersion)));
  const found = candidates.filter(({ manifest }) => namesOf(manifest).includes(name));
  if (found.length !== 1) {
    const known = (found.length === 0 ? candidates : found).slice(0, 10).map(({ manifest }) => `'${describeObject(manifest)}'`);
    const problem = found.length === 0 ? 'there is none of this name' : `${found.length} have this name`;
    throw new UsageError(`SANDBOX is '${name}': ${problem}: use ${known.join(', ') || 'other manifests: these have no Sandbox and no template'}`);
  }
  const { manifest } = found[0];
  const { kind, metadata } = manifest;
  return { manifest, endpoint: kind === 'Sandbox' ? NetworkEndpoint.sandbox(metadata.name, metadata.namespace) : NetworkEndpoint.template(metadata.name, metadata.namespace) };
}

function namesOf({ kind, metadata: { name, namespace } }: PlacedManifest['manifest']): string[] {
  return [name, ...(namespace ? [`${namespace}/${name}`, `${kind} ${namespace}/${name}`] : [`${kind} ${name}`])];
}

/** Kinds that a destination can be. */
const KINDS = ['Sandbox', 'SandboxTemplate', 'Service', 'Pod', 'Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob'];

function destinationOf(text: string, objects: readonly PlacedManifest[]): NetworkEndpoint {
  if (text === 'api-server') {
    return NetworkEndpoint.apiServer();
  }
  if (text === 'nodes' || text === 'kubelet') {
    return NetworkEndpoint.nodes();
  }
  if (NetworkEndpoint.names().includes(text)) {
    return NetworkEndpoint.named(text);
  }
  const namespace = /^namespace (\S+)$/.exec(text)?.[1];
  if (namespace !== undefined) {
    return NetworkEndpoint.anyPodOf(namespace);
  }
  if (/^[\da-f:.]+(\/\d+)?$/i.test(text) && /[.:]/.test(text)) {
    if (AddressSet.of(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`).isEmpty) {
      throw new UsageError(`DESTINATION is '${text}': write an address or a network: '169.254.169.254', '10.0.0.0/8', 'fd00::/8'`);
    }
    return NetworkEndpoint.address(text);
  }
  const found = objects.filter(({ manifest }) => KINDS.includes(manifest.kind) && namesOf(manifest).includes(text));
  const near = nearest(text, NetworkEndpoint.names());
  if (found.length === 0 && near !== undefined) {
    throw new UsageError(`DESTINATION is '${text}': use ${near}`);
  }
  if (found.length === 0 && /^[-\w*]+(\.[-\w]+)+$/.test(text)) {
    throw new UsageError(`DESTINATION is '${text}': NetworkPolicies know addresses, not host names: write the address of the host`);
  }
  if (found.length !== 1) {
    throw new UsageError(`DESTINATION is '${text}': ${found.length > 1 ? `${found.length} objects have this name: write its kind, as in '${describeObject(found[0].manifest)}'`
      : "use an address or network, 'api-server', 'nodes', 'namespace NAME', the name of an object with Pods or of a Service, or one of "
        + NetworkEndpoint.names().join(', ')}`);
  }
  const { kind, metadata: { name, namespace: own } } = found[0].manifest;
  return kind === 'Sandbox' ? NetworkEndpoint.sandbox(name, own) : kind === 'SandboxTemplate' ? NetworkEndpoint.template(name, own)
    : kind === 'Service' ? NetworkEndpoint.service(name, own) : NetworkEndpoint.workload(kind, name, own);
}

function portOf(text: string | undefined): NetworkPort | undefined {
  if (text === undefined) {
    return undefined;
  }
  const [, protocol = 'TCP', from, to] = /^(?:(tcp|udp|sctp)\/)?(\d+)(?:-(\d+))?$/i.exec(text) ?? [];
  const numbers = [from, to ?? from].map(Number);
  if (from === undefined || numbers.some(each => each < 1 || each > 65535) || numbers[0] > numbers[1] || (/^sctp/i.test(text) && to !== undefined)) {
    throw new UsageError(`--port is '${text}': write 443, TCP/8000-8010 or UDP/53, with numbers from 1 to 65535`);
  }
  switch (protocol.toUpperCase()) {
    case 'TCP': return NetworkPort.tcpRange(numbers[0], numbers[1]);
    case 'UDP': return NetworkPort.udpRange(numbers[0], numbers[1]);
    default: return NetworkPort.sctp(numbers[0]);
  }
}
