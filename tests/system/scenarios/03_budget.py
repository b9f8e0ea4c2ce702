"""A disruption budget is honoured: one that opens later is waited for, one that never
opens costs its own node the reboot and no other.
"""

from lab.rollboot import QUICK
from lab.scenario import Lab
from lab.waiting import holds_for


def opens_later(lab: Lab) -> None:
    """A budget that allows nothing for a while is waited for; then the node goes on."""
    node = lab.machines[0]
    app = lab.app(replicas=3)
    app.budget(max_unavailable=0)
    lab.install()
    node.ask_for_reboot()
    lab.wait_holds(node)
    names = {pod["metadata"]["uid"] for pod in app.pods()}
    holds_for("the budget is honoured", lambda: names == {pod["metadata"]["uid"] for pod in app.pods()}, 8)
    assert lab.boots(node) == 0
    app.budget(max_unavailable=1)
    lab.wait_rolled(node)
    app.wait_ready()
    lab.judge({node.name: 1})


def never_opens(lab: Lab) -> None:
    """A budget that never opens: its node takes all back and the others get their turn."""
    node, *others = lab.machines
    stuck = lab.app("stuck", replicas=1, node=node.name)
    stuck.budget(max_unavailable=0)
    lab.install(QUICK.replace('timeout = "90s"', 'timeout = "10s"'))
    node.ask_for_reboot()
    lab.wait_holds(node)
    for other in others:
        other.ask_for_reboot()
    lab.wait_rolled(*others)
    lab.wait_settled(node)
    assert stuck.ready(), "the pod that the budget protects was touched"
    assert node.asks_for_reboot(), "the sentinel of the node that could not go is gone"
    lab.judge({other.name: 1 for other in others})


CASES = {"opens_later": opens_later, "never_opens": never_opens}
