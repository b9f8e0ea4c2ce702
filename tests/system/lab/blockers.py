"""Owns the trial of something that holds up a drain.

On one node there are the pods that it keeps (`kept`), and those of an app that nobody holds (`other`): a drain that cannot be
finished must not take these again and again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from .app import NAMESPACE, App
from .disturbed import turns_that_took
from .machine import Machine
from .rollboot import QUICK, UNIT
from .scenario import Lab
from .waiting import holds_for, wait_until

_JOURNAL = "/var/lib/rollboot/journal.json"


def quick(timeout: str) -> str:
    """The configuration under test, with this time limit for a drain."""
    return QUICK.replace('timeout = "90s"', f'timeout = "{timeout}"')


def app_on(lab: Lab, node: Machine, name: str, replicas: int, **options: str) -> App:
    """An app whose pods begin on this node and may go to any."""
    others = [machine.name for machine in lab.machines if machine is not node]
    lab.plane.kubectl("cordon", *others)
    try:
        app = lab.app(name, replicas, **options)
    finally:
        lab.plane.kubectl("uncordon", *others)
    assert len(app.pods_on(node.name)) == replicas, f"{name} is not on {node.name}"
    return app


class Trial:
    """One node, what is kept there, and what is not."""

    def __init__(self, lab: Lab, kept: App, timeout: str = "15s") -> None:
        self.lab, self.kept = lab, kept
        self.node = lab.machines[0]
        self.other = lab.app("other", replicas=1, node=self.node.name)
        self.rollboot = lab.install(quick(timeout))[0]

    def fails(self, status: tuple[str, ...], event: tuple[str, ...]) -> str:
        """A turn says what holds it up, is undone, and leaves a line in the journal, and one Event, which name a pod and the reason.

        Returns what the status says then.
        """
        names, before = {pod["metadata"]["name"] for pod in self.kept.pods()}, self._events()
        if not self.node.asks_for_reboot():
            self.node.ask_for_reboot()
        self.lab.wait_holds(self.node)
        if status:
            wait_until(f"the status says {status}", lambda: all(each in self._reason() for each in status), 15)
        wait_until("the turn is undone", lambda: not self.lab.holds(self.node) and not self.lab.cordoned(self.node), 90)
        failed = self.rollboot.wait_phase("failed", timeout=20)
        assert failed["retry_at"] and all(each in failed["reason"] for each in status), failed
        (told,) = wait_until("there is an Event about it", lambda: self._events() - before, 20)
        assert all(each in told for each in event) and any(f"{NAMESPACE}/{name}: " in told for name in names), told
        undone = [entry.message for entry in self.rollboot.journal() if "the turn is being undone" in entry.message]
        assert all(each in undone[-1] for each in event), undone
        assert self.node.asks_for_reboot() and not self.lab.boots(self.node)
        return str(failed["reason"])

    def tries_again(self, timeout: str = "90s") -> None:
        """The next turn begins, as if the minutes of the back-off had passed, with this time limit for its drain."""
        self.settled()
        self.node.run("systemctl", "stop", UNIT)
        path = self.node.path(_JOURNAL)
        stored = json.loads(path.read_text())
        stored["journal"]["failed"]["retry_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        path.write_text(json.dumps(stored))
        self.rollboot.configure(quick(timeout))

    def settled(self) -> None:
        """Waits until all pods are back: one that is not there can not be taken."""
        self.other.wait_ready()

    def takes_only_what_is_kept(self) -> None:
        """In the turn that begins now the other app's pods stay where they are."""
        uids = self._others()
        wait_until("it is cordoned", lambda: self.lab.holds(self.node) and self.lab.cordoned(self.node), 60)
        holds_for("nothing else is disturbed", lambda: self._others() == uids and self.other.ready(), 6)
        assert self.lab.cordoned(self.node), "the turn is over already"

    def rolls(self, taken_in: set[int], turns: int = 2) -> None:
        """It reboots, in this turn; judged is in which turns the other app was disturbed although something was kept."""
        self.lab.wait_rolled(self.node, timeout=240)
        self.lab.expect_turns(self.node, turns)
        disturbed = turns_that_took(self.lab.history(), self.node.name, self.other.name, self.kept.name)
        assert disturbed == taken_in, f"the other app was disturbed in turns {disturbed}, not {taken_in}"
        self.lab.judge({self.node.name: 1})

    def _reason(self) -> str:
        return str(self.rollboot.status().get("reason"))

    def _others(self) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self.other.pods()}

    def _events(self) -> set[str]:
        """What the Events about the node say of drains that were held up."""
        events = json.loads(self.lab.plane.kubectl("get", "events", "-n", "default", "-o", "json"))["items"]
        return {
            event["message"] for event in events
            if event["reason"] == "DrainBlocked" and event["involvedObject"]["name"] == self.node.name
        }


def whenever(done: Callable[[], bool], act: Callable[[], None]) -> None:
    """What an operator in the cluster does all the time, until it is told to end."""
    while not done():
        act()
        time.sleep(0.5)
