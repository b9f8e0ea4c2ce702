"""The lab is sound: pods run and move, reboots through logind and power cuts are
seen, and the judges agree with what was done by hand.

Nothing of rollboot takes part. It is the test of the tests.
"""

from lab.scenario import Lab
from lab.waiting import wait_until


def run(lab: Lab) -> None:
    """One turn by hand: lock, cordon, drain, reboot, uncordon, release."""
    kubectl = lab.plane.kubectl
    node = lab.machines[0]
    app = lab.app(replicas=3)
    kubectl("create", "configmap", "-n", "kube-system", "rollboot")
    slot = f"{node.name}.rollboot.io/default"
    kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", f"{slot}={{}}")
    assert lab.holders() == {node.name}
    node.ask_for_reboot()
    kubectl("drain", node.name, "--ignore-daemonsets", timeout=60)
    assert lab.cordoned(node)
    node.run("systemctl", "reboot")
    node.wait_boots(len(node.boots) + 1)
    lab.cluster.wait_ready(node)
    assert not node.asks_for_reboot(), "the sentinel survived the reboot"
    assert node.boots[-2].how == "reboot"
    kubectl("uncordon", node.name)
    kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", f"{slot}-")
    app.wait_ready()
    lab.judge({node.name: 1})

    # And now as it must not be: a power cut of an undrained node without a slot.
    victim = next(machine for machine in lab.machines if app.pods_on(machine.name))
    before = lab.boots(victim)
    victim.cut_power()
    wait_until("it boots again", lambda: lab.boots(victim) == before + 1)
    lab.cluster.wait_ready(victim)
    try:
        lab.judge({node.name: 1})
    except AssertionError as error:
        complaint = str(error)
    else:
        raise AssertionError("the judges saw nothing wrong")
    for words in ("booted", "holds no slot", "without being cordoned", "goes down with app/web"):
        assert words in complaint, f"not said: {words}\n{complaint}"
    entries = victim.journal()
    assert {boot.boot_id.replace("-", "") for boot in victim.boots} <= {entry.boot_id for entry in entries}
