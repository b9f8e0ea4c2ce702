"""A DaemonSet whose pod does not run again after the reboot: where that counts, the node is uncordoned and keeps its slot,
says who is missing, and nobody else reboots until the pod is Ready.
"""

from lab.app import App
from lab.history import LockAt
from lab.machine import Machine
from lab.rollboot import QUICK
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until

TIMEOUT = 420
# Each boot loses it, and without it the kubelet starts no container: as with what a storage driver needs on its host.
_FOLDER = "/run/lab-driver"


def waited_for(lab: Lab) -> None:
    """With recovery.pods = "all" the turn ends when the pod is Ready again."""
    node, other, driver = _rebooted(lab, '[recovery]\npods = "all"\n')
    rollboot = lab.rollboot(node)
    wait_until("the status says who is missing", lambda: f"DaemonSet app/{driver.name}" in rollboot.status().get("reason", ""))

    def kept() -> bool:
        return lab.holders() == {node.name} and not lab.cordoned(node) and not lab.boots(other)

    holds_for("it keeps its slot, and is uncordoned", kept, 25, 0.5)
    assert not driver.ready(), "the pod has come back by itself, so this showed nothing"
    assert f"rollboot unlock {node.name} --force" in str(rollboot.status()), "the status does not say what there is to do"
    node.run("mkdir", "-p", _FOLDER)
    # The kubelet may take two minutes to its next look at the folder.
    lab.wait_rolled(node, other, timeout=240)
    assert not _released_without(lab, node, driver), "the slot was given up before the pod was Ready"
    lab.judge({node.name: 1, other.name: 1})


def of_no_account(lab: Lab) -> None:
    """As it is shipped, a DaemonSet that is not critical to the system is not waited for."""
    node, other, driver = _rebooted(lab, "")
    lab.wait_rolled(node, other)
    assert not driver.ready(), "the pod has come back by itself, so this showed nothing"
    assert _released_without(lab, node, driver), "the judge of the other case sees nothing"
    lab.judge({node.name: 1, other.name: 1})


def _rebooted(lab: Lab, recovery: str) -> tuple[Machine, Machine, App]:
    """A node that is back without what its DaemonSet needs, another one that waits for the slot, and the DaemonSet."""
    node, other = lab.machines[0], lab.machines[1]
    node.run("mkdir", "-p", _FOLDER)
    driver = lab.app("driver", replicas=0, kind="DaemonSet", node=node.name, host_folder=_FOLDER)
    lab.install(QUICK + recovery)
    node.ask_for_reboot()
    lab.wait_holds(node)
    other.ask_for_reboot()
    wait_until(f"{node.name} has rebooted", lambda: lab.boots(node) == 1, 120)
    lab.cluster.wait_ready(node)
    return node, other, driver


def _released_without(lab: Lab, node: Machine, driver: App) -> list[int]:
    """The revisions in which the node gave up its slot while the pod was not Ready."""
    found = []
    for world, record in lab.history().steps():
        if isinstance(record, LockAt) and node.name in world.lock.holders - record.holders:
            pods = [pod for pod in world.pods.values() if pod.node == node.name and pod.name.startswith(f"{driver.name}-")]
            if not any(pod.ready and not pod.terminating for pod in pods):
                found.append(record.revision)
    return found


CASES = {"waited_for": waited_for, "of_no_account": of_no_account}
