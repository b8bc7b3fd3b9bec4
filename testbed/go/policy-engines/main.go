// Command policy-engines asks two engines that others wrote what NetworkPolicies mean: the matcher of cyclonus, and the packet evaluator
// of kube-network-policies. Each line of its input is a JSON object with policies, Pods and packets; each line of its output has one
// verdict for each packet and engine.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	_ "unsafe" // for go:linkname

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	v1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/network-policy-api/apis/v1alpha1"
	policyclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"
	policyinformers "sigs.k8s.io/network-policy-api/pkg/client/informers/externalversions"
)

// A set of policies and what is asked about it.
type question struct {
	Namespaces []namespace                            `json:"namespaces"`
	Pods       []pod                                  `json:"pods"`
	Policies   []*networkingv1.NetworkPolicy          `json:"policies"`
	Admin      []*v1alpha1.AdminNetworkPolicy         `json:"admin"`
	Baseline   []*v1alpha1.BaselineAdminNetworkPolicy `json:"baseline"`
	Packets    []packet                               `json:"packets"`
}

type namespace struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
}

type pod struct {
	Name      string             `json:"name"`
	Namespace string             `json:"namespace"`
	Labels    map[string]string  `json:"labels"`
	IP        string             `json:"ip"`
	Ports     []v1.ContainerPort `json:"ports"`
}

type packet struct {
	From     string      `json:"from"`
	To       string      `json:"to"`
	Port     int         `json:"port"`
	Protocol v1.Protocol `json:"protocol"`
}

// Cyclonus knows NetworkPolicies only: without a verdict where there are others.
type answer struct {
	Cyclonus  []bool `json:"cyclonus,omitempty"`
	Evaluator []bool `json:"evaluator"`
}

func main() {
	evaluate := newEvaluator()
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 16<<20)
	output := json.NewEncoder(os.Stdout)
	for line := 1; input.Scan(); line++ {
		var asked question
		if err := json.Unmarshal(input.Bytes(), &asked); err != nil {
			fail("line %d: %v", line, err)
		}
		setDefaults(asked.Policies)
		result := answer{Evaluator: evaluate(&asked)}
		if len(asked.Admin)+len(asked.Baseline) == 0 {
			result.Cyclonus = cyclonus(&asked)
		}
		if err := output.Encode(result); err != nil {
			fail("%v", err)
		}
	}
	if err := input.Err(); err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

// What the API server does: it fills in protocols, and its wire format does not tell an empty list from none.
func setDefaults(policies []*networkingv1.NetworkPolicy) {
	protocols := func(ports []networkingv1.NetworkPolicyPort) {
		for index := range ports {
			if ports[index].Protocol == nil {
				tcp := v1.ProtocolTCP
				ports[index].Protocol = &tcp
			}
		}
	}
	for _, policy := range policies {
		if len(policy.Spec.Ingress) == 0 {
			policy.Spec.Ingress = nil
		}
		if len(policy.Spec.Egress) == 0 {
			policy.Spec.Egress = nil
		}
		for _, rule := range policy.Spec.Ingress {
			protocols(rule.Ports)
		}
		for _, rule := range policy.Spec.Egress {
			protocols(rule.Ports)
		}
	}
}

func cyclonus(asked *question) []bool {
	policy := matcher.BuildNetworkPolicies(false, asked.Policies)
	labels := map[string]map[string]string{}
	for _, each := range asked.Namespaces {
		labels[each.Name] = each.Labels
	}
	peer := func(ip string) (*matcher.TrafficPeer, []v1.ContainerPort) {
		for _, each := range asked.Pods {
			if each.IP == ip {
				return &matcher.TrafficPeer{IP: ip, Internal: &matcher.InternalPeer{
					PodLabels: each.Labels, Namespace: each.Namespace, NamespaceLabels: labels[each.Namespace],
				}}, each.Ports
			}
		}
		return &matcher.TrafficPeer{IP: ip}, nil
	}
	verdicts := []bool{}
	for _, each := range asked.Packets {
		source, _ := peer(each.From)
		destination, ports := peer(each.To)
		name := ""
		for _, port := range ports {
			if int(port.ContainerPort) == each.Port && port.Protocol == each.Protocol {
				name = port.Name
			}
		}
		verdicts = append(verdicts, policy.IsTrafficAllowed(&matcher.Traffic{
			Source: source, Destination: destination, ResolvedPort: each.Port, ResolvedPortName: name, Protocol: each.Protocol,
		}).IsAllowed())
	}
	return verdicts
}

