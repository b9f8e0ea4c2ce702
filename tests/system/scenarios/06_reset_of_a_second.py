"""A reset so fast that Ready never leaves True: the proof is the boot ID, and the slot is
given back only after the Node shows the new one.
"""

from lab.history import NodeAt
from lab.rollboot import QUICK
from lab.scenario import Lab


def run(lab: Lab) -> None:
    """The reset comes when the node is drained and about to ask for its reboot."""
    node = lab.machines[0]
    app = lab.app(replicas=3)
    lab.install(QUICK.replace('quiet = "1s"', 'quiet = "5s"'))
    node.ask_for_reboot()
    lab.wait_drained(node, app)
    node.boot_delay = 1
    node.cut_power()
    lab.wait_rolled(node)
    app.wait_ready()
    history = lab.history()
    lost = [
        record for _, record in history.steps()
        if isinstance(record, NodeAt) and record.name == node.name and record.ready != "True"
    ]
    assert not lost, f"Ready was lost, so this was no fast reset: {lost}"
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1})
