"""kube-controller-manager is dead while nodes want to reboot: its status still counts the pod
that the first of them evicted. That node keeps its turn, so the other one does not take the
last pod of the app; once the controllers run again, the roll goes on.
"""

from __future__ import annotations

from lab import invariants
from lab.app import NAMESPACE
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until


def run(lab: Lab) -> None:
    """An app with one pod on each of two nodes that both ask."""
    app = lab.app("web", 2)
    nodes = [machine for machine in lab.machines if app.pods_on(machine.name)]
    assert len(nodes) == 2, "its pods are on one node: nothing would be shown"
    installed = dict(zip([machine.name for machine in lab.machines], lab.install()))
    lab.guard()
    lab.plane.stop_part("controllers", kill=True)
    try:
        for node in nodes:
            node.ask_for_reboot()
        wait_until("one is first", lambda: len(lab.holders()) == 1)
        (name,) = lab.holders()
        first = next(node for node in nodes if node.name == name)
        first.wait_boots(len(first.boots) + 1, 120)
        says = "the controller has not seen yet what was evicted"
        wait_until("it says what it waits for", lambda: says in str(installed[name].status().get("reason")), 60)
        assert not lab.cordoned(first), "pods could not come back"
        holds_for("it keeps its turn", lambda: lab.holders() == {name}, 20, 0.5)
        assert sum(lab.boots(node) for node in nodes) == 1, "the other node went as well"
    finally:
        lab.plane.start_part("controllers")
    lab.wait_rolled(*nodes)
    app.wait_ready()
    gone = invariants.without_a_ready_pod(lab.history(), NAMESPACE, app.name)
    assert not gone, gone
    lab.judge({node.name: 1 for node in nodes})