// The packet of the package networkpolicy, which it does not export: same fields, same order.
type evaluatedPacket struct {
	id      uint32
	family  v1.IPFamily
	srcIP   net.IP
	dstIP   net.IP
	proto   v1.Protocol
	srcPort int
	dstPort int
	payload []byte
}

//go:linkname evaluatePacket sigs.k8s.io/kube-network-policies/pkg/networkpolicy.(*Controller).evaluatePacket
func evaluatePacket(controller *networkpolicy.Controller, ctx context.Context, p evaluatedPacket) bool

// Nothing connects to a cluster: the caches are filled by hand.
func newEvaluator() func(*question) []bool {
	config := &rest.Config{Host: "127.0.0.1:1"}
	core := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	policy := policyinformers.NewSharedInformerFactory(policyclient.NewForConfigOrDie(config), 0)
	policies, namespaces, pods := core.Networking().V1().NetworkPolicies(), core.Core().V1().Namespaces(), core.Core().V1().Pods()
	admin, baseline := policy.Policy().V1alpha1().AdminNetworkPolicies(), policy.Policy().V1alpha1().BaselineAdminNetworkPolicies()
	controller, err := networkpolicy.NewController(kubernetes.NewForConfigOrDie(config), policies, namespaces, pods, core.Core().V1().Nodes(),
		policyclient.NewForConfigOrDie(config), admin, baseline,
		// With NRIdisabled it fails at addresses that are not those of Pods; what it makes instead connects to nothing before it runs.
		networkpolicy.Config{AdminNetworkPolicy: true, BaselineAdminNetworkPolicy: true, NodeName: "node"})
	if err != nil {
		fail("%v", err)
	}
	return func(asked *question) []bool {
		fill(policies.Informer().GetIndexer(), asked.Policies)
		fill(admin.Informer().GetIndexer(), asked.Admin)
		fill(baseline.Informer().GetIndexer(), asked.Baseline)
		fill(namespaces.Informer().GetIndexer(), mapped(asked.Namespaces, func(each namespace) *v1.Namespace {
			return &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: each.Name, Labels: each.Labels}}
		}))
		fill(pods.Informer().GetIndexer(), mapped(asked.Pods, func(each pod) *v1.Pod {
			return &v1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: each.Name, Namespace: each.Namespace, Labels: each.Labels},
				Spec:       v1.PodSpec{Containers: []v1.Container{{Ports: each.Ports}}},
				Status:     v1.PodStatus{Phase: v1.PodRunning, PodIPs: []v1.PodIP{{IP: each.IP}}},
			}
		}))
		return mapped(asked.Packets, func(each packet) bool {
			return evaluatePacket(controller, context.Background(), evaluatedPacket{
				srcIP: net.ParseIP(each.From), dstIP: net.ParseIP(each.To), proto: each.Protocol, srcPort: 40000, dstPort: each.Port,
			})
		})
	}
}

func fill[T any](indexer cache.Indexer, objects []T) {
	if err := indexer.Replace(mapped(objects, func(each T) any { return each }), ""); err != nil {
		fail("%v", err)
	}
}

func mapped[A, B any](all []A, change func(A) B) []B {
	result := make([]B, 0, len(all))
	for _, each := range all {
		result = append(result, change(each))
	}
	return result
}
