package main

import (
	"strings"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox/agentsandbox"
	"github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox/agentsandbox/l1"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"
)

func main() {
	image := "registry.example/python-runtime@sha256:" + strings.Repeat("0", 64)
	app := cdk8s.NewApp(nil)
	chart := cdk8s.NewChart(app, jsii.String("network-cookbook"), &cdk8s.ChartProps{Namespace: jsii.String("agents")})

	// A template with a network; the rest is the same for all.
	recipe := func(name string, network agentsandbox.SandboxNetwork, more agentsandbox.SandboxTemplateProps) {
		more.Containers = &[]*agentsandbox.SandboxContainer{{
			Image:     jsii.String(image),
			Port:      jsii.Number(8888),
			Cpu:       jsii.String("250m"),
			Memory:    jsii.String("512Mi"),
			RunAsUser: jsii.Number(1000),
		}}
		more.Isolation = agentsandbox.Isolation_Gvisor(nil)
		more.Network = network
		agentsandbox.NewSandboxTemplate(chart, jsii.String(name), &more)
	}
	none := agentsandbox.SandboxTemplateProps{}
	tcp := func(port float64) *[]agentsandbox.NetworkPort {
		return &[]agentsandbox.NetworkPort{agentsandbox.NetworkPort_Tcp(jsii.Number(port))}
	}

	recipe("air-gap", agentsandbox.SandboxNetwork_DenyAll(), none)
	recipe("router-only", agentsandbox.SandboxNetwork_RouterOnly(nil), none)
	recipe("router-elsewhere", agentsandbox.SandboxNetwork_RouterOnly(&agentsandbox.RouterOnlyNetworkProps{
		Router: &agentsandbox.SandboxRouterPeer{
			Namespace: jsii.String("edge"),
			PodLabels: &map[string]*string{"app": jsii.String("sandbox-router")},
		},
	}), none)
	recipe("dns-only", agentsandbox.SandboxNetwork_DnsOnly(nil), none)
	recipe("dns-node-local", agentsandbox.SandboxNetwork_DnsOnly(&agentsandbox.DnsOnlyNetworkProps{
		Dns: agentsandbox.ClusterDns_NodeLocal(nil),
	}), none)
	recipe("dns-openshift", agentsandbox.SandboxNetwork_DnsOnly(&agentsandbox.DnsOnlyNetworkProps{
		Dns: agentsandbox.ClusterDns_Openshift(),
	}), none)
	recipe("internal-llm",
		agentsandbox.SandboxNetwork_RouterOnly(nil).AllowEgressTo(agentsandbox.NetworkPeer_Cidr(jsii.String("10.50.0.100/32"), nil), tcp(8000)),
		agentsandbox.SandboxTemplateProps{
			HostAliases: &[]*l1.HostAlias{{Ip: jsii.String("10.50.0.100"), Hostnames: jsii.Strings("llm.internal")}},
		})
	recipe("database", agentsandbox.SandboxNetwork_DnsOnly(nil).AllowEgressTo(
		agentsandbox.NetworkPeer_Pods(&map[string]*string{"app": jsii.String("postgres")}, &agentsandbox.PodPeerOptions{Namespace: jsii.String("data")}),
		tcp(5432)), none)
	recipe("public-internet", agentsandbox.SandboxNetwork_PublicInternet(&agentsandbox.PublicInternetNetworkProps{
		ClusterCidrs: jsii.Strings("203.0.113.0/24"),
	}), none)
	recipe("public-https", agentsandbox.SandboxNetwork_PublicInternet(&agentsandbox.PublicInternetNetworkProps{Ports: tcp(443)}), none)
	recipe("ingress-gateway", agentsandbox.SandboxNetwork_DnsOnly(nil).AllowIngressFrom(
		agentsandbox.NetworkPeer_Pods(&map[string]*string{"app": jsii.String("istio-ingressgateway")}, &agentsandbox.PodPeerOptions{
			NamespaceLabels: &map[string]*string{"istio-injection": jsii.String("enabled")},
		}),
		tcp(8888)), none)
	recipe("workload-identity",
		agentsandbox.SandboxNetwork_PublicInternet(&agentsandbox.PublicInternetNetworkProps{Ipv6: jsii.Bool(true)}).AllowEgressTo(
			agentsandbox.NetworkPeer_Cidr(jsii.String("169.254.169.254/32"), nil), tcp(80)),
		agentsandbox.SandboxTemplateProps{
			ServiceAccount: agentsandbox.ObjectReference_ServiceAccount(jsii.String("sandbox-identity")),
		})
	recipe("own-policies", agentsandbox.SandboxNetwork_Unmanaged(), none)

	app.Synth()
}
