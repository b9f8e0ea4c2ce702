"""Owns the group `drain`: our drain and `kubectl drain`, on the same real API server with the same pods.

API server and etcd are real, both programs are, and so is every request of theirs.
A pod that was asked to end is gone two seconds later; no kubelet is there, and no
controller, so that the server serves nobody else meanwhile. Ours is a whole turn,
from the sentinel to the request to logind, less the quiet period.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from lab import prepare
from lab.waiting import wait_until

from plane.plane import Plane  # the plane's library, see lab/places.py

from .api import Api
from .bystander import Bystander
from .figures import MB, Values
from .keeper import Keeper
from .node import QUIET, Node, logind
from .workload import Workload

_DEPLOYMENTS, _PODS_EACH = 25, 10
_BLOCKED = 3
# How long a pod takes to end, and a budget to open.
_ENDING, _CLOSED = 2.0, 30.0
# One request for a blocked pod in so many seconds is what it may cost.
_TICK = 5.0
_PATIENCE = 180.0


@dataclass(frozen=True)
class _Bench:
    """What all parts are measured with."""

    plane: Plane
    api: Api
    folder: Path
    program: Path
    stand_in: Path

    def node(self, name: str) -> Node:
        return Node(self.plane, name, self.folder, self.program, self.stand_in)

    def release(self, node: str) -> None:
        """Takes the slot back that a daemon has left which was killed in its turn."""
        self.plane.kubectl("annotate", "configmap", "-n", "kube-system", "rollboot", f"{node}.rollboot.io/default-")

    def requests(self, agent: str, begin: float, end: float) -> list[dict[str, Any]]:
        """What this program asked between two times, each request once."""
        with self.plane.audit_log.open() as log:
            events = [json.loads(line) for line in log if line.endswith("\n")]
        return list({
            event["auditID"]: event for event in events
            if event.get("userAgent", "").startswith(agent) and begin <= _received(event) <= end
        }.values())


def measure(program: Path, manifests: Path, folder: Path) -> Values:
    """Starts a plane of its own, and ends it however this ends."""
    stand_in = logind()
    with _ended_gently():
        plane = Plane.create(folder / "plane", prepare.binaries())
        try:
            plane.start()
            plane.kubectl("apply", "-f", str(manifests / "lock.yaml"))
            plane.kubectl("apply", "-f", str(manifests / "guard.yaml"))
            bench = _Bench(plane, Api(plane), folder, program, stand_in)
            return _side_by_side(bench) | _budget(bench)
        finally:
            plane.stop()


def _side_by_side(bench: _Bench) -> Values:
    """The same pods twice, each on a node of its own; one drain after the other."""
    theirs, ours = (Workload(bench.api, name, _DEPLOYMENTS, _PODS_EACH) for name in ("theirs", "ours"))
    theirs.create()
    ours.create()
    with Bystander(bench.plane) as alone:
        time.sleep(10)
    with Keeper(bench.api, theirs.node, _ENDING), Bystander(bench.plane) as beside_kubectl:
        began = time.time()
        kubectl = _kubectl_drain(bench.plane, theirs.node)
        kubectl_wall = time.time() - began
    kubectl_requests = len(bench.requests("kubectl", began, began + kubectl_wall))
    node = bench.node(ours.node)
    with Keeper(bench.api, ours.node, _ENDING) as keeper, node, Bystander(bench.plane) as beside_ours:
        began = node.ask_for_reboot()
        asked = node.wait_asked(_PATIENCE)
        peak = node.peak_rss_mb()
        time.sleep(0.5)
    bench.release(ours.node)
    wall = asked - began - QUIET
    requests = bench.requests("rollboot", began, asked)
    _expect_evictions(requests, ours.pods)
    print("\n".join(_kinds(requests)))
    quiet = alone.p99_ms()
    during = beside_ours.p99_ms(began, keeper.last_gone)
    return {
        "drain.wall_s": round(wall, 2),
        "drain.kubectl_wall_s": round(kubectl_wall, 2),
        "drain.wall_ratio": round(wall / kubectl_wall, 3),
        "drain.requests": len(requests),
        "drain.kubectl_requests": kubectl_requests,
        "drain.peak_rss_mb": peak,
        "drain.kubectl_peak_rss_mb": round(kubectl.ru_maxrss * 1024 / MB, 1),
        "drain.bystander_p99_ms": round(during, 1),
        "drain.bystander_p99_ratio": round(during / quiet, 2),
        "drain.kubectl_bystander_p99_ratio": round(beside_kubectl.p99_ms() / quiet, 2),
    }


def _budget(bench: _Bench) -> Values:
    """A budget that blocks for a while: how soon its opening is used, and what the waiting costs."""
    name = "blocked"
    workload = Workload(bench.api, name, 1, _BLOCKED)
    workload.create()
    workload.budget()
    node = bench.node(name)
    with Keeper(bench.api, name, _ENDING), node:
        began = node.ask_for_reboot()
        wait_until("the budget stops the drain", lambda: _refused(bench, began), _PATIENCE, 0.1)
        first = min(_received(each) for each in _refused(bench, began))
        time.sleep(max(0.0, first + _CLOSED - time.time()))
        opened = time.time()
        workload.open_budget()
        ended = node.wait_asked(_PATIENCE) - QUIET
        time.sleep(0.5)
    bench.release(name)
    blocked = [each for each in _refused(bench, began) if _received(each) < opened]
    return {
        "drain.budget_s": round(ended - opened, 2),
        "drain.budget_requests": round(len(blocked) / _BLOCKED / (_CLOSED / _TICK), 2),
    }


def _refused(bench: _Bench, began: float) -> list[dict[str, Any]]:
    requests = bench.requests("rollboot", began, float("inf"))
    return [each for each in requests if _is_eviction(each) and each["responseStatus"]["code"] == 429]


def _expect_evictions(requests: list[dict[str, Any]], pods: int) -> None:
    """Every pod was evicted, once, or the figures are about something else."""
    evicted = [each for each in requests if _is_eviction(each) and each["responseStatus"]["code"] == 201]
    if len(evicted) != pods:
        raise RuntimeError(f"{len(evicted)} evictions were accepted, not {pods}")


def _is_eviction(request: dict[str, Any]) -> bool:
    return request["objectRef"].get("subresource") == "eviction"


def _kinds(requests: list[dict[str, Any]]) -> list[str]:
    """How many requests of each kind, for whoever wonders."""
    counts: dict[str, int] = {}
    for each in requests:
        about = each["objectRef"]
        kind = " ".join(filter(None, (each["verb"], about["resource"], about.get("subresource"))))
        counts[kind] = counts.get(kind, 0) + 1
    return [f"{count:5} {kind}" for kind, count in sorted(counts.items())]


def _kubectl_drain(plane: Plane, node: str) -> Any:
    """Drains the node as an operator does; returns what the process used."""
    log = plane.folder / "kubectl-drain.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [plane.binaries / "kubectl", f"--kubeconfig={plane.admin_kubeconfig}", f"--cache-dir={plane.folder / 'kubectl'}",
             "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={_PATIENCE:g}s"],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"kubectl drain: {log.read_text()[-1000:]}")
    return usage


@contextmanager
def _ended_gently() -> Iterator[None]:
    """SIGTERM ends what was started, like an interrupt from the terminal."""
    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _received(request: dict[str, Any]) -> float:
    return datetime.fromisoformat(request["requestReceivedTimestamp"]).timestamp()
