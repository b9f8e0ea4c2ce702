"""A host whose start has not finished, for a oneshot of its provisioning still runs, takes no slot and
says what is at work; once that is done it takes its turn. The holder that it is after the reboot is not asked.
"""

from lab.machine import Machine
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until

# As cloud-final.service is: a part of the boot that may take long.
_NAME = "cloud-final.service"
_PATH = f"/etc/systemd/system/{_NAME}"
_DONE = "/var/lib/lab-provisioned"
_UNIT = f"""[Unit]
Description=the rest of the provisioning
[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'until test -e {_DONE}; do sleep 1; done'
[Install]
WantedBy=multi-user.target
"""


def _case(number: int, systemd: str) -> object:
    def run(lab: Lab) -> None:
        node: Machine = lab.machines[number]
        rollboot = lab.install()[number]
        node.write(_PATH, _UNIT)
        node.run("systemctl", "daemon-reload")
        node.run("systemctl", "enable", _NAME)
        node.run("systemctl", "reboot", check=False)
        wait_until("an operator's reboot", lambda: lab.boots(node) == 1, 90)
        wait_until("the host is starting", lambda: _state(node) == "starting", 60)
        lab.cluster.wait_ready(node)
        node.ask_for_reboot()
        wait_until("the status names what runs", lambda: _NAME in str(rollboot.status()), 60)
        assert _NAME in node.run("rollboot", "check", check=False)
        holds_for("it takes no slot", lambda: not lab.holds(node) and lab.boots(node) == 1, 30)
        assert _state(node) == "starting", "the start is over, so this showed nothing"
        node.write(_DONE, "")
        lab.wait_rolled(node, times=2)
        node.run("systemctl", "disable", _NAME)
        node.run("rm", _PATH, _DONE)
        lab.expect_turns(node, 1)
        lab.judge({node.name: 2}, accidents=True)

    run.__doc__ = f"A oneshot of the boot still runs, on {systemd}: no turn until it is done."
    return run


def _state(node: Machine) -> str:
    if not node.running():
        return ""
    return node.run("systemctl", "is-system-running", check=False).strip()


CASES = {"bookworm": _case(0, "systemd 252"), "trixie": _case(2, "systemd 257")}
