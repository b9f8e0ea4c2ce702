"""The service ends in the middle of a drain, each time for another reason: what must
be undone is undone, what must go on goes on.
"""

from lab.app import App
from lab.rollboot import Rollboot
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def stop(lab: Lab) -> None:
    """`systemctl stop` mid-drain: the turn is undone and nothing reboots."""
    app, rollboot = _draining(lab)
    rollboot.machine.run("systemctl", "stop", "rollboot.service", timeout=120)
    _undone(lab, app)


def remove(lab: Lab) -> None:
    """The package removed mid-drain: the turn is undone and nothing reboots."""
    app, rollboot = _draining(lab)
    rollboot.remove()
    _undone(lab, app)


def restart(lab: Lab) -> None:
    """`systemctl restart` mid-drain: the same turn goes on, one reboot."""
    app, rollboot = _draining(lab)
    rollboot.machine.run("systemctl", "restart", "rollboot.service", timeout=120)
    _goes_on(lab, app)


def upgrade(lab: Lab) -> None:
    """A package upgrade mid-drain: the same turn goes on, one reboot."""
    app, rollboot = _draining(lab)
    rollboot.reinstall()
    _goes_on(lab, app)


def reboot_by_hand(lab: Lab) -> None:
    """Somebody starts reboot.target mid-drain: the slot is kept over it, and the node
    recovers after the boot."""
    app, rollboot = _draining(lab)
    node = rollboot.machine
    left = [pod["metadata"]["name"] for pod in app.pods_on(node.name)]
    node.run("systemctl", "--no-block", "start", "reboot.target")
    lab.wait_rolled(node)
    app.wait_ready()
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1}, spared=left)


def _draining(lab: Lab) -> tuple[App, Rollboot]:
    """The first node in the middle of a drain that takes a while."""
    node = lab.machines[0]
    app = lab.app(replicas=3, stop_delay="8s")
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_draining(node, app)
    return app, rollboot


def _undone(lab: Lab, app: App) -> None:
    """Nothing is held, nothing is cordoned, nothing reboots."""
    node = lab.machines[0]
    wait_until("the slot is free", lambda: not lab.holds(node), 30)
    assert not lab.cordoned(node), "released before it was uncordoned"
    app.wait_ready()
    holds_for("nothing more happens", lambda: not lab.holds(node) and lab.boots(node) == 0, 5)
    lab.judge()


def _goes_on(lab: Lab, app: App) -> None:
    """The same turn ends with one reboot."""
    node = lab.machines[0]
    lab.wait_rolled(node)
    app.wait_ready()
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1})


CASES = {
    "stop": stop, "remove": remove, "restart": restart, "upgrade": upgrade, "reboot_by_hand": reboot_by_hand,
}
