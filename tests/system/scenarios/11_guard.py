"""The last ready pod of an app stays until another is ready elsewhere, without any budget:
also when all pods sit on the node that drains, and when two nodes are in a turn at once.
"""

from __future__ import annotations

import threading
from typing import Any

from lab.app import App
from lab.machine import Machine
from lab.scenario import Lab
from lab.waiting import wait_until


class Watch:
    """Counts the ready pods of apps, and the holders of slots, again and again from another thread."""

    def __init__(self, lab: Lab, *apps: App) -> None:
        self.least = {app.name: app.replicas for app in apps}
        self.most_holders = 0
        self.samples = 0
        self._lab = lab
        self._apps = apps
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def judge(self) -> None:
        """Fails if an app was ever seen without a ready pod."""
        # A loaded machine looks less often; without looks nothing would be shown.
        assert self.samples > 10, f"only {self.samples} looks"
        gone = [name for name, least in self.least.items() if least == 0]
        assert not gone, f"nothing was ready of {gone}"

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                counts = {app.name: sum(_serves(pod) for pod in app.pods()) for app in self._apps}
                holders = len(self._lab.holders())
            except (RuntimeError, OSError, ValueError):
                continue
            self.samples += 1
            self.most_holders = max(self.most_holders, holders)
            for name, count in counts.items():
                self.least[name] = min(self.least[name], count)


def all_pods_here(lab: Lab) -> None:
    """All three pods of an app on the node that drains: one serves at every moment."""
    node = lab.machines[0]
    app = _app_on(lab, "web", 3, node)
    lab.install()
    lab.guard()
    with Watch(lab, app) as watch:
        node.ask_for_reboot()
        lab.wait_rolled(node)
        app.wait_ready()
    watch.judge()
    lab.judge({node.name: 1})


def two_turns_at_once(lab: Lab) -> None:
    """The same on two nodes that are in a turn at once."""
    first, second = lab.machines[:2]
    apps = [_app_on(lab, "one", 3, first), _app_on(lab, "two", 3, second)]
    _roll_two(lab, apps)


def two_pods_on_two_holders(lab: Lab) -> None:
    """Each of two nodes that are in a turn at once has one of the two pods of an app: neither relies on the other's."""
    _roll_two(lab, [_app_on(lab, "web", 2, *lab.machines[:2])])


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
    lab.install()
    lab.guard()
    limits = '{"data":{"max.default":"2","max.total":"2"}}'
    lab.plane.kubectl("patch", "configmap", "-n", "kube-system", "rollboot", "--type", "merge", "-p", limits)
    with Watch(lab, *apps) as watch:
        for node in nodes:
            node.ask_for_reboot()
        lab.wait_rolled(*nodes)
        for app in apps:
            app.wait_ready()
    watch.judge()
    assert watch.most_holders == 2, "the two turns never met"
    lab.judge({node.name: 1 for node in nodes}, limit=2)


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


def _serves(pod: dict[str, Any]) -> bool:
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
    return ready and "deletionTimestamp" not in pod["metadata"]


CASES = {
    "all_pods_here": all_pods_here,
    "two_turns_at_once": two_turns_at_once,
    "two_pods_on_two_holders": two_pods_on_two_holders,
    "without_permission": without_permission,
}
