package main

import (
	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-agent-sandbox/cdk8s-agent-sandbox/agentsandbox"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"
)

func main() {
	chart := cdk8s.NewChart(cdk8s.NewApp(nil), jsii.String("agents"), &cdk8s.ChartProps{Namespace: jsii.String("agents")})
	agentsandbox.NewSandboxTemplate(chart, jsii.String("python"), &agentsandbox.SandboxTemplateProps{
		Containers: &[]*agentsandbox.SandboxContainer{{
			Image:     jsii.String("registry.example/python-runtime:1.0"),
			Memory:    jsii.String("512 MB"),
			RunAsUser: jsii.Number(0),
		}},
		Isolation: agentsandbox.Isolation_Gvisor(nil),
	})
}
