import unittest

from app import agents
from cdk8s_agent_sandbox import Checks, NetworkEndpoint, NetworkModel, Reachability


class Policy(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.app = agents()

    def test_the_objects_agree_with_each_other(self) -> None:
        self.assertEqual([f"{found.rule}: {found.object}: {found.message}" for found in Checks.of(self.app)], [])

    def test_no_sandbox_reaches_the_metadata_servers_of_clouds(self) -> None:
        model = NetworkModel.of(self.app)
        self.assertNotEqual(model.sandboxes(), [])
        for sandbox in model.sandboxes():
            for server in ["aws-metadata", "azure-wireserver"]:
                answer = model.can_reach(sandbox, NetworkEndpoint.named(server))
                self.assertEqual(answer.reachability, Reachability.DENIED, server)


if __name__ == "__main__":
    unittest.main()
