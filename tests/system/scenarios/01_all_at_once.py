"""The sentinel appears on all nodes at the same moment: each reboots exactly once,
one after the other, drained before and uncordoned after, and the app is whole again.
"""

from lab.scenario import Lab


def run(lab: Lab) -> None:
    """Nobody does anything but make the three files."""
    app = lab.app(replicas=4)
    app.budget(max_unavailable=1)
    daemon = lab.app("log", kind="DaemonSet", replicas=0)
    lab.install()
    for machine in lab.machines:
        machine.ask_for_reboot()
    lab.wait_rolled(*lab.machines)
    app.wait_ready()
    daemon.wait_ready()
    for machine in lab.machines:
        assert not machine.asks_for_reboot(), f"the sentinel of {machine.name} is still there"
        assert machine.boots[-2].how == "reboot", f"{machine.name} went down by {machine.boots[-2].how}"
        lab.expect_turns(machine, 1)
    lab.judge({machine.name: 1 for machine in lab.machines})
