"""The last ready pod of an app stays until another is ready elsewhere, without any budget:
also when all pods sit on the node that drains, and when two nodes are in a turn at once, whose drains go one after the other.
"""

from __future__ import annotations

from lab import invariants
from lab.app import NAMESPACE, App
from lab.machine import Machine
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def all_pods_here(lab: Lab) -> None:
    """All three pods of an app on the node that drains: one serves at every moment."""
    node = lab.machines[0]
    app = _app_on(lab, "web", 3, node)
    lab.install()
    lab.guard()
    node.ask_for_reboot()
    lab.wait_rolled(node)
    app.wait_ready()
    _judge(lab, app)
    lab.judge({node.name: 1})


def two_turns_at_once(lab: Lab) -> None:
    """The same on two nodes that are in a turn at once."""
    first, second = lab.machines[:2]
    apps = [_app_on(lab, "one", 3, first), _app_on(lab, "two", 3, second)]
    _roll_two(lab, apps)


def two_pods_on_two_holders(lab: Lab) -> None:
    """Each of two nodes that are in a turn at once has one of the two pods of an app: neither relies on the other's."""
    _roll_two(lab, [_app_on(lab, "web", 2, *lab.machines[:2])])


def waits_for_anothers_drain(lab: Lab) -> None:
    """Two turns may run, and one node drains: another that wants to takes neither a slot nor a cordon until that drain is over."""
    first, second = lab.machines[:2]
    held = lab.app("held", replicas=1, node=first.name)
    held.budget(max_unavailable=0)
    lab.install()
    lab.guard()
    _allow_two_turns(lab)
    first.ask_for_reboot()
    lab.wait_holds(first)
    wait_until("it is cordoned", lambda: lab.cordoned(first))
    second.ask_for_reboot()
    what = f"the drain of {first.name}"
    wait_until("it says so", lambda: what in str(lab.rollboot(second).status().get("blocked_by")))
    holds_for("it holds nothing", lambda: not lab.holds(second) and not lab.cordoned(second), 10)
    held.budget(max_unavailable=1)
    lab.wait_rolled(first, second)
    held.wait_ready()
    lab.judge({first.name: 1, second.name: 1}, limit=2)


def without_permission(lab: Lab) -> None:
    """Without guard.yaml a node drains as ever, and says what is not guarded."""
    node = lab.machines[0]
    app = _app_on(lab, "web", 2, node)
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    wait_until("it says so", lambda: "ReplicaSets" in str(rollboot.status().get("not_guarded")))
    lab.wait_rolled(node)
    app.wait_ready()
    lab.judge({node.name: 1})


def _roll_two(lab: Lab, apps: list[App]) -> None:
    nodes = lab.machines[:2]
    installed = lab.install()
    lab.guard()
    _allow_two_turns(lab)
    # One that was refused before the lock was armed looks again later: the other's turn could be over by then.
    for each in installed:
        wait_until(f"{each.machine.name} has seen the lock", lambda e=each: e.status().get("lock"))
    for node in nodes:
        node.ask_for_reboot()
    lab.wait_rolled(*nodes)
    for app in apps:
        app.wait_ready()
    _judge(lab, *apps)
    assert invariants.most_holders(lab.history()) == 2, "the two turns never met"
    lab.judge({node.name: 1 for node in nodes}, limit=2)


def _allow_two_turns(lab: Lab) -> None:
    limits = '{"data":{"max.default":"2","max.total":"2"}}'
    lab.plane.kubectl("patch", "configmap", "-n", "kube-system", "rollboot", "--type", "merge", "-p", limits)


def _app_on(lab: Lab, name: str, replicas: int, *nodes: Machine) -> App:
    """An app whose pods begin on these nodes and may go to any."""
    others = [machine.name for machine in lab.machines if machine not in nodes]
    for other in others:
        lab.plane.kubectl("cordon", other)
    try:
        app = lab.app(name, replicas)
    finally:
        for other in others:
            lab.plane.kubectl("uncordon", other)
    on = {pod["spec"]["nodeName"] for pod in app.pods()}
    assert on == {node.name for node in nodes}, f"{name} is on {on}"
    return app


def _judge(lab: Lab, *apps: App) -> None:
    """Fails if an app had no ready pod in any revision of any pod that etcd keeps."""
    history = lab.history()
    gone = [each for app in apps for each in invariants.without_a_ready_pod(history, NAMESPACE, app.name)]
    assert not gone, gone


CASES = {
    "all_pods_here": all_pods_here,
    "two_turns_at_once": two_turns_at_once,
    "two_pods_on_two_holders": two_pods_on_two_holders,
    "waits_for_anothers_drain": waits_for_anothers_drain,
    "without_permission": without_permission,
}
