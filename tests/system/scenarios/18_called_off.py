"""A reboot that is called off after the kubelet has heard of it, for logind dies while the kubelet still ends its
pods: the Node stays not Ready, so its turn is not given on, and nobody else begins one, until it is Ready again.
"""

from lab import invariants
from lab.machine import Machine
from lab.rollboot import Rollboot
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until

# Three minutes for a daemon that was restarted meanwhile: it must be certain that nothing goes down any more.
TIMEOUT = 600


def kubelet_restarted(lab: Lab) -> None:
    """On systemd 252: a restart of the daemon helps nothing, one of the kubelet does; the same sentinel asks no more."""
    node, other, rollboot = _called_off(lab, 0)
    node.run("systemctl", "restart", "rollboot.service", timeout=120)
    _keeps(lab, rollboot, other)
    assert "restart kubelet" in _abort(node), "abort does not say what helps"
    assert lab.holds(node) and lab.cordoned(node), "abort gave up what must be kept"
    node.run("systemctl", "restart", "kubelet.service")
    lab.wait_settled(node)
    rollboot.wait_phase("latched")
    lab.wait_rolled(other)
    assert node.asks_for_reboot(), "the sentinel is gone, and the node has not rebooted"
    holds_for("it does not try again", lambda: lab.boots(node) == 0 and not lab.holds(node), 10, 0.5)
    _judge(lab, {other.name: 1}, node)


def rebooted_by_hand(lab: Lab) -> None:
    """On systemd 257; what helps is the reboot that was called off, made by hand."""
    node, other, _ = _called_off(lab, 2)
    node.run("systemctl", "--no-block", "reboot")
    lab.wait_rolled(node)
    lab.wait_rolled(other)
    _judge(lab, {node.name: 1, other.name: 1}, node)


def somebody_elses(lab: Lab) -> None:
    """The reboot is an operator's, in the middle of a drain, and the turn is to be undone: it is not, until the kubelet is restarted."""
    node, other = lab.machines[0], lab.machines[1]
    lab.app("slow", kind="DaemonSet", replicas=0, stop_delay="25s")
    app = lab.app(replicas=3, stop_delay="20s")
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_draining(node, app)
    node.run("systemctl", "--no-block", "reboot")
    lab.wait_going_down(node)
    node.run("systemctl", "kill", "--signal=KILL", "systemd-logind.service")
    lab.plane.kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", "rollboot.io/pause=not today")
    _keeps(lab, rollboot, other)
    node.run("systemctl", "restart", "kubelet.service")
    lab.wait_settled(node)
    assert not lab.boots(node) and node.asks_for_reboot()
    lab.plane.kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", "rollboot.io/pause-")
    lab.wait_rolled(node)
    lab.expect_turns(node, 2)
    lab.judge({node.name: 1}, accidents=True)


def _called_off(lab: Lab, number: int) -> tuple[Machine, Machine, Rollboot]:
    """The node, which goes down and does not; another that wants to reboot too; and rollboot on the first."""
    node, other = lab.machines[number], lab.machines[1]
    # The kubelet gives a pod 20 of its 30 seconds: for so long it delays the shutdown.
    lab.app("slow", kind="DaemonSet", replicas=0, stop_delay="25s")
    rollboot = lab.install()[number]
    node.ask_for_reboot()
    lab.wait_going_down(node)
    node.run("systemctl", "kill", "--signal=KILL", "systemd-logind.service")
    other.ask_for_reboot()
    wait_until("logind knows of no shutdown any more", lambda: "false" in node.run(
        "busctl", "get-property", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
        "PreparingForShutdown",
    ), 30)
    _keeps(lab, rollboot, other)
    return node, other, rollboot


def _keeps(lab: Lab, rollboot: Rollboot, other: Machine) -> None:
    """It says why it keeps its turn, and does; the other one stays as it is."""
    node = rollboot.machine

    def says() -> bool:
        reason = str(rollboot.status().get("reason"))
        return all(words in reason for words in ("called off", "not Ready", "restart kubelet", "reboot by hand"))

    def kept() -> bool:
        return lab.holders() == {node.name} and lab.cordoned(node) and not lab.boots(node) and not lab.boots(other)

    wait_until("it says that the reboot was called off", says, 240)
    holds_for("it keeps slot and cordon", kept, 30, 0.5)
    assert not lab.cluster.ready(node), "the kubelet got over it by itself, so this showed nothing"
    assert says(), rollboot.status()


def _abort(node: Machine) -> str:
    """What `rollboot abort` says."""
    return node.run("sh", "-c", "rollboot abort 2>&1", timeout=200, check=False)


def _judge(lab: Lab, reboots: dict[str, int], node: Machine) -> None:
    lab.expect_turns(node, 1)
    together = invariants.two_down_at_once(lab.history())
    assert not together, together
    lab.judge(reboots, accidents=True)


CASES = {"kubelet_restarted": kubelet_restarted, "rebooted_by_hand": rebooted_by_hand, "somebody_elses": somebody_elses}
