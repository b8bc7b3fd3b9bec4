import { ApiObject, Chart, Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import {
  AgentSandboxVersion, ClaimOverrides, ClusterDns, Isolation, Lifetime, NetworkPeer, NetworkPort, Probe, Relaxation, Sandbox, SandboxClaim, SandboxClaimProps,
  SandboxContainer, SandboxMount, SandboxNetwork, SandboxPort, SandboxProps, SandboxTemplate, SandboxTemplateProps, SandboxVolume, SandboxWarmPool,
  SandboxWarmPoolProps, ShutdownPolicy, l1,
} from '../src';
import { CONTAINER, POD, messageOf, synth, testChart } from './helpers';

const V1ALPHA1 = AgentSandboxVersion.V1ALPHA1;
const PYTHON = SandboxTemplate.fromName('python');
const POOL = SandboxWarmPool.fromName('pool');
const data = SandboxVolume.persistent('data', { size: '1Gi' });
const scratch = SandboxVolume.emptyDir('scratch');
const value = (text: string) => kplus.EnvValue.fromValue(text);
const long = (length: number) => 'x'.repeat(length);

const box = (props: Partial<SandboxProps>, id = 'box') => new Sandbox(testChart({ namespace: 'agents' }), id, { ...POD, ...props });
const main = (props: Partial<SandboxContainer>) => box({ containers: [{ ...CONTAINER, ...props }] });
const port = (...ports: SandboxPort[]) => main({ ports });
const mount = (...mounts: SandboxMount[]) => main({ mounts });
const env = (values: { [name: string]: string }) => main({ env: Object.fromEntries(Object.entries(values).map(([name, text]) => [name, value(text)])) });
const template = (props: Partial<SandboxTemplateProps>, scope: Construct = testChart({ namespace: 'agents' })) => new SandboxTemplate(scope, 'python', { ...POD, ...props });
const pool = (props: Partial<SandboxWarmPoolProps>) => new SandboxWarmPool(testChart({ namespace: 'agents' }), 'pool', { template: PYTHON, ...props });
const claim = (props: Partial<SandboxClaimProps>, chart: Chart = testChart({ namespace: 'agents' })) => new SandboxClaim(chart, 'claim', { pool: POOL, ...props });
/** A claim of a template of the app. */
const claimOf = (of: Partial<SandboxTemplateProps>, props: Partial<SandboxClaimProps>) => {
  const chart = testChart({ namespace: 'agents' });
  return claim({ pool: undefined, template: template(of, chart), ...props }, chart);
};
/** What synthesis says of objects that are well-formed one by one. */
const together = (make: (chart: Chart) => unknown) => {
  const chart = testChart({ namespace: 'agents' });
  make(chart);
  synth(chart);
};

/** What is wrong, by what it is about, and the whole message. */
const BAD_INPUTS: readonly (readonly [about: string, action: () => unknown, message: string])[] = [
  ['names and metadata', () => box({}, 'My_Box'),
    "test/My_Box: name (the construct id) is 'My_Box': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  ['names and metadata', () => box({ name: '' }),
    "test/box: name is '': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  ['names and metadata', () => box({ name: long(254) }),
    `test/box: name is '${long(254)}': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit`],
  ['names and metadata', () => box({ namespace: 'a.b' }),
    "test/box: namespace is 'a.b': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['names and metadata', () => box({ service: true }, '1-box'),
    "test/1-box: name is '1-box': the Service takes this name: use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"],
  ['names and metadata', () => box({ service: true, name: long(64) }),
    `test/box: name is '${long(64)}': the Service takes this name: use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit`],
  ['names and metadata', () => box({ name: long(250), network: SandboxNetwork.unmanaged(), volumes: [data] }),
    `test/box: name is '${long(250)}': its PersistentVolumeClaim 'data-${long(250)}' would have 255 characters, 253 are allowed: shorten it or the volume's name`],
  ['names and metadata', () => box({ name: long(246) }),
    `test/box: name is '${long(246)}': its NetworkPolicy is named 'sandbox-' and this name: use at most 245 characters`],
  ['names and metadata', () => box({ labels: { 'a b': 'c' } }),
    "test/box: labels key is 'a b': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  ['names and metadata', () => box({ labels: { a: 'b c' } }),
    "test/box: labels['a'] is 'b c': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
  ['names and metadata', () => box({ annotations: { 'a/b/c': 'd' } }),
    "test/box: annotations key is 'a/b/c': use '<name>' or '<dns domain>/<name>', the name of 1 to 63 letters, digits, '-', '_' and '.'"],
  ['names and metadata', () => box({ podLabels: { 'agents.x-k8s.io/claim-uid': 'x' } }),
    "test/box: podLabels key is 'agents.x-k8s.io/claim-uid': the controller drops keys of this prefix from Pods: use a prefix of your own"],
  ['names and metadata', () => box({ podAnnotations: { 'opentelemetry.io/trace-context': '{}' } }),
    "test/box: podAnnotations key is 'opentelemetry.io/trace-context': the controller drops this key from Pods: use a key of your own"],
  ['names and metadata', () => box({ podLabels: { app: 'Sandbox-Router' } }),
    "test/box: podLabels['app'] is 'Sandbox-Router': network policies let the router in by this label: use another value"],
  ['names and metadata', () => template({ name: long(240) }),
    `test/python: name is '${long(240)}': the controller appends '-network-policy' for the NetworkPolicy: use at most 238 characters`],
  ['containers', () => box({ containers: [] }),
    'test/box: containers is []: a Pod needs at least one container'],
  ['containers', () => main({ name: 'Main' }),
    "test/box: containers[0].name is 'Main': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['containers', () => main({ image: 'python :3' }),
    "test/box: containers[0].image is 'python :3': name an image without white space"],
  ['containers', () => main({ image: '' }),
    "test/box: containers[0].image is '': name an image without white space"],
  ['containers', () => box({ containers: [CONTAINER, CONTAINER] }),
    'test/box: containers[1].name: give it a name; only the first container can do without'],
  ['containers', () => box({ containers: [CONTAINER], sidecars: [{ ...CONTAINER, name: 'sandbox' }] }),
    "test/box: sidecars[0].name is 'sandbox': name each container of a Pod differently"],
  ['containers', () => box({ initContainers: [{ ...CONTAINER, name: 'init', readiness: Probe.tcpSocket({ port: 1 }) }] }),
    'test/box: initContainers[0].readiness: an init container runs to completion and has none: leave it out, or make the container a sidecar'],
  ['containers', () => box({ sidecars: [{ ...CONTAINER, name: 'proxy', restartPolicy: 'Never' }] }),
    "test/box: sidecars[0].restartPolicy is 'Never': a sidecar always restarts: leave it out, or make it an init container"],
  ['containers', () => main({ restartPolicy: 'Sometimes' }),
    "test/box: containers[0].restartPolicy is 'Sometimes': use 'Always', 'OnFailure' or 'Never'"],
  ['containers', () => main({ terminationMessagePolicy: 'Logs' }),
    "test/box: containers[0].terminationMessagePolicy is 'Logs': use 'File' or 'FallbackToLogsOnError'"],
  ['ports', () => port({ port: 0 }),
    'test/box: containers[0].ports[0].port is 0: use a whole number from 1 to 65535'],
  ['ports', () => main({ port: 65536 }),
    'test/box: containers[0].port is 65536: use a whole number from 1 to 65535'],
  ['ports', () => port({ port: 8080.5 }),
    'test/box: containers[0].ports[0].port is 8080.5: use a whole number from 1 to 65535'],
  ['ports', () => port({ port: 80, name: 'a-name-too-long-' }),
    "test/box: containers[0].ports[0].name is 'a-name-too-long-': use 1 to 15 lower-case letters, digits and single '-', with at least one letter"],
  ['ports', () => main({ port: 8888, ports: [{ port: 8888 }] }),
    "test/box: containers[0].ports[0] is '8888/TCP': declare each port once"],
  ['ports', () => port({ port: 1, name: 'http' }, { port: 2, name: 'http' }),
    "test/box: containers[0].ports[1].name is 'http': name each port of a Pod differently"],
  ['ports', () => box({ containers: [{ ...CONTAINER, ports: [{ port: 1, name: 'http' }] }, { ...CONTAINER, name: 'b', ports: [{ port: 2, name: 'http' }] }] }),
    "test/box: containers[1].ports[0].name is 'http': name each port of a Pod differently"],
  ['ports', () => port({ port: 80, hostPort: 70000 }),
    '2 problems:\n  test/box: containers[0].ports[0].hostPort is 70000: use a whole number from 1 to 65535\n  test/box: containers[0].hostPort is 70000: reach the sandbox through a Service or the router, or name it: relaxations: [Relaxation.HOST_PORTS]'],
  ['environment', () => env({ '1A': 'x' }),
    "test/box: containers[0].env key is '1A': use letters, digits, '_', '-' and '.', not beginning with a digit or '..'"],
  ['environment', () => env({ 'A=B': 'x' }),
    "test/box: containers[0].env key is 'A=B': use letters, digits, '_', '-' and '.', not beginning with a digit or '..'"],
  ['environment', () => env({ A: '$(B)/bin', B: '/usr' }),
    "test/box: containers[0].env['A'] is '$(B)/bin': $(B) does not come before it, as variables are sorted by name: rename one of them, or write $$(B) for the text itself"],
  ['environment', () => env({ PATH: '$(PATH):/opt' }),
    "test/box: containers[0].env['PATH'] is '$(PATH):/opt': $(PATH) does not come before it, as variables are sorted by name: rename one of them, or write $$(PATH) for the text itself"],
  ['mounts and volumes', () => mount({ path: 'workspace', volume: data }),
    "test/box: containers[0].mounts[0].path is 'workspace': write an absolute path without ':', such as '/workspace'"],
  ['mounts and volumes', () => mount({ path: '/a:b', volume: data }),
    "test/box: containers[0].mounts[0].path is '/a:b': write an absolute path without ':', such as '/workspace'"],
  ['mounts and volumes', () => mount({ path: '/a', volume: data }, { path: '/a', volume: scratch }),
    "test/box: containers[0].mounts[1].path is '/a': mount one volume at a path"],
  ['mounts and volumes', () => main({ mounts: [{ path: '/tmp', volume: scratch }], writablePaths: ['/tmp'] }),
    "test/box: containers[0].writablePaths[0] is '/tmp': mount one volume at a path"],
  ['mounts and volumes', () => main({ writablePaths: ['tmp'] }),
    "test/box: containers[0].writablePaths[0] is 'tmp': write an absolute path without ':', such as '/workspace'"],
  ['mounts and volumes', () => mount({ path: '/a', volume: data, subPath: '../secrets' }),
    "test/box: containers[0].mounts[0].subPath is '../secrets': use a relative path without '..'"],
  ['mounts and volumes', () => mount({ path: '/a', volume: data, subPath: 'a', subPathExpr: '$(A)' }),
    "test/box: containers[0].mounts[0].subPathExpr is '$(A)': use either subPath or subPathExpr"],
  ['mounts and volumes', () => mount({ path: '/a', volume: data, recursiveReadOnly: 'Yes' }),
    "test/box: containers[0].mounts[0].recursiveReadOnly is 'Yes': use 'Enabled', 'IfPossible' or 'Disabled'"],
  ['mounts and volumes', () => mount({ path: '/a', volume: SandboxVolume.fromName('elsewhere') }),
    "test/box: containers[0].mounts[0].volume is 'elsewhere': nothing defines this volume: add it to volumes, or mount a SandboxVolume that says what it is"],
  ['mounts and volumes', () => main({ volumeDevices: [{ name: 'disk', devicePath: '/dev/xvda' }] }),
    "test/box: containers[0].volumeDevices[0].name is 'disk': the Pod has no volume of this name: add it to volumes"],
  ['mounts and volumes', () => box({ volumes: [SandboxVolume.emptyDir('data'), data] }),
    "test/box: volumes is 'data': two different volumes have this name: rename one"],
  ['mounts and volumes', () => SandboxVolume.persistent('Data', { size: '1Gi' }),
    "SandboxVolume.persistent: name is 'Data': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['mounts and volumes', () => SandboxVolume.persistent('data', { size: '10 GB' }),
    "SandboxVolume.persistent: size is '10 GB': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  ['mounts and volumes', () => SandboxVolume.persistent('data', { size: '0Gi' }),
    "SandboxVolume.persistent: size is '0Gi': a volume needs room: for example '10Gi'"],
  ['mounts and volumes', () => SandboxVolume.persistent('data', { size: '1Gi', accessModes: [] }),
    'SandboxVolume.persistent: accessModes is []: name at least one, or leave it out for ReadWriteOnce'],
  ['mounts and volumes', () => SandboxVolume.persistent('data', { size: '1Gi', storageClass: 'a', spec: { storageClassName: 'b' } }),
    "SandboxVolume.persistent: spec.storageClassName is 'b': storageClass sets it too: set it in one place"],
  ['mounts and volumes', () => SandboxVolume.emptyDir('tmp', { sizeLimit: '1.5' }),
    "SandboxVolume.emptyDir: sizeLimit is '1.5': bytes come whole: write '512Mi' or '512M' for millions of them ('m' is a thousandth)"],
  ['mounts and volumes', () => SandboxVolume.configMap('config', kplus.ConfigMap.fromConfigMapName(testChart(), 'c', 'config'), { defaultMode: 0o1000 }),
    'SandboxVolume.configMap: defaultMode is 512: use a mode from 0 to 0o777'],
  ['mounts and volumes', () => SandboxVolume.of({ name: 'mixed', emptyDir: {}, secret: { secretName: 'a' } }),
    'SandboxVolume.of: volume is ["emptyDir","secret"]: name exactly one source, such as csi or projected'],
  ['mounts and volumes', () => SandboxVolume.fromName(''),
    "SandboxVolume.fromName: name is '': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['resources', () => main({ cpu: '250 m' }),
    "test/box: containers[0].cpu is '250 m': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  ['resources', () => main({ cpu: '-1' }),
    "test/box: containers[0].cpu is '-1': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  ['resources', () => main({ memory: '512mb' }),
    "test/box: containers[0].memory is '512mb': write a non-negative number with an optional unit: '500m', '2', '512Mi', '10Gi' (units: n u m k M G T P E, Ki Mi Gi Ti Pi Ei)"],
  ['resources', () => main({ memory: '512m' }),
    "test/box: containers[0].memory is '512m': bytes come whole: write '512Mi' or '512M' for millions of them ('m' is a thousandth)"],
  ['resources', () => main({ memory: '2Gi', memoryLimit: '2000M' }),
    "test/box: containers[0].memory is '2Gi': request at most the limit, 2000M"],
  ['resources', () => main({ cpu: '1', resources: { limits: { cpu: l1.Quantity.fromString('2') } } }),
    "test/box: containers[0].cpu is '1': resources sets cpu too: set it in one place"],
  ['resources', () => main({ resources: { requests: { 'nvidia.com/gpu': l1.Quantity.fromNumber(2) }, limits: { 'nvidia.com/gpu': l1.Quantity.fromNumber(1) } } }),
    "test/box: containers[0].resources.requests['nvidia.com/gpu'] is 2: request at most the limit, 1"],
  ['probes', () => main({ readiness: Probe.httpGet('/healthz') }),
    'test/box: containers[0].readiness.port: give a port, to the probe or to the container'],
  ['probes', () => main({ liveness: Probe.tcpSocket({ port: 99999 }) }),
    'test/box: containers[0].liveness.port is 99999: use a whole number from 1 to 65535'],
  ['probes', () => main({ startup: Probe.exec(['true'], { period: Duration.millis(500) }) }),
    "test/box: containers[0].startup.period is '0.5s': use whole seconds from 1 to 2147483647"],
  ['probes', () => main({ startup: Probe.exec(['true'], { timeout: Duration.seconds(0) }) }),
    "test/box: containers[0].startup.timeout is '0s': use whole seconds from 1 to 2147483647"],
  ['probes', () => main({ readiness: Probe.exec([], { failureThreshold: 0 }) }),
    '2 problems:\n  test/box: containers[0].readiness.command is []: name the program to run\n  test/box: containers[0].readiness.failureThreshold is 0: use a whole number from 1 to 2147483647'],
  ['probes', () => main({ liveness: Probe.exec(['true'], { successThreshold: 2 }) }),
    'test/box: containers[0].liveness.successThreshold is 2: a liveness probe succeeds at once: leave it out'],
  ['probes', () => main({ readiness: Probe.exec(['true'], { terminationGracePeriod: Duration.seconds(5) }) }),
    "test/box: containers[0].readiness.terminationGracePeriod is '5s': a readiness probe stops no container: leave it out"],
  ['pod', () => box({ terminationGracePeriod: Duration.millis(1500) }),
    "test/box: terminationGracePeriod is '1.5s': use whole seconds from 0 to 2147483647"],
  ['pod', () => box({ activeDeadline: Duration.seconds(0) }),
    "test/box: activeDeadline is '0s': use whole seconds from 1 to 2147483647"],
  ['pod', () => box({ hostname: 'a.b' }),
    "test/box: hostname is 'a.b': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['pod', () => box({ hostAliases: [{ ip: '192.0.2.1', hostnames: ['A_B'] }] }),
    "test/box: hostAliases[0].hostnames[0] is 'A_B': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  ['pod', () => box({ nodeSelector: { disk: 'very fast' } }),
    "test/box: nodeSelector['disk'] is 'very fast': use at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"],
  ['pod', () => box({ isolation: Isolation.gkeSandbox(), nodeSelector: { 'sandbox.gke.io/runtime': 'none' } }),
    "test/box: nodeSelector['sandbox.gke.io/runtime'] is 'none': the isolation needs 'gvisor': leave it out"],
  ['pod', () => box({ tolerations: [{ key: 'gpu', operator: 'Like' }] }),
    "test/box: tolerations[0].operator is 'Like': use 'Equal', 'Exists', or from Kubernetes 1.35 on 'Lt' or 'Gt'"],
  ['pod', () => box({ dnsPolicy: kplus.DnsPolicy.NONE }),
    "test/box: dnsPolicy is 'None': name the servers to ask instead: dnsConfig: { nameservers: […] }"],
  ['pod', () => box({ preemptionPolicy: 'never' }),
    "test/box: preemptionPolicy is 'never': use 'PreemptLowerPriority' or 'Never'"],
  ['pod', () => box({ schedulingGates: [{ name: 'a' }, { name: 'a' }] }),
    "test/box: schedulingGates[1].name is 'a': list it once"],
  ['pod', () => box({ service: true, hostNetwork: true, relaxations: [Relaxation.HOST_NETWORK], network: SandboxNetwork.unmanaged() }),
    'test/box: service is true: a Service on the network of the node would publish its ports: leave service or hostNetwork out'],
  ['pod', () => box({ hostNetwork: true, relaxations: [Relaxation.HOST_NETWORK] }),
    'test/box: hostNetwork is true: no NetworkPolicy applies on the network of the node: leave it out, or say network: SandboxNetwork.unmanaged()'],
  ['pod', () => box({ network: SandboxNetwork.controllerDefault() }),
    "test/box: network is 'controllerDefault': the controller keeps no policy for a Sandbox without a template: use another preset, such as SandboxNetwork.publicInternet()"],
  ['pod', () => main({ runAsUser: 0 }),
    'test/box: containers[0].securityContext.runAsUser is 0: name it: relaxations: [Relaxation.RUN_AS_ROOT]'],
  ['pod', () => main({ runAsUser: -1 }),
    'test/box: containers[0].runAsUser is -1: use a whole number from 0 to 2147483647'],
  ['pod', () => box({ runAsUser: 1000, securityContext: { runAsUser: 1001 } }),
    'test/box: runAsUser is 1000: securityContext sets it too: set it in one place'],
  ['pod', () => Isolation.runtimeClass('gVisor'),
    "Isolation.runtimeClass: name is 'gVisor': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  ['network', () => NetworkPeer.cidr('10.0.0.0'),
    "NetworkPeer.cidr: cidr is '10.0.0.0': add the prefix length: '10.0.0.0/32' is this address alone"],
  ['network', () => NetworkPeer.cidr('10.0.0.1/8'),
    "NetworkPeer.cidr: cidr is '10.0.0.1/8': bits are set behind the prefix: write '10.0.0.0/8' for the network, or '10.0.0.1/32' for the address"],
  ['network', () => NetworkPeer.cidr('10.0.0.0/33'),
    "NetworkPeer.cidr: cidr is '10.0.0.0/33': use a prefix length from 0 to 32"],
  ['network', () => NetworkPeer.cidr('::ffff:10.0.0.0/104'),
    "NetworkPeer.cidr: cidr is '::ffff:10.0.0.0/104': API servers refuse IPv4-mapped IPv6 networks in exceptions, and later ones anywhere: write '10.0.0.0/8'"],
  ['network', () => NetworkPeer.cidr('10.0.0.0/8', { except: ['192.168.0.0/16'] }),
    "NetworkPeer.cidr: except[0] is '192.168.0.0/16': it is not inside of 10.0.0.0/8: leave it out, or check both"],
  ['network', () => NetworkPeer.cidr('10.0.0.0/8', { except: ['fd00::/8'] }),
    "NetworkPeer.cidr: except[0] is 'fd00::/8': it is IPv6 and 10.0.0.0/8 is IPv4: use one peer per family"],
  ['network', () => SandboxNetwork.denyAll().allowEgressTo(NetworkPeer.cidr('0.0.0.0/1')).allowEgressTo(NetworkPeer.cidr('128.0.0.0/1')),
    "2 problems:\n  SandboxNetwork.allowEgressTo: peer is '128.0.0.0/1': it reaches 169.254.169.254, where clouds hand out the credentials of the node: add except: ['169.254.0.0/16'], or use SandboxNetwork.publicInternet(); who needs that server allows it by itself\n  SandboxNetwork.allowEgressTo: peer is '0.0.0.0/1, 128.0.0.0/1': together they are all IPv4 addresses: use SandboxNetwork.publicInternet(), or one NetworkPeer.cidr('0.0.0.0/0', { except: [...] })"],
  ['network', () => SandboxNetwork.denyAll().allowEgressTo(undefined as any, [NetworkPort.udp(53)]),
    'SandboxNetwork.allowEgressTo: peer: without a peer, port 53 is open to every name server of the internet: name the servers, such as ClusterDns.kubeDns().peer'],
  ['network', () => ClusterDns.custom(undefined as any, [NetworkPort.udp(53)]),
    'ClusterDns.custom: peer: without a peer every name server of the internet would be allowed: name the servers'],
  ['network', () => SandboxNetwork.denyAll().allowIngressFrom(NetworkPeer.anyPod(), []),
    'SandboxNetwork.allowIngressFrom: ports is []: an empty list means every port to Kubernetes: leave it out for every port, or name one'],
  ['network', () => SandboxNetwork.unmanaged().allowEgressTo(NetworkPeer.anyPod()),
    "SandboxNetwork.allowEgressTo: preset is 'unmanaged': it has no rules to add to, and rules would replace it as a whole: begin with another preset, such as SandboxNetwork.publicInternet()"],
  ['network', () => NetworkPeer.pods({}),
    'NetworkPeer.pods: labels is {}: without labels everything matches: name at least one, or say NetworkPeer.anyPod()'],
  ['network', () => NetworkPort.tcpRange(443, 80),
    'NetworkPort.tcpRange: to is 80: use a whole number from 443 to 65535'],
  ['lifetimes', () => Lifetime.until('2027-01-31T17:00:00'),
    "Lifetime.until: shutdownTime is '2027-01-31T17:00:00': add a zone, or it would mean another time on every machine: '2027-01-31T17:00:00Z'"],
  ['lifetimes', () => Lifetime.until('2027-02-30T17:00:00Z'),
    "Lifetime.until: shutdownTime is '2027-02-30T17:00:00Z': there is no such time: check day, hour and zone, for example '2027-01-31T17:00:00Z'"],
  ['lifetimes', () => Lifetime.until('in an hour'),
    "Lifetime.until: shutdownTime is 'in an hour': write date, time and zone as in RFC 3339: '2027-01-31T17:00:00Z'"],
  ['lifetimes', () => Lifetime.afterFinished(Duration.millis(10)),
    "Lifetime.afterFinished: ttl is '0.01s': use whole seconds from 0 to 2147483647"],
  ['lifetimes', () => box({ lifetime: Lifetime.afterFinished(Duration.hours(1)) }),
    "test/box: lifetime is 'afterFinished': a Sandbox ends at a point in time only: use Lifetime.until(…), or a SandboxClaim"],
  ['lifetimes', () => box({ lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE_FOREGROUND }) }),
    "test/box: lifetime.onExpiry is 'DeleteForeground': a Sandbox knows ShutdownPolicy.DELETE and ShutdownPolicy.RETAIN"],
  ['templates and pools', () => template({ claimableFrom: ['agents', 'All'] }),
    "test/python: claimableFrom[1] is 'All': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['templates and pools', () => template({ claimableFrom: ['*'], serviceAccount: kplus.ServiceAccount.fromServiceAccountName(testChart(), 'account', 'builder') }),
    `test/python: claimableFrom is ["*"]: claims of other namespaces would mean other objects there, so the controller refuses a template that names service account 'builder': remove them, or leave claimableFrom out`],
  ['templates and pools', () => template({ claimVolumes: ClaimOverrides.ALLOWED, apiVersion: V1ALPHA1 }),
    "test/python: claimVolumes is 'Allowed': v1alpha1 has no volumeClaimTemplatesPolicy: leave it out, or emit v1beta1"],
  ['templates and pools', () => template({ hostNetwork: true, relaxations: [Relaxation.HOST_NETWORK] }),
    'test/python: hostNetwork is true: no NetworkPolicy applies on the network of the node: leave it out, or say network: SandboxNetwork.unmanaged()'],
  ['templates and pools', () => SandboxTemplate.fromName('Python', 'a.b'),
    "2 problems:\n  SandboxTemplate.fromName: name is 'Python': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit\n  SandboxTemplate.fromName: namespace is 'a.b': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['templates and pools', () => SandboxWarmPool.fromName(''),
    "SandboxWarmPool.fromName: name is '': use 1 to 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit"],
  ['templates and pools', () => pool({ replicas: -1 }),
    'test/pool: replicas is -1: use a whole number from 0 to 2147483647'],
  ['templates and pools', () => pool({ replicas: 2.5 }),
    'test/pool: replicas is 2.5: use a whole number from 0 to 2147483647'],
  ['templates and pools', () => pool({ replicas: 2 ** 31 }),
    'test/pool: replicas is 2147483648: use a whole number from 0 to 2147483647'],
  ['templates and pools', () => pool({ template: SandboxTemplate.fromName('python', 'shared') }),
    "test/pool: template is 'shared/python': a pool uses templates of its own namespace, 'agents': define the template or the pool there"],
  ['templates and pools', () => pool({ name: '1st', template: template({ service: true }) }),
    "test/pool: name of its Sandboxes is '1st-xxxxx': the Service takes this name: use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"],
  ['claims', () => claim({ pool: undefined }),
    'test/claim: pool, template: give exactly one: a pool to take from, or a template to make a new Sandbox from'],
  ['claims', () => claim({ template: PYTHON }),
    'test/claim: pool, template: give exactly one: a pool to take from, or a template to make a new Sandbox from'],
  ['claims', () => claim({ direct: true }),
    'test/claim: direct is true: a pool has its own template: leave it out, or give a template'],
  ['claims', () => claim({ pool: SandboxWarmPool.fromName('pool', { namespace: 'shared' }) }),
    "test/claim: pool is 'shared/pool': a claim uses pools of its own namespace, 'agents': define the claim there"],
  ['claims', () => claim({ apiVersion: V1ALPHA1 }),
    "test/claim: pool is 'pool': a claim of v1alpha1 names the template too: use SandboxWarmPool.fromName(name, { template })"],
  ['claims', () => claim({ apiVersion: V1ALPHA1, pool: undefined, template: SandboxTemplate.fromName('python', 'shared') }),
    "test/claim: template is 'shared/python': controllers of v1alpha1 know templates of the claim's namespace only: emit v1beta1"],
  ['claims', () => claim({ apiVersion: V1ALPHA1, pool: SandboxWarmPool.fromName('pool', { template: PYTHON }), volumes: [data] }),
    'test/claim: volumes is ["data"]: v1alpha1 has no volumeClaimTemplates in claims: leave them out, or emit v1beta1'],
  ['claims', () => claim({ volumes: [scratch] }),
    "test/claim: volumes[0] is 'scratch': claims bring persistent volumes only: use SandboxVolume.persistent(…)"],
  ['claims', () => claim({ volumes: [data, data] }),
    "test/claim: volumes[1].name is 'data': name each volume differently"],
  ['claims', () => claim({ volumes: [SandboxVolume.persistent(long(63), { size: '1Gi' })], name: long(200) }),
    `test/claim: name is '${long(200)}': its PersistentVolumeClaim '${long(63)}-${long(200)}' would have 264 characters, 253 are allowed: shorten it or the volume's name`],
  ['claims', () => claim({ env: { '1A': 'x' } }),
    "test/claim: env key is '1A': use letters, digits, '_', '-' and '.', not beginning with a digit or '..'"],
  ['claims', () => claim({ env: { A: '$(B)', B: 'x' } }),
    "test/claim: env['A'] is '$(B)': $(B) does not come before it, as variables are sorted by name: rename one of them, or write $$(B) for the text itself"],
  ['claims', () => claim({ containerEnv: { Main: { A: 'x' } } }),
    "test/claim: containerEnv key is 'Main': use 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit"],
  ['claims', () => claim({ podLabels: { team: 'research' } }),
    "test/claim: podLabels key is 'team': the controller takes labels with a permitted domain only: write 'sandbox.users.io/team', or a domain that it is configured with"],
  ['claims', () => claim({ podAnnotations: { 'example.k8s.io/note': 'x' } }),
    "test/claim: podAnnotations key is 'example.k8s.io/note': the controller refuses annotations of this domain from claims: use a domain of your own"],
  ['claims', () => claimOf({}, { env: { A: '1' } }),
    'test/claim: env is ["A"]: the template test/python does not let claims set variables: give it claimEnv: ClaimOverrides.ALLOWED'],
  ['claims', () => claimOf({ claimEnv: ClaimOverrides.ALLOWED }, { containerEnv: { proxy: { A: '1' } } }),
    "test/claim: containerEnv['proxy'] is 'A': the template test/python has no container 'proxy': it has sandbox"],
  ['claims', () => claimOf({ claimEnv: ClaimOverrides.ALLOWED, containers: [{ ...CONTAINER, env: { A: value('1') } }] }, { env: { A: '2' } }),
    "test/claim: env is 'A': the template test/python sets this variable: rename it, or give the template claimEnv: ClaimOverrides.OVERRIDES"],
  ['claims', () => claimOf({ claimEnv: ClaimOverrides.ALLOWED, containers: [{ ...CONTAINER, envFrom: [kplus.Env.fromSecret(kplus.Secret.fromSecretName(testChart(), 's', 'keys'))] }] }, { env: { A: '2' } }),
    "test/claim: env is 'A': container 'sandbox' takes variables from objects, which could be replaced unseen: give the template claimEnv: ClaimOverrides.OVERRIDES"],
  ['claims', () => claimOf({}, { volumes: [data] }),
    'test/claim: volumes is ["data"]: the template test/python does not let claims bring volumes: give it claimVolumes: ClaimOverrides.ALLOWED'],
  ['claims', () => claimOf({ claimVolumes: ClaimOverrides.ALLOWED, volumes: [data] }, { volumes: [data] }),
    "test/claim: volumes is 'data': the template test/python has a volume of this name: rename it, or give the template claimVolumes: ClaimOverrides.OVERRIDES"],
  ['claims', () => claimOf({ service: true }, { name: 'a.b' }),
    "test/claim: name is 'a.b': the Service takes this name: use 1 to 63 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit"],
  ['claims', () => claimOf({ podLabels: { 'sandbox.users.io/a': '1' } }, { podLabels: { 'sandbox.users.io/a': '2' } }),
    "test/claim: podLabels['sandbox.users.io/a'] is '2': the template test/python has '1' there, which claims cannot change: use another key"],
  ['claims', () => claimOf({}, { namespace: 'research' }),
    "test/claim: template is 'agents/python': it does not permit claims of namespace 'research': give test/python claimableFrom: ['research']"],
  ['objects of one app, when it is synthesized', () => together(chart => ['browser-prod-team-2151', 'browser-template-team-2200'].forEach(name => template({ name }, new Construct(chart, name)))),
    "Validation failed with the following errors:\n  [] test/browser-template-team-2200/python/Resource: name is 'browser-template-team-2200': its hash 22b058e1 is also that of 'browser-prod-team-2151' (test/browser-prod-team-2151/python/Resource), and labels could not tell their Pods apart: rename one"],
  ['objects of one app, when it is synthesized', () => together(chart => ['a', 'b'].forEach(id => template({ name: 'same' }, new Construct(chart, id)))),
    "Validation failed with the following errors:\n  [] test/b/python/Resource: name is 'same': test/a/python/Resource is a SandboxTemplate of this name in the same namespace: rename one"],
  ['objects of one app, when it is synthesized', () => together(chart => [template({}, chart), new ApiObject(chart, 'policy', { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'python-network-policy' } })]),
    "Validation failed with the following errors:\n  [] test/policy: name is 'python-network-policy': the controller keeps a NetworkPolicy of this name for the SandboxTemplate test/python/Resource: rename one"],
  ['objects of one app, when it is synthesized', () => together(chart => [claim({ name: 'alice' }, chart), new Sandbox(chart, 'alice', { ...POD, network: SandboxNetwork.unmanaged() })]),
    "Validation failed with the following errors:\n  [] test/alice/Resource: name is 'alice': a Sandbox made for a claim has the name of the claim, and test/claim/Resource is a SandboxClaim of this name: rename one"],
  ['objects of one app, when it is synthesized', () => together(chart => SandboxTemplate.fromPod(chart, 'python', new kplus.Pod(chart, 'pod', { containers: [{ image: 'a:1' }], hostNetwork: true }), { isolation: Isolation.none() })),
    'Validation failed with the following errors:\n  [test/python] hostNetwork is true: name it: relaxations: [Relaxation.HOST_NETWORK]\n  [test/python] hostNetwork is true: no NetworkPolicy applies on the network of the node: leave it out, or say network: SandboxNetwork.unmanaged()'],
];

