"""A reboot that was accepted and does not happen, or that leaves the sentinel as it was:
the same sentinel never asks again, and nothing is left behind.
"""

from lab.machine import Machine
from lab.rollboot import QUICK
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until

TIMEOUT = 500
_PERSISTENT = "/var/lib/lab-reboot-required"


def given_up_by_logind(lab: Lab) -> None:
    """logind accepts the reboot and cannot start it after the delay: it tells the kubelet, which
    is Ready again; undone, latched, no second try for the same sentinel; a new one goes on."""
    node = lab.machines[0]
    lab.app("slow", kind="DaemonSet", replicas=0, stop_delay="5s")
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_going_down(node)
    node.run("systemctl", "mask", "--runtime", "reboot.target")
    rollboot.wait_phase("latched", timeout=120)
    _latched(lab, node)
    node.run("systemctl", "unmask", "--runtime", "reboot.target")
    _a_new_sentinel_goes_on(lab, node)


def job_cancelled(lab: Lab) -> None:
    """An administrator cancels the shutdown's jobs and starts the services again: undone,
    latched, no second try for the same sentinel; a new one goes on."""
    node = lab.machines[0]
    rollboot = lab.install()[0]
    # Something slow to stop that all mounts are needed for: services end, and then there is time to cancel.
    node.write("/run/systemd/system/lab-brake.service", (
        "[Unit]\nRequiresMountsFor=/tmp /run/lock /var/lib/containerd /var/lib/kubelet /opt/lab/bin"
        " /opt/lab/images.tar /opt/lab/rollboot.deb\n"
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sleep 600\nTimeoutStopSec=infinity\n"
    ))
    node.run("systemctl", "daemon-reload")
    node.run("systemctl", "start", "lab-brake.service")
    node.ask_for_reboot()
    wait_until("PID 1 has the job", lambda: "lab-brake.service" in node.run("systemctl", "list-jobs"), 90)
    wait_until("the service has ended", lambda: not rollboot.active())
    node.run("systemctl", "cancel")
    node.run("systemctl", "kill", "--signal=KILL", "lab-brake.service")
    node.run("systemctl", "start", "multi-user.target")
    lab.cluster.wait_ready(node)
    # The process that asked is gone, and with it the connection that could tell: two minutes of clear answers are asked for.
    rollboot.wait_phase("latched", timeout=240)
    _latched(lab, node)
    _a_new_sentinel_goes_on(lab, node)


def persistent_sentinel(lab: Lab) -> None:
    """A sentinel that survives the reboot asks for no second one; a new one does."""
    node = lab.machines[0]
    lab.install(f'sentinels = ["{_PERSISTENT}"]\n' + QUICK)
    node.write(_PERSISTENT, "please\n")
    lab.wait_rolled(node)
    assert node.path(_PERSISTENT).exists(), "the sentinel did not survive, so this showed nothing"
    holds_for("it reboots no second time", lambda: lab.boots(node) == 1 and not lab.holds(node), 15, 0.5)
    lab.expect_turns(node, 1)
    node.path(_PERSISTENT).unlink()
    node.write(_PERSISTENT, "please, again\n")
    lab.wait_rolled(node, times=2)
    lab.expect_turns(node, 2)
    lab.judge({node.name: 2})


def _latched(lab: Lab, node: Machine) -> None:
    """Everything is taken back and stays so."""
    wait_until("the slot is free", lambda: not lab.holds(node))
    assert not lab.cordoned(node), "released before it was uncordoned"
    assert node.asks_for_reboot()
    holds_for("it does not try again", lambda: lab.boots(node) == 0 and not lab.holds(node), 15, 0.5)
    lab.expect_turns(node, 1)


def _a_new_sentinel_goes_on(lab: Lab, node: Machine) -> None:
    """Only another sentinel starts another turn."""
    node.run("rm", "/run/reboot-required")
    node.ask_for_reboot()
    lab.wait_rolled(node)
    lab.expect_turns(node, 2)
    # Between the two turns the kubelet was Ready again, so the release was in order.
    lab.judge({node.name: 1}, accidents=True)


CASES = {
    "given_up_by_logind": given_up_by_logind, "job_cancelled": job_cancelled,
    "persistent_sentinel": persistent_sentinel,
}
