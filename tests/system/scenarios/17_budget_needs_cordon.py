"""A budget that opens only while the node is cordoned, as that of a database's primary does, is not asked about for ever from outside."""

import threading

from lab.app import App
from lab.machine import Machine
from lab.rollboot import QUICK
from lab.scenario import Lab
from lab.waiting import wait_until


def run(lab: Lab) -> None:
    """The first drain fails, since nobody moves the role away; from then on somebody does, whenever the node is cordoned."""
    node = lab.machines[0]
    primary = lab.app("primary", replicas=1, node=node.name)
    primary.budget(max_unavailable=0)
    lab.install(QUICK.replace('timeout = "90s"', 'timeout = "10s"'))
    node.ask_for_reboot()
    lab.wait_holds(node)
    wait_until("the first drain has failed", lambda: not lab.holds(node) and not lab.cordoned(node), 60)
    assert primary.ready(), "the pod that the budget protects was touched"
    done = threading.Event()
    operator = threading.Thread(target=_operate, args=(lab, node, primary, done), daemon=True)
    operator.start()
    try:
        lab.wait_rolled(node, timeout=240)
    finally:
        done.set()
        operator.join(30)
    lab.judge({node.name: 1})


def _operate(lab: Lab, node: Machine, primary: App, done: threading.Event) -> None:
    """What the operator of a database does: a cordoned node loses the primary, no other does."""
    opened = False
    while not done.wait(1):
        cordoned = lab.cordoned(node)
        if cordoned != opened:
            primary.budget(max_unavailable=1 if cordoned else 0)
            opened = cordoned
