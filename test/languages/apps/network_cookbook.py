from cdk8s import App, Chart
from cdk8s_agent_sandbox import (
    ClusterDns,
    Isolation,
    NetworkPeer,
    NetworkPort,
    ObjectReference,
    SandboxContainer,
    SandboxNetwork,
    SandboxRouterPeer,
    SandboxTemplate,
)
from cdk8s_agent_sandbox.l1 import HostAlias

IMAGE = "registry.example/python-runtime@sha256:" + "0" * 64

app = App()
chart = Chart(app, "network-cookbook", namespace="agents")


def recipe(name, network, **more):
    """A template with a network; the rest is the same for all."""
    SandboxTemplate(
        chart,
        name,
        containers=[SandboxContainer(image=IMAGE, port=8888, cpu="250m", memory="512Mi", run_as_user=1000)],
        isolation=Isolation.gvisor(),
        network=network,
        **more,
    )


recipe("air-gap", SandboxNetwork.deny_all())
recipe("router-only", SandboxNetwork.router_only())
recipe(
    "router-elsewhere",
    SandboxNetwork.router_only(router=SandboxRouterPeer(namespace="edge", pod_labels={"app": "sandbox-router"})),
)
recipe("dns-only", SandboxNetwork.dns_only())
recipe("dns-node-local", SandboxNetwork.dns_only(dns=ClusterDns.node_local()))
recipe("dns-openshift", SandboxNetwork.dns_only(dns=ClusterDns.openshift()))
recipe(
    "internal-llm",
    SandboxNetwork.router_only().allow_egress_to(NetworkPeer.cidr("10.50.0.100/32"), [NetworkPort.tcp(8000)]),
    host_aliases=[HostAlias(ip="10.50.0.100", hostnames=["llm.internal"])],
)
recipe(
    "database",
    SandboxNetwork.dns_only().allow_egress_to(NetworkPeer.pods({"app": "postgres"}, namespace="data"), [NetworkPort.tcp(5432)]),
)
recipe("public-internet", SandboxNetwork.public_internet(cluster_cidrs=["203.0.113.0/24"]))
recipe("public-https", SandboxNetwork.public_internet(ports=[NetworkPort.tcp(443)]))
recipe(
    "ingress-gateway",
    SandboxNetwork.dns_only().allow_ingress_from(
        NetworkPeer.pods({"app": "istio-ingressgateway"}, namespace_labels={"istio-injection": "enabled"}),
        [NetworkPort.tcp(8888)],
    ),
)
recipe(
    "workload-identity",
    SandboxNetwork.public_internet(ipv6=True).allow_egress_to(NetworkPeer.cidr("169.254.169.254/32"), [NetworkPort.tcp(80)]),
    service_account=ObjectReference.service_account("sandbox-identity"),
)
recipe("own-policies", SandboxNetwork.unmanaged())

app.synth()
