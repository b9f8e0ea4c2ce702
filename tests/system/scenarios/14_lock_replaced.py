"""A lock whose slots were wiped while a node is in its turn is not a free one: nobody begins a turn until an operator accepts it."""

from lab import invariants
from lab.scenario import LOCK_MANIFEST, Lab
from lab.waiting import holds_for, wait_until

_KUBECONFIG = "/root/operator.kubeconfig"


def run(lab: Lab) -> None:
    """`kubectl replace -f lock.yaml` while one node is down and the others wait for its turn to end."""
    down, *others = lab.machines
    installed = lab.install()
    manifest = down.run("cat", LOCK_MANIFEST)
    down.stay_off_after_reboot()
    down.ask_for_reboot()
    lab.wait_holds(down)
    for other in others:
        other.ask_for_reboot()
    for each in installed[1:]:
        wait_until(f"{each.machine.name} waits for the slot", lambda e=each: down.name in _gate(e.status(), "lock"))
    down.wait_down(120)
    lab.plane.kubectl("replace", "-f", "-", stdin=manifest)
    assert not lab.holders(), "the slots were not wiped, so this scenario tests nothing"
    for each in installed[1:]:
        wait_until(f"{each.machine.name} sees that it is not the same lock", lambda e=each: _gate(e.status(), "lock-recreated"))
    holds_for("nobody takes a slot", lambda: not lab.holders() and not any(map(lab.boots, others)), 15, 0.2)
    down.power_on()
    lab.wait_settled(down)
    holds_for("nobody takes a slot", lambda: not lab.holders() and not any(map(lab.boots, others)), 5, 0.2)
    flat = lab.plane.kubectl("config", "view", "--raw", "--flatten")
    others[0].write(_KUBECONFIG, flat)
    others[0].run("rollboot", "resume", "--kubeconfig", _KUBECONFIG)
    lab.wait_rolled(*others)
    # What was done by hand looks like a release by the node that is down, so the promises are not judged here.
    once = {machine.name: 1 for machine in lab.machines}
    boots = {machine.name: lab.boots(machine) for machine in lab.machines}
    violations = invariants.wrong_reboots(lab.history(), boots, once) + invariants.left_behind(lab.history(), ())
    assert not violations, "\n".join(violations)


def _gate(status: dict, gate: str) -> str:
    """What the status says of a closed gate; nothing if that gate is not what it waits for."""
    return " ".join(f"{blocked['what']} {blocked['detail']}" for blocked in status.get("blocked_by", []) if blocked["gate"] == gate)
