import { App, Chart, Duration } from 'cdk8s';
import type * as kplus from 'cdk8s-plus-33';
import {
  AgentSandboxController, Isolation, NetworkPeer, NetworkPort, Sandbox, SandboxClaim, SandboxNetwork, SandboxTemplate, SandboxVolume,
  SandboxWarmPool, Tenant,
} from 'cdk8s-agent-sandbox';

/** An app that gives the library every object and value of cdk8s-plus that it takes. The test of versions puts other ones in place of 33. */
export function plusApp(plus: typeof kplus): App {
  const app = new App({ outdir: '/nonexistent' });
  const chart = new Chart(app, 'agents', { namespace: 'agents' });
  const secret = plus.Secret.fromSecretName(chart, 'secret', 'credentials');
  const ownSecret = new plus.Secret(chart, 'own-secret', { metadata: { name: 'own' }, stringData: { token: '1' } });
  const config = new plus.ConfigMap(chart, 'config', { metadata: { name: 'settings' }, data: { 'app.yaml': 'x', 'mode': 'fast' } });
  const account = new plus.ServiceAccount(chart, 'account', { metadata: { name: 'builder' } });
  const deployment = new plus.Deployment(chart, 'api', { containers: [{ image: 'registry.example/api:1', portNumber: 8080 }] });
  const network = SandboxNetwork.dnsOnly()
    .allowEgressTo(NetworkPeer.fromPlus(deployment), [NetworkPort.tcp(8080), NetworkPort.named('quic', plus.Protocol.UDP)])
    .allowEgressTo(NetworkPeer.fromPlus(plus.Pods.select(chart, 'pods', { labels: { b: '2', a: '1' }, expressions: [plus.LabelExpression.exists('c')] })))
    .allowEgressTo(NetworkPeer.fromPlus(plus.Namespaces.select(chart, 'names', { names: ['a', 'b'], labels: { team: 'x' } })))
    .allowEgressTo(NetworkPeer.fromPlus(plus.Namespaces.all(chart, 'all')))
    .allowEgressTo(NetworkPeer.fromPlus(plus.NetworkPolicyIpBlock.ipv4(chart, 'block', '10.0.0.0/8', ['10.1.0.0/16'])));

  const sandbox = new Sandbox(chart, 'box', {
    containers: [{
      image: 'registry.example/python@sha256:0123',
      imagePullPolicy: plus.ImagePullPolicy.IF_NOT_PRESENT,
      ports: [{ port: 8888, protocol: plus.Protocol.TCP }],
      cpu: '1',
      memory: '1Gi',
      env: {
        PLAIN: 'text',
        VALUE: plus.EnvValue.fromValue('text'),
        SECRET: plus.EnvValue.fromSecretValue({ secret: ownSecret, key: 'token' }),
        OWN: secret.envValue('key'),
        CONFIG: plus.EnvValue.fromConfigMap(config, 'mode', { optional: true }),
        POD: plus.EnvValue.fromFieldRef(plus.EnvFieldPaths.POD_NAME),
        CPU: plus.EnvValue.fromResource(plus.ResourceFieldPaths.CPU_LIMIT),
      },
      envFrom: [plus.Env.fromSecret(secret), plus.Env.fromConfigMap(config, 'APP_')],
      mounts: [
        { path: '/config', volume: SandboxVolume.configMap('config', config), propagation: plus.MountPropagation.HOST_TO_CONTAINER },
        { path: '/secret', volume: SandboxVolume.secret('secret', ownSecret) },
        { path: '/data', volume: SandboxVolume.persistentVolumeClaim('data', plus.PersistentVolumeClaim.fromClaimName(chart, 'pvc', 'datasets')) },
        { path: '/own', volume: SandboxVolume.persistent('own', { size: '1Gi', accessModes: [plus.PersistentVolumeAccessMode.READ_WRITE_ONCE_POD] }) },
      ],
    }],
    isolation: Isolation.gvisor(),
    network,
    serviceAccount: account,
    imagePullSecrets: [secret, ownSecret],
    restartPolicy: plus.RestartPolicy.ON_FAILURE,
    dnsPolicy: plus.DnsPolicy.DEFAULT,
  });

  const pod = new plus.Pod(chart, 'pod', {
    containers: [{
      image: 'registry.example/app@sha256:0123',
      portNumber: 8888,
      readiness: plus.Probe.fromHttpGet('/healthz', { periodSeconds: Duration.seconds(1) }),
      envVariables: { MODE: plus.EnvValue.fromValue('fast') },
      envFrom: [plus.Env.fromConfigMap(config)],
    }],
    serviceAccount: account,
    restartPolicy: plus.RestartPolicy.NEVER,
  });
  const template = SandboxTemplate.fromPod(chart, 'from-pod', pod, { isolation: Isolation.gvisor() });
  new SandboxClaim(chart, 'claim', { pool: template.addWarmPool('pool', { replicas: 1 }) });
  // @ts-expect-error A template is no pool.
  void (() => new SandboxClaim(chart, 'template-as-pool', { pool: template }));
  // @ts-expect-error A Secret is no pool.
  void (() => new SandboxClaim(chart, 'secret-as-pool', { pool: secret }));
  // @ts-expect-error A Sandbox is no template.
  void (() => new SandboxWarmPool(chart, 'sandbox-as-template', { template: sandbox }));
  // @ts-expect-error A pool is no template.
  void (() => new SandboxClaim(chart, 'pool-as-template', { template: SandboxWarmPool.fromName('pool') }));
  // @ts-expect-error A namespace is no template.
  void (() => new SandboxWarmPool(chart, 'namespace-as-template', { template: new plus.Namespace(chart, 'other') }));
  // @ts-expect-error A name alone is no pool.
  void (() => new SandboxClaim(chart, 'text-as-pool', { pool: 'pool' }));
  // @ts-expect-error A Secret is no template.
  void (() => new SandboxClaim(chart, 'not-a-template', { template: secret }));
  // @ts-expect-error A namespace is no pool.
  void (() => new SandboxClaim(chart, 'not-a-pool', { pool: new plus.Namespace(chart, 'namespace') }));

  new Tenant(new Chart(app, 'research'), 'research', {
    pools: [{
      name: 'python', template: { containers: [{ image: 'registry.example/python@sha256:0123', cpu: '500m', memory: '512Mi' }], isolation: Isolation.gvisor() },
      replicas: 1,
      claims: 1,
    }],
    serviceAccounts: [account, plus.ServiceAccount.fromServiceAccountName(chart, 'bot', 'bot')],
  });
  new AgentSandboxController(new Chart(app, 'system'), 'agent-sandbox', {
    image: 'registry.example/controller@sha256:0123',
    imagePullSecrets: [secret],
    imagePullPolicy: plus.ImagePullPolicy.ALWAYS,
    router: { image: 'registry.example/router@sha256:0123', tlsSecret: secret },
  });
  return app;
}
