from cdk8s import App, Chart
from cdk8s_agent_sandbox import Isolation, SandboxContainer, SandboxTemplate

chart = Chart(App(), "agents", namespace="agents")
SandboxTemplate(
    chart,
    "python",
    containers=[SandboxContainer(image="registry.example/python-runtime:1.0", memory="512 MB", run_as_user=0)],
    isolation=Isolation.gvisor(),
)
