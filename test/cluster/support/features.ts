import { Chart, Duration } from 'cdk8s';
import * as kplus from 'cdk8s-plus-28';
import {
  AgentSandboxVersion, ClaimOverrides, Gpu, Isolation, KataHypervisor, KedaTrigger, LifecycleHook, Lifetime, NodeRule, PodSecurityLevel, PodSpread, Probe, Relaxation,
  Sandbox, SandboxClaim, SandboxDisruptionBudget, SandboxNamespace, SandboxNetwork, SandboxRuntimeClass, SandboxTemplate, SandboxVolume, SandboxWarmPool,
  ScalingPolicy, ScalingPolicySelect, SeccompProfile, ShutdownPolicy, TaintEffect, Tolerations, UnhealthyPodEvictionPolicy, UpdateStrategy, WarmPoolMetric, l1,
} from '../../../src';
import { synth, testApp } from '../../helpers';

const IMAGE = `registry.example/app@sha256:${'0'.repeat(64)}`;

/** Every isolation, with its options. */
export const ISOLATIONS: Readonly<Record<string, Isolation>> = {
  'none': Isolation.none(),
  'gvisor': Isolation.gvisor(),
  'gvisor-elsewhere': Isolation.gvisor({
    runtimeClassName: 'gvisor-large', nodeSelector: { 'example.com/runtime': 'gvisor' }, tolerations: [{ key: 'gvisor', operator: 'Exists', effect: 'NoSchedule' }],
  }),
  'gke-sandbox': Isolation.gkeSandbox(),
  'kata-qemu': Isolation.kata(),
  'kata-clh': Isolation.kata({ hypervisor: KataHypervisor.CLOUD_HYPERVISOR }),
  'kata-fc': Isolation.kata({ hypervisor: KataHypervisor.FIRECRACKER }),
  'kata-mshv': Isolation.kataMshv(),
  'runtime-class': Isolation.runtimeClass('custom', { tolerations: [{ key: 'a', value: 'b', effect: 'NoExecute', tolerationSeconds: 30 }] }),
};

/** What a feature of the constructs adds to a chart. */
type Feature = (chart: Chart) => void;

