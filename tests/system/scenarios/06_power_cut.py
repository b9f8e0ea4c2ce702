"""The power fails in each phase of a turn: the machine boots, the node recovers, and
the others get their turn.
"""

from collections.abc import Callable

from lab.app import App
from lab.machine import Machine
from lab.rollboot import QUICK, Rollboot
from lab.scenario import Lab
from lab.waiting import wait_until

_CONFIG = QUICK.replace('quiet = "1s"', 'quiet = "3s"') + '\n[recovery]\nsoak = "4s"\n'

Moment = Callable[[Lab, Machine, App], None]


def _waiting(lab: Lab, node: Machine, _: App) -> None:
    Rollboot(node).wait_phase("waiting")


def _acquired(lab: Lab, node: Machine, _: App) -> None:
    wait_until("it holds a slot", lambda: lab.holds(node), 60, 0.01)


def _draining(lab: Lab, node: Machine, app: App) -> None:
    lab.wait_draining(node, app)


def _drained(lab: Lab, node: Machine, app: App) -> None:
    lab.wait_drained(node, app)


def _going_down(lab: Lab, node: Machine, _: App) -> None:
    lab.wait_going_down(node)


def _recovering(lab: Lab, node: Machine, _: App) -> None:
    wait_until("it has rebooted", lambda: lab.boots(node) == 1, 90)
    lab.cluster.wait_ready(node)


def _case(phase: str, moment: Moment, boots: int = 1) -> Callable[[Lab], None]:
    """A scenario that cuts the power at that moment; `boots` counts the cut's boot too."""
    def run(lab: Lab) -> None:
        node, other, _ = lab.machines
        app = lab.app(replicas=3, stop_delay="4s")
        lab.install(_CONFIG)
        if phase == "waiting":
            # Somebody else has the turn, so that the node waits.
            lab.take_slot_by_hand("elsewhere")
        node.ask_for_reboot()
        moment(lab, node, app)
        node.cut_power()
        node.wait_boots(len(node.boots) + 1)
        if phase == "waiting":
            lab.cluster.wait_ready(node)
            lab.release_by_hand("elsewhere")
        lab.wait_settled(node, 120)
        # The sentinel died with the power, so the node does not ask again; the next one may.
        other.ask_for_reboot()
        lab.wait_rolled(other)
        app.wait_ready()
        lab.judge({node.name: boots, other.name: 1}, accidents=True)

    run.__doc__ = f"The power fails while the node is {phase.replace('_', ' ')}: it recovers, and the next one may go."
    return run


CASES = {
    "waiting": _case("waiting", _waiting),
    "acquired": _case("acquired", _acquired),
    "draining": _case("draining", _draining),
    "drained": _case("drained", _drained),
    "going_down": _case("going_down", _going_down),
    "recovering": _case("recovering", _recovering, boots=2),
}
