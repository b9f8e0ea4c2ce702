"""Owns what a scenario is given: a clean lab, and the words to use it with.

A scenario is a file with a docstring that says what must be true, and a
function `run(lab)` that makes it happen and checks it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from . import invariants
from .app import NAMESPACE, App
from .cluster import Cluster
from .history import History, parse
from .machine import Machine
from .rollboot import QUICK, Rollboot
from .shell import run
from .waiting import wait_until

from plane.plane import KubectlError, Plane  # the plane's library, see places.py

LOCK_MANIFEST = "/usr/share/rollboot/kubernetes/lock.yaml"
GUARD_MANIFEST = "/usr/share/rollboot/kubernetes/guard.yaml"


class Lab:
    """One scenario's view of the cluster: everything counts from its start."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.plane: Plane = cluster.plane
        self.machines: list[Machine] = cluster.machines
        self._start = self._revision() + 1
        self._boots = {machine.name: len(machine.boots) for machine in self.machines}
        self._audit_offset = self.plane.audit_log.stat().st_size

    # -- setting up ---------------------------------------------------------

    def rollboot(self, machine: Machine) -> Rollboot:
        """rollboot on that machine."""
        return Rollboot(machine)

    def install(self, config: str = QUICK, arm: bool = True) -> list[Rollboot]:
        """Installs rollboot on every machine and, unless told otherwise, arms it."""
        installed = [Rollboot(machine) for machine in self.machines]
        for each in installed:
            each.install(config)
        if arm:
            self.arm()
        return installed

    def arm(self) -> None:
        """Applies the lock's manifest from the installed package, as an operator does."""
        manifest = self.machines[0].run("cat", LOCK_MANIFEST)
        self.plane.kubectl("apply", "-f", "-", stdin=manifest)

    def guard(self) -> None:
        """Applies the manifest that lets nodes see who keeps their pods running."""
        manifest = self.machines[0].run("cat", GUARD_MANIFEST)
        self.plane.kubectl("apply", "-f", "-", stdin=manifest)

    def take_slot_by_hand(self, node: str) -> None:
        """Makes the lock look as if that node, which may not exist, were in its turn."""
        self.plane.kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", f"{node}.rollboot.io/default={{}}")

    def release_by_hand(self, node: str) -> None:
        """Takes that slot away."""
        self.plane.kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", f"{node}.rollboot.io/default-")

    def app(self, name: str = "web", replicas: int = 3, **options: Any) -> App:
        """Runs an application and waits until it is Ready."""
        return App(self.plane, name, replicas, **options).create()

    # -- looking ------------------------------------------------------------

    def node(self, machine: Machine) -> dict[str, Any]:
        """The Node object."""
        return self.cluster.node(machine)

    def cordoned(self, machine: Machine) -> bool:
        """Whether the Node is cordoned, by whomever."""
        return bool(self.node(machine)["spec"].get("unschedulable"))

    def marked(self, machine: Machine) -> bool:
        """Whether the Node bears rollboot's marker."""
        return "rollboot.io/turn" in self.node(machine)["metadata"].get("annotations", {})

    def lock(self) -> dict[str, Any]:
        """The lock object."""
        return json.loads(self.plane.kubectl("get", "configmap", "-n", "kube-system", "rollboot", "-o", "json"))

    def holders(self) -> set[str]:
        """Who holds a slot now, from the API server."""
        marks = self.lock()["metadata"].get("annotations", {})
        return {key.split(".rollboot.io/")[0] for key in marks if ".rollboot.io/" in key}

    def holds(self, machine: Machine) -> bool:
        """Whether that node holds a slot now."""
        return machine.name in self.holders()

    def boots(self, machine: Machine) -> int:
        """How many times the machine booted since the scenario began."""
        return len(machine.boots) - self._boots[machine.name]

    def history(self) -> History:
        """What etcd knows of the scenario so far."""
        return parse(self.history_text(), self._start)

    def history_text(self) -> str:
        """The same as lines of JSON, from the very first revision."""
        return run([str(self.plane.binaries / "lockhistory"), f"-endpoint={self.plane.etcd}", "-all"])

    def requests(self, machine: Machine) -> list[dict[str, Any]]:
        """What rollboot on that machine asked the API server since the scenario began.

        It uses the kubelet's credential, so the user agent tells the two apart.
        """
        return [
            event for event in self.requests_of(f"system:node:{machine.name}")
            if event.get("userAgent", "").startswith("rollboot")
        ]

    def requests_of(self, user: str) -> list[dict[str, Any]]:
        """What a user asked the API server since the scenario began, from its audit log."""
        with self.plane.audit_log.open() as log:
            log.seek(self._audit_offset)
            events = [json.loads(line) for line in log if line.endswith("\n")]
        return [event for event in events if event["user"]["username"] == user]

    # -- waiting ------------------------------------------------------------

    def wait_rolled(self, *machines: Machine, times: int = 1, timeout: float = 180.0) -> None:
        """Waits until each has booted so often, is Ready, uncordoned and holds nothing."""
        for machine in machines:
            machine.wait_boots(self._boots[machine.name] + times, timeout)
        for machine in machines:
            self.wait_settled(machine, timeout)

    def wait_settled(self, machine: Machine, timeout: float = 90.0) -> None:
        """Waits until a node is Ready, uncordoned, unmarked and holds nothing."""
        def settled() -> bool:
            return (
                self.cluster.ready(machine) and not self.cordoned(machine) and not self.marked(machine)
                and not self.holds(machine)
            )
        wait_until(f"{machine.name} has finished its turn", settled, timeout)

    def wait_holds(self, machine: Machine, timeout: float = 60.0) -> None:
        """Waits until a node holds a slot."""
        wait_until(f"{machine.name} holds a slot", lambda: self.holds(machine), timeout)

    def wait_draining(self, machine: Machine, app: App, timeout: float = 60.0) -> None:
        """Waits until a pod of the app on that node is being ended."""
        wait_until(f"{machine.name} drains", lambda: app.terminating_on(machine.name), timeout, 0.05)

    def wait_going_down(self, machine: Machine, timeout: float = 60.0) -> None:
        """Waits until the kubelet says that its host shuts down."""
        def going_down() -> bool:
            conditions = self.node(machine)["status"]["conditions"]
            return any(each["type"] == "Ready" and each["status"] != "True" for each in conditions)
        wait_until(f"{machine.name} goes down", going_down, timeout, 0.05)

    def wait_drained(self, machine: Machine, app: App, timeout: float = 60.0) -> None:
        """Waits until the node is cordoned and has no pod of the app any more."""
        wait_until(
            f"{machine.name} is drained", lambda: self.cordoned(machine) and not app.pods_on(machine.name), timeout, 0.05,
        )

    # -- judging ------------------------------------------------------------

    def judge(
        self, reboots: dict[str, int] | None = None, limit: int = 1, cordoned: Collection[str] = (),
        spared: Collection[str] = (), accidents: bool = False,
    ) -> None:
        """Fails with everything that etcd and the machines' boots say is wrong.

        `reboots` says how often each machine was to boot (none: never); `cordoned`
        names nodes that somebody else cordoned, `spared` pods that may stay, and
        `accidents` tells that nodes went down by other means too.
        """
        expected = {machine.name: 0 for machine in self.machines} | (reboots or {})
        history = self.history()
        boots = {machine.name: self.boots(machine) for machine in self.machines}
        violations = invariants.wrong_reboots(history, boots, expected)
        violations += invariants.promises_broken(history, limit, cordoned, spared, accidents)
        violations += invariants.left_behind(history, cordoned)
        if violations:
            raise AssertionError("\n".join(violations))

    def expect_turns(self, machine: Machine, count: int) -> None:
        """Fails unless the node took a slot so often: a turn that goes on keeps its slot."""
        turns = self.history().turns(machine.name)
        if turns != count:
            raise AssertionError(f"{machine.name} took a slot {turns} times, not {count}")

    # -- cleaning up --------------------------------------------------------

    def reset(self) -> None:
        """Takes everything back that a scenario may have left; raises if it cannot."""
        self.plane.start_api()
        for machine in self.machines:
            machine.boot_delay = 0.0
            machine.power_on()
        for machine in self.machines:
            self.cluster.wait_ready(machine)
            Rollboot(machine).purge()
        self.plane.kubectl("delete", "configmap", "-n", "kube-system", "rollboot", "--ignore-not-found")
        self.plane.kubectl("delete", "clusterrole,clusterrolebinding", "rollboot-guard", "--ignore-not-found")
        self.plane.kubectl(
            "delete", "role,rolebinding", "-n", "kube-system", "rollboot", "--ignore-not-found",
        )
        self.plane.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
        for machine in self.machines:
            self.plane.kubectl("uncordon", machine.name)
            stale = ["rollboot.io/turn", "rollboot.io/hold", *sorted(invariants.HANDS_OFF)]
            self.plane.kubectl("annotate", "node", machine.name, *(f"{key}-" for key in stale))
        for machine in self.machines:
            # A taint that lingers would put the next scenario's pods elsewhere.
            wait_until(f"{machine.name} has no taint", lambda m=machine: not self.node(m)["spec"].get("taints"))
        self._fresh_namespace()

    def _fresh_namespace(self) -> None:
        """The app's namespace, empty: pods of the last scenario are ended at once."""
        def gone() -> bool:
            self.plane.kubectl(
                "delete", "pods", "-n", NAMESPACE, "--all", "--force", "--grace-period=0", "--ignore-not-found",
            )
            return not self.plane.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found").strip()

        wait_until("the last scenario's namespace is gone", gone, 60.0, 0.2)
        self.plane.kubectl("create", "namespace", NAMESPACE)
        wait_until("its service account is there", lambda: self._has_account(), 30.0)

    def _has_account(self) -> bool:
        try:
            self.plane.kubectl("get", "serviceaccount", "-n", NAMESPACE, "default")
        except KubectlError:
            return False
        return True

    def _revision(self) -> int:
        """The revision that is current now."""
        nodes = json.loads(self.plane.kubectl("get", "--raw", "/api/v1/nodes?limit=1"))
        return int(nodes["metadata"]["resourceVersion"])
