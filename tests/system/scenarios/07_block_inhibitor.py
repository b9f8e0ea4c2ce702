"""Somebody holds a block inhibitor: no slot is taken and the status names who it is;
when it is given up the node takes its turn.
"""

from lab.machine import Machine
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def _case(number: int, systemd: str) -> object:
    def run(lab: Lab) -> None:
        node: Machine = lab.machines[number]
        rollboot = lab.install()[number]
        node.run(
            "systemd-run", "--unit=backup", "systemd-inhibit", "--what=shutdown", "--mode=block", "--who=nightly-backup",
            "--why=a backup is running", "sleep", "infinity",
        )
        wait_until("the inhibitor is held", lambda: "nightly-backup" in node.run("systemd-inhibit", "--list"))
        node.ask_for_reboot()
        wait_until("the status names the holder", lambda: "nightly-backup" in str(rollboot.wait_phase("waiting")))
        holds_for("it takes no slot", lambda: not lab.holds(node) and lab.boots(node) == 0, 5)
        lab.expect_turns(node, 0)
        node.run("systemctl", "stop", "backup.service")
        lab.wait_rolled(node)
        lab.judge({node.name: 1})

    run.__doc__ = f"A block inhibitor on {systemd}: no slot is taken, the status names who holds it."
    return run


CASES = {"bookworm": _case(0, "systemd 252"), "trixie": _case(2, "systemd 257")}
