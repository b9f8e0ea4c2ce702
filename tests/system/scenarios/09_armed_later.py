"""Without the lock's manifest every node observes and says so; when it is applied they
arm themselves and roll.
"""

from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def run(lab: Lab) -> None:
    """The sentinels are there first, the manifest comes later."""
    installed = lab.install(arm=False)
    for machine in lab.machines:
        machine.ask_for_reboot()
    for each in installed:
        wait_until("the status names the lock", lambda each=each: "lock" in str(each.wait_phase("waiting", "idle")).lower())
    holds_for("nothing happens", lambda: all(
        lab.boots(machine) == 0 and not lab.cordoned(machine) for machine in lab.machines
    ), 8, 0.5)
    lab.arm()
    lab.wait_rolled(*lab.machines, timeout=240)
    lab.judge({machine.name: 1 for machine in lab.machines})
