import type { PodSpec, ServicePort } from 'agent-sandbox-api';

interface NamedPort {
  readonly port: number;
  readonly protocol: string;
  name?: string;
}

/**
 * The ports of the Sandbox's Service: those of the containers and of the init containers that keep running, one per
 * number and protocol, sorted, each with a unique name and its number as target.
 */
export function servicePorts(spec: PodSpec): ServicePort[] {
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? []).filter(container => container.restartPolicy === 'Always')];
  const ports = new Map<string, NamedPort>();
  const names = new Set<string>();
  for (const { containerPort, protocol = '', name } of containers.flatMap(container => container.ports ?? [])) {
    if (!containerPort) {
      continue;
    }
    const key = `${containerPort}/${protocol || 'TCP'}`;
    const known: NamedPort = ports.get(key) ?? { port: containerPort, protocol: protocol || 'TCP' };
    ports.set(key, known);
    if (name && known.name === undefined && !names.has(name)) {
      known.name = name;
      names.add(name);
    }
  }
  const sorted = [...ports.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
  return sorted.map(({ port, protocol, name }) => ({ name: name ?? generatedName(port, protocol, names), protocol, port, targetPort: port }));
}

/** Whether the fields that the controller manages are equal; others (`nodePort`, `appProtocol`) belong to their author. */
export function samePorts(a: readonly ServicePort[] = [], b: readonly ServicePort[] = []): boolean {
  return a.length === b.length && a.every((port, i) => {
    const other = b[i]!;
    return (port.name ?? '') === (other.name ?? '') && (port.protocol ?? 'TCP') === (other.protocol ?? 'TCP')
      && port.port === other.port && port.targetPort === other.targetPort;
  });
}

function generatedName(port: number, protocol: string, names: Set<string>): string {
  const base = `p-${port}-${protocol.toLowerCase()}`;
  let name = base;
  for (let n = 2; names.has(name); n++) {
    name = `${base}-${n}`;
  }
  names.add(name);
  return name;
}
