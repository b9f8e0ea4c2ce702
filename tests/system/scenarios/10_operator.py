"""What an operator does by hand: looks before arming, calls a turn off, frees a slot."""

import json

from lab.machine import Machine
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until

from plane.plane import KubectlError  # the plane's library, see lab/places.py

_KUBECONFIG = "/root/operator.kubeconfig"
_POLICY = "/usr/share/rollboot/kubernetes/policy.yaml"
_COLLECTOR = "system:serviceaccount:kube-system:generic-garbage-collector"
# An owner that does not exist: the garbage collector deletes what belongs to it.
_GONE = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "11111111-1111-1111-1111-111111111111"}


def check(lab: Lab) -> None:
    """`rollboot check` misses lock.yaml, and after it is applied says that the node could reboot; it writes nothing."""
    lab.install(arm=False)
    node = lab.machines[0]
    report = json.loads(node.run("rollboot", "check", "--json", check=False))
    failed = [finding["check"] for finding in report["findings"] if finding["result"] == "fail"]
    assert not report["ready"] and failed == ["lock"], report
    lab.arm()
    wait_until("check finds nothing wrong", lambda: node.succeeds("rollboot", "check"), 20)
    findings = json.loads(node.run("rollboot", "check", "--json"))["findings"]
    found = {finding["check"]: finding for finding in findings}
    assert "delays a shutdown and wants 30 s" in found["graceful shutdown"]["found"], found["graceful shutdown"]
    assert "cordon its Node" in found["permissions"]["found"], found["permissions"]
    writes = [
        request["requestURI"] for request in lab.requests(node)
        if request["verb"] not in ("get", "list", "watch") and "dryRun=All" not in request["requestURI"]
    ]
    assert not writes, f"check wrote: {writes}"
    lab.judge()


def abort(lab: Lab) -> None:
    """`rollboot abort` mid-drain: undone, and the same sentinel is not tried again; a new one is."""
    node = lab.machines[0]
    app = lab.app(replicas=3, stop_delay="8s")
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_draining(node, app)
    node.run("rollboot", "abort", timeout=100)
    assert not lab.holds(node) and not lab.cordoned(node), "abort returned before all was given back"
    rollboot.wait_phase("latched")
    holds_for("the same sentinel stays latched", lambda: not lab.holds(node), 5)
    app.wait_ready()
    node.ask_for_reboot()
    lab.wait_rolled(node)
    lab.judge({node.name: 1})


def unlock_alive(lab: Lab) -> None:
    """`rollboot unlock` refuses a node that exists; with --force the holder notices and takes everything back."""
    node, other = lab.machines[0], lab.machines[1]
    app = lab.app(replicas=3)
    app.budget(max_unavailable=0)
    lab.install()
    _hand_over_kubeconfig(lab, other)
    node.ask_for_reboot()
    wait_until("it holds a slot and is cordoned", lambda: lab.holds(node) and lab.cordoned(node), 60)
    unlock = ["rollboot", "unlock", node.name, "--kubeconfig", _KUBECONFIG]
    assert not other.succeeds(*unlock), "a node that exists was unlocked without --force"
    assert lab.holds(node), "refused, and done all the same"
    other.run(*unlock, "--force", timeout=120)
    wait_until("the holder has taken its cordon back", lambda: not lab.cordoned(node), 60)
    lab.judge(accidents=True)


def unlock_gone(lab: Lab) -> None:
    """A holder that died and whose Node is deleted blocks the roll until an operator frees its slot; under policy.yaml nobody loses it otherwise."""
    lab.install()
    policy = lab.machines[0].run("cat", _POLICY)
    lab.plane.kubectl("apply", "-f", "-", stdin=policy)
    try:
        _unlock_gone(lab)
    finally:
        lab.plane.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=policy)


def _unlock_gone(lab: Lab) -> None:
    dead, other = lab.machines[0], lab.machines[1]
    app = lab.app(replicas=3)
    app.budget(max_unavailable=0)
    _hand_over_kubeconfig(lab, other)
    dead.ask_for_reboot()
    wait_until("it holds a slot and is cordoned", lambda: lab.holds(dead) and lab.cordoned(dead), 60)
    dead.cut_power(stay_off=True)
    lab.plane.kubectl("delete", "node", dead.name)
    app.budget(max_unavailable=1)
    other.ask_for_reboot()
    lock = lab.lock()["metadata"]["uid"]
    _owned_by(lab, [_GONE])
    holds_for("nobody goes while the slot is held", lambda: lab.holders() == {dead.name}, 8)
    wait_until("the garbage collector has tried to delete the lock", lambda: _refused_deletes(lab), 60)
    for away in (("delete", "configmap", "rollboot"), ("delete", "configmap", "-l", "app.kubernetes.io/name=rollboot")):
        assert not _may(lab, *away), f"kubectl {' '.join(away)} took the slot of a node that is down"
    _owned_by(lab, None)
    assert lab.lock()["metadata"]["uid"] == lock and lab.holders() == {dead.name}
    other.run("rollboot", "unlock", dead.name, "--kubeconfig", _KUBECONFIG, timeout=120)
    lab.wait_rolled(other)
    dead.power_on()
    lab.wait_settled(dead)
    lab.judge({other.name: 1, dead.name: 1}, accidents=True)


def _owned_by(lab: Lab, owners: list[dict[str, str]] | None) -> None:
    patch = json.dumps({"metadata": {"ownerReferences": owners}})
    lab.plane.kubectl("patch", "configmap", "rollboot", "-n", "kube-system", "--type=merge", f"--patch={patch}")


def _refused_deletes(lab: Lab) -> bool:
    return any(
        each["verb"] == "delete" and each["objectRef"].get("name") == "rollboot" and each["responseStatus"]["code"] == 403
        for each in lab.requests_of(_COLLECTOR)
    )


def _may(lab: Lab, *command: str) -> bool:
    try:
        lab.plane.kubectl("-n", "kube-system", *command)
    except KubectlError:
        return False
    return True


def _hand_over_kubeconfig(lab: Lab, machine: Machine) -> None:
    """The administrator's kubeconfig, as an operator would have it."""
    flat = lab.plane.kubectl("config", "view", "--raw", "--flatten")
    machine.write(_KUBECONFIG, flat)


CASES = {"check": check, "abort": abort, "unlock_alive": unlock_alive, "unlock_gone": unlock_gone}
