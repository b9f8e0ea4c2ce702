"""A node that is not Ready before its turn takes no slot and says why; the others get their turn, and it once it is Ready."""

from lab import invariants
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def run(lab: Lab) -> None:
    """Its kubelet is stopped before anybody asks for a reboot."""
    node, *others = lab.machines
    rollboot = lab.install()[0]
    node.run("systemctl", "stop", "kubelet.service")
    lab.wait_going_down(node, timeout=120)
    node.ask_for_reboot()
    wait_until("it says that its Node is not Ready", lambda: _says(rollboot.status()), 60)
    holds_for("it takes no slot", lambda: not lab.holders() and lab.boots(node) == 0, 10, 0.5)
    for other in others:
        other.ask_for_reboot()
    lab.wait_rolled(*others)
    assert _says(rollboot.status()) and not lab.cluster.ready(node), rollboot.status()
    assert not lab.cordoned(node) and lab.boots(node) == 0
    lab.expect_turns(node, 0)
    node.run("systemctl", "start", "kubelet.service")
    lab.wait_rolled(node)
    lab.expect_turns(node, 1)
    outside = invariants.rebooted_outside_a_turn(lab.history())
    assert not outside, outside
    lab.judge({machine.name: 1 for machine in lab.machines}, accidents=True)


def _says(status: dict) -> bool:
    """Whether the status tells that the Node is not Ready, and what there is to do."""
    gates = [blocked for blocked in status.get("blocked_by", []) if blocked["gate"] == "node"]
    text = " ".join(f"{blocked['what']}: {blocked['detail']}" for blocked in gates)
    return status["phase"] == "waiting" and "not Ready" in text and "reboot it by hand" in text
