import { App, Chart } from 'cdk8s';
import * as kplus from 'cdk8s-plus-33';
import { ClusterDns, Isolation, NetworkPeer, NetworkPort, SandboxNetwork, SandboxTemplate, type SandboxTemplateProps } from 'cdk8s-agent-sandbox';

// REPLACE: an image of yours, pinned by its digest.
const IMAGE = `registry.example/python-runtime@sha256:${'0'.repeat(64)}`;

const app = new App();
const chart = new Chart(app, 'network-cookbook', { namespace: 'agents' });

/** A template with a network; the rest is the same for all. */
function recipe(name: string, network: SandboxNetwork, more: Partial<SandboxTemplateProps> = {}): void {
  new SandboxTemplate(chart, name, {
    containers: [{ image: IMAGE, port: 8888, cpu: '250m', memory: '512Mi', runAsUser: 1000 }],
    isolation: Isolation.gvisor(),
    network,
    ...more,
  });
}

// Nothing in, nothing out. Work gets in and out with kubectl exec and kubectl cp.
recipe('air-gap', SandboxNetwork.denyAll());

// Programs reach it through the router; it reaches nothing. The default.
recipe('router-only', SandboxNetwork.routerOnly());

// The router runs elsewhere.
recipe('router-elsewhere', SandboxNetwork.routerOnly({ router: { namespace: 'edge', podLabels: { app: 'sandbox-router' } } }));

// Names resolve, nothing else leaves. A name that is looked up is data that leaves, though.
recipe('dns-only', SandboxNetwork.dnsOnly());

// The same where each node answers DNS queries itself.
recipe('dns-node-local', SandboxNetwork.dnsOnly({ dns: ClusterDns.nodeLocal() }));

// The same on OpenShift.
recipe('dns-openshift', SandboxNetwork.dnsOnly({ dns: ClusterDns.openshift() }));

// One model endpoint with a fixed address. Its name is in /etc/hosts, so not even DNS is open.
recipe('internal-llm', SandboxNetwork.routerOnly().allowEgressTo(NetworkPeer.cidr('10.50.0.100/32'), [NetworkPort.tcp(8000)]), {
  hostAliases: [{ ip: '10.50.0.100', hostnames: ['llm.internal'] }],
});

// A database that runs in the cluster. Rules see Pods, so the port is the container's, not the Service's.
recipe('database', SandboxNetwork.dnsOnly().allowEgressTo(NetworkPeer.pods({ app: 'postgres' }, { namespace: 'data' }), [NetworkPort.tcp(5432)]));

// The web, but no private network and no metadata server. Clusters whose Pods or nodes have public addresses name them.
recipe('public-internet', SandboxNetwork.publicInternet({ clusterCidrs: ['203.0.113.0/24'] }));

// The web by HTTPS only.
recipe('public-https', SandboxNetwork.publicInternet({ ports: [NetworkPort.tcp(443)] }));

// People come through the gateway of a service mesh, programs through the router.
recipe('ingress-gateway', SandboxNetwork.dnsOnly().allowIngressFrom(
  NetworkPeer.pods({ app: 'istio-ingressgateway' }, { namespaceLabels: { 'istio-injection': 'enabled' } }),
  [NetworkPort.tcp(8888)],
));

// Workload identity on GKE: tokens come from the metadata server, which the other recipes leave out. IPv6 is open as
// well, because clients that try it first would wait for a timeout.
recipe('workload-identity', SandboxNetwork.publicInternet({ ipv6: true }).allowEgressTo(NetworkPeer.cidr('169.254.169.254/32'), [NetworkPort.tcp(80)]), {
  serviceAccount: kplus.ServiceAccount.fromServiceAccountName(chart, 'identity', 'sandbox-identity'),
});

// A team that brings its own policies, such as ones that know host names. The name says that nothing else protects it.
recipe('own-policies', SandboxNetwork.unmanaged());

app.synth();
