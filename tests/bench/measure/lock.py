"""Owns the group `lock`: from open gates to the compare-and-swap at the server.

One machine takes slot after slot on the real API server. A pod that its budget
protects keeps every turn from getting as far as the reboot, and removing the
sentinel ends the turn without a back-off.

The times are the API server's own, with microseconds, from its audit log. What
counts as ours is everything from the arrival of the attempt's first read (the
own Node) to the arrival of the write that takes the slot, less the time that
the server itself needed for the reads in between: parsing, deciding, the turn
journal with its fsync, and also the way of the messages between the two. What
is before the first read (the 0.2 s in which hints of inotify are gathered,
logind's gates, a connection that is not up yet) is in `lock.sentinel_to_cas_ms`,
which begins with the writing of the sentinel.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lab.machine import SENTINEL, Machine
from lab.rollboot import Rollboot
from lab.scenario import Lab
from lab.waiting import wait_until

from . import armed
from .figures import Values
from .process import Process

_TURNS = 15
_CONFIG = """settle = "0s"
[drain]
timeout = "10min"
"""


@dataclass(frozen=True)
class _Attempt:
    """One attempt, in milliseconds."""

    ours: float
    server: float
    whole: float


def measure(lab: Lab) -> Values:
    """Takes the slot and gives it back, many times, on the first machine."""
    machine = lab.machines[0]
    lab.app("held", replicas=1, node=machine.name).budget(max_unavailable=0)
    armed.install(lab, _CONFIG)
    attempts = [_attempt(lab, machine) for _ in range(_TURNS)]
    return {
        "lock.cas_ms": _median(attempt.ours for attempt in attempts),
        "lock.cas_worst_ms": round(max(attempt.ours for attempt in attempts), 1),
        "lock.server_ms": _median(attempt.server for attempt in attempts),
        "lock.sentinel_to_cas_ms": _median(attempt.whole for attempt in attempts),
        "lock.rss_mb": Process.of(machine).memory().rss,
    }


def _attempt(lab: Lab, machine: Machine) -> _Attempt:
    """One turn that is called off as soon as it has begun."""
    # The audit log is watched as a file: kubectl would compete for the processor.
    view = Lab(lab.cluster)
    began = time.time()
    machine.ask_for_reboot()
    wait_until("the slot is taken", lambda: len(_lock_writes(view, machine)) == 1, 30, 0.2)
    machine.path(SENTINEL).unlink()
    wait_until("the slot is given back", lambda: len(_lock_writes(view, machine)) == 2, 30, 0.2)
    requests = sorted(view.requests(machine), key=_received)
    write = next(index for index, request in enumerate(requests) if _is_lock_write(request))
    reads = requests[:write]
    asked = [f"{read['verb']} {read['objectRef']['resource']}" for read in reads]
    if asked != ["get nodes", "list pods", "get configmaps"]:
        raise RuntimeError(f"an attempt is expected to read Node, pods and lock, once each, and asked for {asked}")
    server = sum(_answered(read) - _received(read) for read in reads)
    cas = _received(requests[write])
    # The machine's own work after the turn must not be part of the next one.
    wait_until("the turn is over", lambda: Rollboot(machine).phase() == "idle", 30)
    time.sleep(0.5)
    return _Attempt((cas - _received(reads[0]) - server) * 1000, server * 1000, (cas - began) * 1000)


def _lock_writes(view: Lab, machine: Machine) -> list[dict[str, Any]]:
    return [request for request in view.requests(machine) if _is_lock_write(request)]


def _is_lock_write(request: dict[str, Any]) -> bool:
    return request["verb"] == "patch" and request["objectRef"]["resource"] == "configmaps"


def _received(request: dict[str, Any]) -> float:
    return _seconds(request["requestReceivedTimestamp"])


def _answered(request: dict[str, Any]) -> float:
    return _seconds(request["stageTimestamp"])


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _median(values: Any) -> float:
    return round(statistics.median(values), 1)
