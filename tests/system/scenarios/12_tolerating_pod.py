"""A pod that tolerates the cordon comes back to the node while that is drained: it is
evicted once, its replacement is named and left alone, and the turn ends.
"""

from __future__ import annotations

from lab.app import NAMESPACE
from lab.history import PodAt
from lab.scenario import Lab


def run(lab: Lab) -> None:
    """An operator that tolerates everything and runs on this one node only."""
    node = lab.machines[0]
    operator = lab.app("operator", replicas=1, node=node.name, tolerates=True)
    first = operator.pods()[0]["metadata"]["name"]
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_rolled(node)
    operator.wait_ready()
    # Whatever came after the first may be there when the node goes down; the first may not.
    later = {
        record.name for _, record in lab.history().steps()
        if isinstance(record, PodAt) and record.namespace == NAMESPACE and record.name.startswith("operator-")
    } - {first}
    assert later, "no replacement came: nothing was shown"
    named = [entry.message for entry in rollboot.journal() if "came back although the node is cordoned" in entry.message]
    assert any(f"{NAMESPACE}/{name}" in message for message in named for name in later), named
    lab.judge({node.name: 1}, spared=later)
    lab.expect_turns(node, 1)
