from cdk8s import App, Chart, Duration
from cdk8s_agent_sandbox import (
    Isolation,
    Lifetime,
    RestartPolicy,
    SandboxClaim,
    SandboxContainer,
    SandboxNamespace,
    SandboxNamespaceQuota,
    SandboxNetwork,
    SandboxTemplate,
    SandboxWarmPool,
)


def agents() -> App:
    """The objects of this repository. Tests look at them before they are written."""
    app = App()
    chart = Chart(app, "agents", namespace="agents")
    SandboxNamespace(chart, "namespace", name="agents", quota=SandboxNamespaceQuota(sandboxes=20))
    template = SandboxTemplate(
        chart,
        "python",
        containers=[
            SandboxContainer(
                image="registry.example/python-runtime:1.0", port=8888, cpu="250m", memory="512Mi", run_as_user=1000
            )
        ],
        isolation=Isolation.gvisor(),
        # A program that ends well is finished, and its claim ends an hour later.
        restart_policy=RestartPolicy.ON_FAILURE,
        # Name servers only; add peers with allow_egress_to.
        network=SandboxNetwork.dns_only(),
    )
    pool = SandboxWarmPool(chart, "python-pool", template=template, replicas=2)
    SandboxClaim(chart, "first", pool=pool, lifetime=Lifetime.after_finished(Duration.hours(1)))
    return app
