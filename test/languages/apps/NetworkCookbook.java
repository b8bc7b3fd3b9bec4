import io.github.cdk8sagentsandbox.ClusterDns;
import io.github.cdk8sagentsandbox.DnsOnlyNetworkProps;
import io.github.cdk8sagentsandbox.Isolation;
import io.github.cdk8sagentsandbox.NetworkPeer;
import io.github.cdk8sagentsandbox.NetworkPort;
import io.github.cdk8sagentsandbox.ObjectReference;
import io.github.cdk8sagentsandbox.PodPeerOptions;
import io.github.cdk8sagentsandbox.PublicInternetNetworkProps;
import io.github.cdk8sagentsandbox.RouterOnlyNetworkProps;
import io.github.cdk8sagentsandbox.SandboxContainer;
import io.github.cdk8sagentsandbox.SandboxNetwork;
import io.github.cdk8sagentsandbox.SandboxRouterPeer;
import io.github.cdk8sagentsandbox.SandboxTemplate;
import io.github.cdk8sagentsandbox.l1.HostAlias;
import java.util.List;
import java.util.Map;
import org.cdk8s.App;
import org.cdk8s.Chart;

public class NetworkCookbook {
  private static final String IMAGE = "registry.example/python-runtime@sha256:" + "0".repeat(64);
  private static final App APP = new App();
  private static final Chart CHART = Chart.Builder.create(APP, "network-cookbook").namespace("agents").build();

  /** A template with a network; the rest is the same for all. */
  private static SandboxTemplate.Builder recipe(String name, SandboxNetwork network) {
    return SandboxTemplate.Builder.create(CHART, name)
        .containers(List.of(SandboxContainer.builder().image(IMAGE).port(8888).cpu("250m").memory("512Mi").runAsUser(1000).build()))
        .isolation(Isolation.gvisor())
        .network(network);
  }

  public static void main(String[] args) {
    recipe("air-gap", SandboxNetwork.denyAll()).build();
    recipe("router-only", SandboxNetwork.routerOnly()).build();
    recipe("router-elsewhere", SandboxNetwork.routerOnly(RouterOnlyNetworkProps.builder()
        .router(SandboxRouterPeer.builder().namespace("edge").podLabels(Map.of("app", "sandbox-router")).build())
        .build())).build();
    recipe("dns-only", SandboxNetwork.dnsOnly()).build();
    recipe("dns-node-local", SandboxNetwork.dnsOnly(DnsOnlyNetworkProps.builder().dns(ClusterDns.nodeLocal()).build())).build();
    recipe("dns-openshift", SandboxNetwork.dnsOnly(DnsOnlyNetworkProps.builder().dns(ClusterDns.openshift()).build())).build();
    recipe("internal-llm", SandboxNetwork.routerOnly().allowEgressTo(NetworkPeer.cidr("10.50.0.100/32"), List.of(NetworkPort.tcp(8000))))
        .hostAliases(List.of(HostAlias.builder().ip("10.50.0.100").hostnames(List.of("llm.internal")).build()))
        .build();
    recipe("database", SandboxNetwork.dnsOnly().allowEgressTo(
        NetworkPeer.pods(Map.of("app", "postgres"), PodPeerOptions.builder().namespace("data").build()),
        List.of(NetworkPort.tcp(5432)))).build();
    recipe("public-internet", SandboxNetwork.publicInternet(
        PublicInternetNetworkProps.builder().clusterCidrs(List.of("203.0.113.0/24")).build())).build();
    recipe("public-https", SandboxNetwork.publicInternet(
        PublicInternetNetworkProps.builder().ports(List.of(NetworkPort.tcp(443))).build())).build();
    recipe("ingress-gateway", SandboxNetwork.dnsOnly().allowIngressFrom(
        NetworkPeer.pods(Map.of("app", "istio-ingressgateway"),
            PodPeerOptions.builder().namespaceLabels(Map.of("istio-injection", "enabled")).build()),
        List.of(NetworkPort.tcp(8888)))).build();
    recipe("workload-identity", SandboxNetwork.publicInternet(PublicInternetNetworkProps.builder().ipv6(true).build())
        .allowEgressTo(NetworkPeer.cidr("169.254.169.254/32"), List.of(NetworkPort.tcp(80))))
        .serviceAccount(ObjectReference.serviceAccount("sandbox-identity"))
        .build();
    recipe("own-policies", SandboxNetwork.unmanaged()).build();
    APP.synth();
  }
}