/** Each feature of the constructs that shows in manifests. */
export const FEATURES: Readonly<Record<string, Feature>> = {
  'networks of templates and Sandboxes': chart => {
    new SandboxTemplate(chart, 'plain', { containers: [{ image: IMAGE }], isolation: Isolation.none() });
    new Sandbox(chart, 'bare', { containers: [{ image: IMAGE }], isolation: Isolation.none(), network: SandboxNetwork.publicInternet() });
  },
  'containers with everything': chart => {
    const secret = kplus.Secret.fromSecretName(chart, 'secret', 'credentials');
    const config = kplus.ConfigMap.fromConfigMapName(chart, 'config', 'settings');
    new SandboxTemplate(chart, 'everything', {
      isolation: Isolation.none(),
      containers: [{
        image: IMAGE, name: 'main', imagePullPolicy: kplus.ImagePullPolicy.IF_NOT_PRESENT, command: ['sh'], args: ['-c', 'true'], workingDir: '/work',
        port: 8888, ports: [{ port: 53, name: 'dns', protocol: kplus.Protocol.UDP }], cpu: '250m', cpuLimit: '1', memory: '512Mi', memoryLimit: '1.5Gi', ephemeralStorage: '1Gi',
        resources: { limits: { 'nvidia.com/gpu': l1.Quantity.fromNumber(1) } },
        env: {
          A: kplus.EnvValue.fromValue('a'), B: kplus.EnvValue.fromSecretValue({ secret, key: 'b' }), C: kplus.EnvValue.fromConfigMap(config, 'c', { optional: true }),
          D: kplus.EnvValue.fromFieldRef(kplus.EnvFieldPaths.POD_NAME), E: kplus.EnvValue.fromResource(kplus.ResourceFieldPaths.CPU_LIMIT),
        },
        envFrom: [new kplus.EnvFrom(config, 'CONFIG_'), new kplus.EnvFrom(undefined, undefined, secret)],
        mounts: [
          { path: '/data', volume: SandboxVolume.persistent('data', { size: '10Gi', storageClass: 'fast' }), subPath: 'a/b' },
          { path: '/cache', volume: SandboxVolume.emptyDir('cache', { sizeLimit: '1Gi', inMemory: true }) },
          { path: '/config', volume: SandboxVolume.configMap('config', config, { items: { 'a.yaml': 'a' }, defaultMode: 0o440 }), readOnly: true },
          { path: '/secret', volume: SandboxVolume.secret('secret', secret, { optional: true }), readOnly: true },
          { path: '/token', volume: SandboxVolume.of({ name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'vault' } }] } }), readOnly: true },
        ],
        readOnlyRoot: true, writablePaths: ['/tmp', '/var/tmp'],
        readiness: Probe.httpGet('/healthz', { headers: { 'X-Probe': '1' }, period: Duration.seconds(5) }), liveness: Probe.tcpSocket({ failureThreshold: 5 }),
        startup: Probe.exec(['test', '-f', '/ready'], { initialDelay: Duration.seconds(1), timeout: Duration.seconds(2) }),
        lifecycle: { preStop: { exec: { command: ['sync'] } } }, stdin: true, tty: true, terminationMessagePolicy: 'FallbackToLogsOnError',
      }],
      initContainers: [{ image: IMAGE, name: 'init', command: ['true'] }],
      sidecars: [{ image: IMAGE, name: 'sidecar', port: 9000, readiness: Probe.grpc({ service: 'health' }) }],
    });
  },
  'Pods with everything': chart => {
    new SandboxTemplate(chart, 'pod', {
      containers: [{ image: IMAGE }], isolation: Isolation.none(), service: true, podLabels: { team: 'a' }, podAnnotations: { 'example.com/note': 'text' },
      serviceAccount: kplus.ServiceAccount.fromServiceAccountName(chart, 'account', 'worker'), automountServiceAccountToken: true, enableServiceLinks: true,
      imagePullSecrets: [kplus.Secret.fromSecretName(chart, 'pull', 'registry')], restartPolicy: kplus.RestartPolicy.ON_FAILURE, runAsUser: 1000,
      terminationGracePeriod: Duration.seconds(5), activeDeadline: Duration.hours(1), dnsPolicy: kplus.DnsPolicy.NONE,
      dnsConfig: { nameservers: ['10.0.0.10'], searches: ['svc.cluster.local'], options: [{ name: 'ndots', value: '2' }] },
      hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }], hostname: 'box', subdomain: 'boxes', setHostnameAsFqdn: true, nodeSelector: { zone: 'a' },
      tolerations: [{ key: 'gpu', operator: 'Exists' }], priorityClassName: 'low', preemptionPolicy: 'Never', schedulerName: 'custom', shareProcessNamespace: true,
      hostUsers: false, affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }] } },
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway', labelSelector: { matchLabels: { team: 'a' } } }],
      securityContext: { supplementalGroups: [4000], fsGroupChangePolicy: 'OnRootMismatch' }, schedulingGates: [{ name: 'example.com/gate' }], os: { name: 'linux' },
    });
  },
  'Pods by values instead of raw types': chart => {
    new SandboxTemplate(chart, 'values', {
      containers: [{
        image: IMAGE, port: 8888, gpu: Gpu.nvidia(1), postStart: LifecycleHook.exec(['true']), preStop: LifecycleHook.sleep(Duration.seconds(5)),
        seccompProfile: SeccompProfile.localhost('profiles/a.json'),
      }],
      sidecars: [{ image: IMAGE, name: 'sidecar', port: 9000, preStop: LifecycleHook.httpGet('/stop', { headers: { a: 'b' } }) }],
      isolation: Isolation.none(), seccompProfile: SeccompProfile.runtimeDefault(),
      tolerations: [Tolerations.taint('nvidia.com/gpu', { effect: TaintEffect.NO_SCHEDULE }), Tolerations.taint('a', { value: 'b', effect: TaintEffect.NO_EXECUTE, evictAfter: Duration.minutes(1) })],
      requiredNodes: [NodeRule.isIn('zone', 'a', 'b'), NodeRule.greaterThan('cores', 8)], preferredNodes: [NodeRule.exists('ssd').withWeight(50)],
      spread: [PodSpread.overZones(), PodSpread.overNodes({ required: true, maxSkew: 2 })],
    });
  },
  'relaxations': chart => {
    new SandboxTemplate(chart, 'relaxed', {
      containers: [{ image: IMAGE, relaxations: [Relaxation.RUN_AS_ROOT, Relaxation.PRIVILEGE_ESCALATION, Relaxation.DEFAULT_CAPABILITIES] }],
      isolation: Isolation.gvisor(), relaxations: [Relaxation.UNCONFINED_SECCOMP],
    });
    new Sandbox(chart, 'host', {
      containers: [{ image: IMAGE, relaxations: [Relaxation.PRIVILEGED, Relaxation.HOST_PORTS], ports: [{ port: 8080, hostPort: 8080 }] }], isolation: Isolation.none(),
      hostNetwork: true, hostPid: true, relaxations: [Relaxation.HOST_NETWORK, Relaxation.HOST_PID], network: SandboxNetwork.unmanaged(),
    });
  },
  'volumes and lifetime of a Sandbox': chart => {
    new Sandbox(chart, 'workspace', {
      containers: [{ image: IMAGE, mounts: [{ path: '/home', volume: SandboxVolume.persistent('home', { size: '1Gi', labels: { a: 'b' }, annotations: { c: 'd' } }) }] }],
      isolation: Isolation.gvisor(), service: true, suspended: true, lifetime: Lifetime.until('2027-01-31T17:00:00Z', { onExpiry: ShutdownPolicy.DELETE }),
    });
    new Sandbox(chart, 'running', { containers: [{ image: IMAGE }], isolation: Isolation.none(), service: false, suspended: false });
  },
  'templates for claims': chart => {
    const template = new SandboxTemplate(chart, 'open', {
      containers: [{ image: IMAGE }], isolation: Isolation.none(), restartPolicy: kplus.RestartPolicy.ON_FAILURE, claimEnv: ClaimOverrides.OVERRIDES, claimVolumes: ClaimOverrides.ALLOWED,
      claimableFrom: ['team-a', 'team-b'], labels: { tier: 'free' }, annotations: { 'example.com/owner': 'platform' },
    });
    const pool = new SandboxWarmPool(chart, 'pool', { template, replicas: 3, updateStrategy: UpdateStrategy.RECREATE });
    new SandboxClaim(chart, 'from-pool', { pool, lifetime: Lifetime.afterFinished(Duration.hours(1), { onExpiry: ShutdownPolicy.DELETE_FOREGROUND }) });
    new SandboxClaim(chart, 'from-template', { template, env: { TASK: '42' }, containerEnv: { sandbox: { MORE: '1' } }, podLabels: { 'sandbox.users.io/team': 'a' } });
    new SandboxClaim(chart, 'direct', {
      template, direct: true, volumes: [SandboxVolume.persistent('extra', { size: '1Gi' })], podAnnotations: { 'example.com/task': '42' },
      lifetime: Lifetime.afterFinished(Duration.seconds(0)).orUntil('2027-01-31T17:00:00+01:00'),
    });
    new SandboxWarmPool(chart, 'default-size', { template });
  },
  'v1alpha1': chart => {
    const apiVersion = AgentSandboxVersion.V1ALPHA1;
    const template = new SandboxTemplate(chart, 'old-template', { containers: [{ image: IMAGE }], isolation: Isolation.none(), apiVersion });
    const pool = new SandboxWarmPool(chart, 'old-pool', { template, apiVersion });
    new SandboxClaim(chart, 'old-claim', { pool, apiVersion });
    new SandboxClaim(chart, 'old-cold-claim', { template, apiVersion, lifetime: Lifetime.until('2027-01-31T17:00:00Z') });
    new Sandbox(chart, 'old-sandbox', { containers: [{ image: IMAGE }], isolation: Isolation.none(), suspended: true, apiVersion });
  },
  'autoscaling': chart => {
    const template = new SandboxTemplate(chart, 'scaled', { containers: [{ image: IMAGE }], isolation: Isolation.none() });
    new SandboxWarmPool(chart, 'hpa', { template }).autoscale({
      minReplicas: 2, maxReplicas: 50,
      metrics: [WarmPoolMetric.claimRate({ target: '50m' }), WarmPoolMetric.gkeClaimRate({ target: '1' }), WarmPoolMetric.external({ metricName: 'queue', target: '10' })],
      behavior: {
        scaleUp: { policies: [ScalingPolicy.pods(4, Duration.seconds(15)), ScalingPolicy.percent(100, Duration.minutes(1))], stabilizationWindow: Duration.seconds(0) },
        scaleDown: { selectPolicy: ScalingPolicySelect.MIN, policies: [ScalingPolicy.percent(10, Duration.minutes(1))] },
      },
    });
    new SandboxWarmPool(chart, 'least-hpa', { template }).autoscale({ maxReplicas: 5, metrics: [WarmPoolMetric.claimRate({ target: '50m' })] });
    new SandboxWarmPool(chart, 'keda', { template }).autoscaleWithKeda({
      maxReplicas: 10, pollingInterval: Duration.seconds(15), cooldownPeriod: Duration.minutes(1),
      triggers: [KedaTrigger.claimRate({ serverAddress: 'http://prometheus:9090', threshold: 0.05 })],
      behavior: { scaleDown: { selectPolicy: ScalingPolicySelect.DISABLED } },
    });
  },
  'a namespace': chart => {
    new SandboxNamespace(chart, 'team', {
      enforce: PodSecurityLevel.BASELINE, podSecurityVersion: 'v1.34', labels: { team: 'a' }, annotations: { 'example.com/owner': 'a' },
      quota: {
        pods: 20, sandboxes: 30, sandboxClaims: 10, sandboxTemplates: 5, sandboxWarmPools: 5, persistentVolumeClaims: 10, requestsStorage: '500Gi', requestsCpu: '10',
        requestsMemory: '64Gi', limitsCpu: '20', limitsMemory: '128Gi', others: { 'requests.nvidia.com/gpu': '4', 'count/jobs.batch': '5', 'services.loadbalancers': '0' },
      },
      containerLimits: {
        defaultRequest: { cpu: '100m', memory: '128Mi', ephemeralStorage: '1Gi' }, defaultLimit: { cpu: '1', memory: '1Gi' }, min: { cpu: '10m' }, max: { cpu: '4', memory: '8Gi' },
      },
    });
    new SandboxNamespace(chart, 'bare-team');
    new SandboxNamespace(chart, 'limited', { defaultDeny: false, containerLimits: { max: { cpu: '1', memory: '1Gi' } } });
  },
  'disruption budgets': chart => {
    new SandboxDisruptionBudget(chart, 'all', { template: SandboxTemplate.fromName('elsewhere') });
    new SandboxDisruptionBudget(chart, 'some', { template: SandboxTemplate.fromName('further'), minAvailable: 3, unhealthyPodEvictionPolicy: UnhealthyPodEvictionPolicy.ALWAYS_ALLOW });
  },
  'runtime classes': chart => {
    // They have no namespace, and the examples have a gvisor of theirs.
    new SandboxRuntimeClass(chart, 'gvisor', { name: 'gvisor-small', isolation: Isolation.gvisor({ nodeSelector: { runtime: 'gvisor' } }), overhead: { cpu: '250m', memory: '160Mi' } });
    new SandboxRuntimeClass(chart, 'kata', { name: 'kata-small', isolation: Isolation.kata({ tolerations: [{ key: 'kata', operator: 'Exists', effect: 'NoSchedule' }] }) });
  },
  'a template from a Pod of cdk8s-plus': chart => {
    const pod = new kplus.Pod(chart, 'imported', {
      containers: [{ image: IMAGE, portNumber: 8888, securityContext: { user: 1000, group: 1000 }, resources: { cpu: { limit: kplus.Cpu.millis(500) } } }],
      volumes: [kplus.Volume.fromEmptyDir(chart, 'scratch', 'scratch')],
    });
    SandboxTemplate.fromPod(chart, 'from-pod', pod, { isolation: Isolation.gvisor() });
  },
};

/** The manifests of a feature, in a namespace of its own. */
export function manifestsOf(build: Feature, namespace: string): any[] {
  const chart = new Chart(testApp(), 'feature', { namespace });
  build(chart);
  return synth(chart);
}
