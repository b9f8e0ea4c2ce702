"""A node that somebody else cordoned waits and says so, or, if configured, reboots
and stays cordoned.
"""

from lab.rollboot import QUICK
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def waits(lab: Lab) -> None:
    """A node cordoned by hand waits and says so; uncordoned, it takes its turn."""
    node = lab.machines[0]
    lab.plane.kubectl("cordon", node.name)
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    wait_until("the status names the cordon", lambda: "cordon" in str(rollboot.wait_phase("waiting")))
    holds_for("it takes no slot", lambda: not lab.holds(node) and lab.boots(node) == 0, 5)
    lab.expect_turns(node, 0)
    lab.plane.kubectl("uncordon", node.name)
    lab.wait_rolled(node)
    lab.judge({node.name: 1})


def proceeds(lab: Lab) -> None:
    """With foreign-cordon = "proceed" a node cordoned by hand reboots and stays cordoned."""
    node = lab.machines[0]
    app = lab.app(replicas=3)
    lab.plane.kubectl("cordon", node.name)
    lab.install(QUICK + 'foreign-cordon = "proceed"\n')
    node.ask_for_reboot()
    wait_until("it has rebooted", lambda: lab.boots(node) == 1, 120)
    lab.cluster.wait_ready(node)
    wait_until("its turn is over", lambda: not lab.holds(node) and not lab.marked(node), 60)
    holds_for("it stays cordoned", lambda: lab.cordoned(node), 3)
    app.wait_ready()
    lab.judge({node.name: 1}, cordoned=[node.name])


CASES = {"waits": waits, "proceeds": proceeds}