test.each(BAD_INPUTS)('%s: row %# is refused', (_, action, message) => {
  expect(messageOf(action)).toBe(message);
});

test('the table has no row twice', () => {
  const actions = BAD_INPUTS.map(([, action]) => String(action));
  expect(new Set(actions).size).toBe(actions.length);
});

describe('several problems are reported at once', () => {
  /** Path and prop of each line; the table above has the rest. */
  const props = (action: () => unknown) => {
    const [count, ...lines] = messageOf(action).split('\n');
    return [count, ...lines.map(line => line.replace(/^ {2}test\/\w+: (.*?)( is .*|: .*)$/, '$1'))];
  };

  test('of a Sandbox, wherever they are', () => {
    expect(props(() => box({
      namespace: 'A', labels: { a: 'b c' }, service: true, hostname: 'a.b', activeDeadline: Duration.seconds(0), volumes: [data, SandboxVolume.emptyDir('data')],
      containers: [
        { ...CONTAINER, port: 0, memory: '1gb', env: { A: value('$(B)'), B: value('') }, mounts: [{ path: 'x', volume: scratch }] },
        { ...CONTAINER, name: 'Other', liveness: Probe.tcpSocket(), securityContext: { privileged: true } },
      ],
    }, '1box'))).toEqual([
      '13 problems:',
      'namespace', "labels['a']", 'containers[0].port', 'containers[0].mounts[0].path', "containers[0].env['A']", 'containers[0].memory',
      'containers[1].name', 'containers[1].liveness.port', 'volumes', 'hostname', 'activeDeadline', 'containers[1].securityContext.privileged', 'name',
    ]);
  });

  test('of a claim against its template', () => {
    expect(props(() => claimOf({ service: true }, { name: 'a.b', env: { A: '1' }, volumes: [data, scratch], podLabels: { a: 'b' } }))).toEqual([
      '5 problems:', 'volumes[1]', 'name', 'podLabels key', 'env', 'volumes',
    ]);
  });

  test('of an app, when it is synthesized', () => {
    const message = messageOf(() => together(chart => {
      ['a', 'b', 'c'].forEach(id => template({ name: 'same' }, new Construct(chart, id)));
      claim({ name: 'alice' }, chart);
      new Sandbox(chart, 'alice', { ...POD, network: SandboxNetwork.unmanaged() });
    }));
    expect(message.split('\n').slice(1).map(line => line.split(': ')[0].trim())).toEqual(['[] test/b/python/Resource', '[] test/c/python/Resource', '[] test/alice/Resource']);
  });
});
