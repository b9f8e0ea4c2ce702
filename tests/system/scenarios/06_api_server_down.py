"""The API server or the way to it is gone for a while: nothing is lost, and the turn
ends when it is back.
"""

import time

from lab import network
from lab.scenario import Lab
from lab.waiting import holds_for


def while_the_node_is_down(lab: Lab) -> None:
    """The API server stops while a node is down and comes back after the node."""
    node = lab.machines[0]
    node.boot_delay = 3
    lab.install()
    for machine in lab.machines:
        machine.ask_for_reboot()
    node.wait_down(120)
    lab.plane.stop_part("api", kill=True)
    booted = len(node.boots) + 1
    node.wait_boots(booted)
    time.sleep(8)
    lab.plane.start_api()
    lab.wait_rolled(*lab.machines)
    lab.judge({machine.name: 1 for machine in lab.machines})


def while_draining(lab: Lab) -> None:
    """The API server is killed in the middle of a drain; the same turn goes on."""
    node = lab.machines[0]
    app = lab.app(replicas=3, stop_delay="5s")
    lab.install()
    node.ask_for_reboot()
    lab.wait_draining(node, app)
    lab.plane.stop_part("api", kill=True)
    time.sleep(8)
    assert lab.boots(node) == 0, "it rebooted without asking the lock"
    lab.plane.start_api()
    lab.wait_rolled(node)
    app.wait_ready()
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1})


def cable_pulled(lab: Lab) -> None:
    """A node cut off the network mid-drain keeps its slot, nobody else goes, and with
    the cable back the same turn goes on."""
    node, *others = lab.machines
    app = lab.app(replicas=3, stop_delay="5s")
    lab.install()
    node.ask_for_reboot()
    lab.wait_draining(node, app)
    for other in others:
        other.ask_for_reboot()
    network.cut(node.name)
    try:
        holds_for("the slot stays with it", lambda: lab.holders() == {node.name}, 15, 0.5)
        assert lab.boots(node) == 0, "it rebooted without asking the lock"
    finally:
        network.mend(node.name)
    lab.wait_rolled(*lab.machines)
    app.wait_ready()
    lab.expect_turns(node, 1)
    lab.judge({machine.name: 1 for machine in lab.machines})


# Controllers do not always outlive a killed API server unharmed.
SPOILS = True
CASES = {
    "while_the_node_is_down": while_the_node_is_down, "while_draining": while_draining, "cable_pulled": cable_pulled,
}
