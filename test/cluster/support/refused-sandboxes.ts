import { Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import { Lifetime, type SandboxContainer, type SandboxMount, SandboxTemplate, SandboxVolume, SandboxWarmPool, ShutdownPolicy } from '../../../src';
import { POD_TEMPLATE } from './bench';
import { IMAGE, type Refused, TYPED, claim, container, ours, pool, sandbox, sandboxOf, sandboxWith } from './refused';

const CONTAINERS = [{ name: 'main', image: IMAGE }];
const mount = (path: string, name = 'data'): SandboxMount => ({ path, volume: SandboxVolume.emptyDir(name) });
const twice = <T>(item: T): T[] => [item, item];

/** Objects of the four kinds that their CRDs refuse. */
export const REFUSED_SANDBOXES: readonly Refused[] = [
  // Names and metadata
  { title: 'a name with capitals', object: ours('Sandbox', { podTemplate: POD_TEMPLATE }, { name: 'MyBox' }), reason: 'metadata.name: Invalid value: "MyBox"',
    earlier: [sandbox({}, 'MyBox'), "name (the construct id) is 'MyBox': use 1 to 253 lower-case letters"] },
  { title: 'a name with an underscore', object: ours('SandboxTemplate', { podTemplate: POD_TEMPLATE }, { name: 'a_b' }), reason: 'metadata.name: Invalid value: "a_b"',
    earlier: [container({}, { name: 'a_b' }), "name is 'a_b'"] },
  { title: 'a name that is too long', object: ours('SandboxWarmPool', { sandboxTemplateRef: { name: 't' } }, { name: 'a'.repeat(254) }), reason: 'must be no more than 253 characters',
    earlier: [pool({ name: 'a'.repeat(254) }), 'use 1 to 253 lower-case letters'] },
  { title: 'a label value with a space', object: ours('Sandbox', { podTemplate: POD_TEMPLATE }, { labels: { team: 'a b' } }), reason: 'metadata.labels: Invalid value: "a b"',
    earlier: [sandbox({ labels: { team: 'a b' } }), "labels['team'] is 'a b': use at most 63 letters"] },
  { title: 'a label key with two slashes', object: ours('Sandbox', { podTemplate: POD_TEMPLATE }, { labels: { 'a/b/c': '' } }), reason: 'metadata.labels: Invalid value: "a/b/c"',
    earlier: [sandbox({ labels: { 'a/b/c': '' } }), "labels key is 'a/b/c'"] },
  { title: 'an annotation key with a space', object: ours('SandboxClaim', { warmPoolRef: { name: 'p' } }, { annotations: { 'my note': '' } }), reason: 'metadata.annotations: Invalid value: "my note"',
    earlier: [claim({ pool: SandboxWarmPool.fromName('p'), annotations: { 'my note': '' } }), "annotations key is 'my note'"] },
  { title: 'annotations without end', object: ours('Sandbox', { podTemplate: POD_TEMPLATE }, { annotations: { note: 'x'.repeat(262_145) } }), reason: 'metadata.annotations: Too long: may not be more than 262144 bytes',
    earlier: 'never done by accident' },
  { title: 'a namespace that does not exist', object: ours('Sandbox', { podTemplate: POD_TEMPLATE }, { namespace: 'no-such-namespace' }), reason: 'namespaces "no-such-namespace" not found',
    earlier: 'it may exist when the manifest is applied' },

  // What a kind requires
  { title: 'a Sandbox without a spec', object: ours('Sandbox', undefined), reason: 'spec: Required value', earlier: TYPED },
  { title: 'a Sandbox without a Pod', object: ours('Sandbox', {}), reason: 'spec.podTemplate: Required value', earlier: TYPED },
  { title: 'a template whose Pod has no spec', object: ours('SandboxTemplate', { podTemplate: {} }), reason: 'spec.podTemplate.spec: Required value', earlier: TYPED },
  { title: 'a Pod that does not say its containers', object: sandboxOf({}), reason: 'spec.podTemplate.spec.containers: Required value',
    earlier: [sandbox({ containers: [] }), 'containers is []: a Pod needs at least one container'] },
  { title: 'a container without a name', object: sandboxOf({ containers: [{ image: IMAGE }] }), reason: 'spec.podTemplate.spec.containers[0].name: Required value',
    earlier: [sandbox({ containers: [{ image: IMAGE }, { image: IMAGE }] }), 'containers[1].name: give it a name'] },
  { title: 'a port without a number', object: sandboxWith({ ports: [{ name: 'http' }] }), reason: 'spec.podTemplate.spec.containers[0].ports[0].containerPort: Required value', earlier: TYPED },
  { title: 'a probe without a port', object: sandboxWith({ readinessProbe: { tcpSocket: {} } }), reason: 'readinessProbe.tcpSocket.port: Required value',
    earlier: 'an error, too, where neither the probe nor the container has one; else it is the port of the container' },
  { title: 'a mount without a path', object: sandboxWith({ volumeMounts: [{ name: 'data' }] }), reason: 'volumeMounts[0].mountPath: Required value', earlier: TYPED },
  { title: 'a key of a secret that is not named', object: sandboxWith({ env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's' } } }] }), reason: 'secretKeyRef.key: Required value', earlier: TYPED },
  { title: 'a volume claim template without a spec', object: sandboxOf({ containers: CONTAINERS }, { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }), reason: 'spec.volumeClaimTemplates[0].spec: Required value', earlier: TYPED },
  { title: 'a block of addresses without a CIDR', object: ours('SandboxTemplate', { podTemplate: POD_TEMPLATE, networkPolicy: { egress: [{ to: [{ ipBlock: {} }] }] } }), reason: 'ipBlock.cidr: Required value', earlier: TYPED },
  { title: 'a pool without a template', object: ours('SandboxWarmPool', { replicas: 1 }), reason: 'spec.sandboxTemplateRef: Required value', earlier: TYPED },
  { title: 'a pool of v1alpha1 without a number', object: ours('SandboxWarmPool', { sandboxTemplateRef: { name: 't' } }, {}, 'v1alpha1'), reason: 'spec.replicas: Required value',
    earlier: 'the constructs write the number in v1alpha1' },
  { title: 'a variable of a claim without a value', object: ours('SandboxClaim', { warmPoolRef: { name: 'p' }, env: [{ name: 'A' }] }), reason: 'spec.env[0].value: Required value', earlier: TYPED },

  // Where the Sandbox of a claim comes from
  { title: 'a claim for nothing', object: ours('SandboxClaim', {}), reason: 'exactly one of spec.warmPoolRef and spec.sandboxTemplateRef must be set',
    earlier: [claim({}), 'pool, template: give exactly one: a pool to take from, or a template'] },
  { title: 'a claim for a pool and a template', object: ours('SandboxClaim', { warmPoolRef: { name: 'p' }, sandboxTemplateRef: { name: 't' } }), reason: 'exactly one of spec.warmPoolRef and spec.sandboxTemplateRef must be set',
    earlier: [claim({ pool: SandboxWarmPool.fromName('p'), template: SandboxTemplate.fromName('t') }), 'pool, template: give exactly one'] },
  { title: 'a claim for a pool without a name', object: ours('SandboxClaim', { warmPoolRef: { name: '' } }), reason: 'spec.warmPoolRef.name in body should be at least 1 chars long',
    earlier: [() => SandboxWarmPool.fromName(''), "SandboxWarmPool.fromName: name is '': use 1 to 253"] },
  { title: 'a claim that names a pool in two ways', object: ours('SandboxClaim', { warmPoolRef: { name: 'p' }, warmpool: 'p' }), reason: 'spec.warmpool goes with spec.sandboxTemplateRef only',
    earlier: 'the constructs write the one or the other' },

  // Numbers and times
  { title: 'a Sandbox with two replicas', object: sandboxOf({ containers: CONTAINERS }, { replicas: 2 }), reason: 'spec.replicas in body should be less than or equal to 1', earlier: TYPED },
  { title: 'a pool with fewer than no Sandboxes', object: ours('SandboxWarmPool', { replicas: -1, sandboxTemplateRef: { name: 't' } }), reason: 'spec.replicas in body should be greater than or equal to 0',
    earlier: [pool({ replicas: -1 }), 'replicas is -1: use a whole number from 0 to 2147483647'] },
  { title: 'a pool with half a Sandbox', object: ours('SandboxWarmPool', { replicas: 0.5, sandboxTemplateRef: { name: 't' } }), reason: 'spec.replicas in body must be of type integer',
    earlier: [pool({ replicas: 0.5 }), 'replicas is 0.5: use a whole number'] },
  { title: 'a pool with more Sandboxes than can be counted', object: ours('SandboxWarmPool', { replicas: 2 ** 31, sandboxTemplateRef: { name: 't' } }), reason: 'should be less than or equal to 2147483647',
    earlier: [pool({ replicas: 2 ** 31 }), 'replicas is 2147483648: use a whole number from 0 to 2147483647'] },
  { title: 'an end before the work is finished', object: ours('SandboxClaim', { warmPoolRef: { name: 'p' }, lifecycle: { ttlSecondsAfterFinished: -1 } }), reason: 'ttlSecondsAfterFinished in body should be greater than or equal to 0',
    earlier: [() => Lifetime.afterFinished(Duration.seconds(-1)), 'Duration amounts cannot be negative'] },
  { title: 'an end in the middle of a second', object: ours('SandboxClaim', { warmPoolRef: { name: 'p' }, lifecycle: { ttlSecondsAfterFinished: 1.5 } }), reason: 'ttlSecondsAfterFinished in body must be of type integer',
    earlier: [() => Lifetime.afterFinished(Duration.millis(1500)), "ttl is '1.5s': use whole seconds"] },
  { title: 'an end in no time zone', object: sandboxOf({ containers: CONTAINERS }, { shutdownTime: '2027-01-31T17:00:00' }), reason: 'must be of type date-time',
    earlier: [() => Lifetime.until('2027-01-31T17:00:00'), "add a zone, or it would mean another time on every machine: '2027-01-31T17:00:00Z'"] },
  { title: 'an end on a day without an hour', object: sandboxOf({ containers: CONTAINERS }, { shutdownTime: '2027-01-31' }), reason: 'must be of type date-time',
    earlier: [() => Lifetime.until('2027-01-31'), 'write date, time and zone as in RFC 3339'] },
  { title: 'an end on a day that does not exist', object: sandboxOf({ containers: CONTAINERS }, { shutdownTime: '2027-02-30T17:00:00Z' }), reason: 'must be of type date-time',
    earlier: [() => Lifetime.until('2027-02-30T17:00:00Z'), 'there is no such time'] },
  { title: 'an amount in words', object: sandboxWith({ resources: { limits: { memory: 'plenty' } } }), reason: 'resources.limits.memory in body should match',
    earlier: [container({ memory: 'plenty' }), "memory is 'plenty': write a non-negative number with an optional unit"] },
  { title: 'an amount with a space', object: sandboxWith({ resources: { requests: { memory: '1 Gi' } } }), reason: 'resources.requests.memory in body should match',
    earlier: [container({ memory: '1 Gi' }), "memory is '1 Gi'"] },
  { title: 'an amount in a unit of computer shops', object: sandboxWith({ resources: { limits: { memory: '1GB' } } }), reason: 'resources.limits.memory in body should match',
    earlier: [container({ memory: '1GB' }), "memory is '1GB'"] },
  { title: 'a volume of a size in words', object: sandboxOf({ containers: CONTAINERS }, { volumeClaimTemplates: [{ spec: { resources: { requests: { storage: 'big' } } } }] }), reason: 'resources.requests.storage in body should match',
    earlier: [() => SandboxVolume.persistent('data', { size: 'big' }), "SandboxVolume.persistent: size is 'big'"] },
  { title: 'a limit of an empty folder in words', object: sandboxOf({ containers: CONTAINERS, volumes: [{ name: 'v', emptyDir: { sizeLimit: '1GiB' } }] }), reason: 'emptyDir.sizeLimit in body should match',
    earlier: [() => SandboxVolume.emptyDir('v', { sizeLimit: '1GiB' }), "sizeLimit is '1GiB'"] },
  { title: 'text where a number belongs', object: sandboxWith({ ports: [{ containerPort: '80' }] }), reason: 'containerPort in body must be of type integer', earlier: TYPED },
  { title: 'a number where text belongs', object: sandboxWith({ env: [{ name: 'A', value: 1 }] }), reason: 'env[0].value in body must be of type string', earlier: TYPED },

  // Closed sets of values
  { title: 'a Sandbox that goes when what belongs to it is gone', object: sandboxOf({ containers: CONTAINERS }, { shutdownPolicy: 'DeleteForeground' }), reason: 'spec.shutdownPolicy: Unsupported value: "DeleteForeground"',
    earlier: [sandbox({ lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE_FOREGROUND }) }), 'a Sandbox knows ShutdownPolicy.DELETE and ShutdownPolicy.RETAIN'] },
  { title: 'a Sandbox that is paused', object: sandboxOf({ containers: CONTAINERS }, { operatingMode: 'Paused' }), reason: 'spec.operatingMode: Unsupported value: "Paused"', earlier: TYPED },
  { title: 'a strategy of Deployments', object: ours('SandboxWarmPool', { sandboxTemplateRef: { name: 't' }, updateStrategy: { type: 'RollingUpdate' } }), reason: 'spec.updateStrategy.type: Unsupported value: "RollingUpdate"', earlier: TYPED },
  { title: 'a policy with a small letter', object: ours('SandboxTemplate', { podTemplate: POD_TEMPLATE, envVarsInjectionPolicy: 'allowed' }), reason: 'spec.envVarsInjectionPolicy: Unsupported value: "allowed"', earlier: TYPED },

  // What may be there once
  { title: 'two containers of a name', object: sandboxOf({ containers: twice({ name: 'main', image: IMAGE }) }), reason: 'spec.podTemplate.spec.containers[1]: Duplicate value: {"name":"main"}',
    earlier: [sandbox({ containers: twice<SandboxContainer>({ name: 'main', image: IMAGE }) }), "containers[1].name is 'main': name each container of a Pod differently"] },
  { title: 'a port twice', object: sandboxWith({ ports: [{ containerPort: 80 }, { containerPort: 80, protocol: 'TCP' }] }), reason: 'ports[1]: Duplicate value',
    earlier: [container({ port: 80, ports: [{ port: 80 }] }), "ports[0] is '80/TCP': declare each port once"] },
  { title: 'a variable twice', object: sandboxWith({ env: [{ name: 'A', value: '1' }, { name: 'A', value: '2' }] }), reason: 'env[1]: Duplicate value: {"name":"A"}',
    earlier: 'variables are a map, which has each name once' },
  { title: 'two volumes at a path', object: sandboxWith({ volumeMounts: [{ name: 'a', mountPath: '/data' }, { name: 'b', mountPath: '/data' }] }), reason: 'volumeMounts[1]: Duplicate value: {"mountPath":"/data"}',
    earlier: [container({ mounts: [mount('/data', 'a'), mount('/data', 'b')] }), "mounts[1].path is '/data': mount one volume at a path"] },
  { title: 'two volumes of a name', object: sandboxOf({ containers: CONTAINERS, volumes: [{ name: 'v', emptyDir: {} }, { name: 'v', secret: { secretName: 's' } }] }), reason: 'spec.podTemplate.spec.volumes[1]: Duplicate value: {"name":"v"}',
    earlier: [sandbox({ volumes: [SandboxVolume.emptyDir('v'), SandboxVolume.emptyDir('v', { inMemory: true })] }), 'two different volumes have this name: rename one'] },
  { title: 'a device path twice', object: sandboxWith({ volumeDevices: twice({ name: 'v', devicePath: '/dev/x' }) }), reason: 'volumeDevices[1]: Duplicate value: {"devicePath":"/dev/x"}',
    earlier: [container({ volumeDevices: twice({ name: 'v', devicePath: '/dev/x' }) }), "volumeDevices[1].devicePath is '/dev/x': use each path once"] },
  { title: 'a pull secret twice', object: sandboxOf({ containers: CONTAINERS, imagePullSecrets: twice({ name: 's' }) }), reason: 'imagePullSecrets[1]: Duplicate value: {"name":"s"}',
    earlier: [chart => sandbox({ imagePullSecrets: twice(kplus.Secret.fromSecretName(chart, 's', 's')) })(chart), "imagePullSecrets[1] is 's': list it once"] },
  { title: 'an address twice among the hosts', object: sandboxOf({ containers: CONTAINERS, hostAliases: twice({ ip: '10.0.0.1' }) }), reason: 'hostAliases[1]: Duplicate value: {"ip":"10.0.0.1"}',
    earlier: [sandbox({ hostAliases: twice({ ip: '10.0.0.1' }) }), "hostAliases[1].ip is '10.0.0.1': list it once"] },
  { title: 'a scheduling gate twice', object: sandboxOf({ containers: CONTAINERS, schedulingGates: twice({ name: 'a.io/g' }) }), reason: 'schedulingGates[1]: Duplicate value',
    earlier: [sandbox({ schedulingGates: twice({ name: 'a.io/g' }) }), "schedulingGates[1].name is 'a.io/g': list it once"] },
  { title: 'a resource claim twice', object: sandboxOf({ containers: CONTAINERS, resourceClaims: twice({ name: 'gpu' }) }), reason: 'resourceClaims[1]: Duplicate value',
    earlier: [sandbox({ resourceClaims: twice({ name: 'gpu' }) }), "resourceClaims[1].name is 'gpu': list it once"] },
  { title: 'a spread constraint twice', object: sandboxOf({ containers: CONTAINERS, topologySpreadConstraints: twice({ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }) }), reason: 'topologySpreadConstraints[1]: Duplicate value',
    earlier: [sandbox({ topologySpreadConstraints: twice({ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }) }), "topologySpreadConstraints[1] is 'zone, DoNotSchedule': list it once"] },

  // Fields that do not exist
  { title: 'a field of another kind', object: ours('SandboxTemplate', { podTemplate: POD_TEMPLATE, operatingMode: 'Running' }), reason: 'unknown field "spec.operatingMode"', earlier: TYPED },
  { title: 'a field in the spelling of the constructs', object: sandboxOf({ containers: CONTAINERS, hostPid: true }), reason: 'unknown field "spec.podTemplate.spec.hostPid"', earlier: 'the constructs write the names of the wire' },
];
