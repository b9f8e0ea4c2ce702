"""Owns the group `handover`: how long a released slot lies idle while many nodes wait for it.

The API server and etcd are real, and so is each daemon: the packaged program as a
process with a root folder and a bus of its own. A slot that nobody's daemon holds
keeps all of them waiting; then it is taken away, one of them takes its turn, and
each further handover is made by withdrawing the request of the one that holds the
slot. No pod is on any node, and the quiet period after the drain keeps a turn from
getting as far as the reboot.

The times are the API server's own, with microseconds, from its audit log: from the
answer to the write that released to the arrival of the one that acquired.
"""

from __future__ import annotations

import json
import statistics
import time
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from lab import prepare
from lab.waiting import wait_until

from plane.plane import Plane  # the plane's library, see lab/places.py

from .api import MERGE, Api
from .figures import Values
from .node import Node, logind
from .workload import Workload

COUNTS = (3, 10, 100, 400)
_HANDOVERS = 9
_LOCK = "/api/v1/namespaces/kube-system/configmaps/rollboot"
_NOBODY = "nobody.rollboot.io/default"
# Longer than everything that is measured, so that no turn ends by itself.
_CONFIG = 'settle = "0s"\n[drain]\nquiet = "5m"\n'
_PATIENCE = 300.0


def measure(program: Path, manifests: Path, folder: Path) -> Values:
    """Starts a plane for each number of nodes, and ends it however this ends."""
    stand_in = logind()
    values: Values = {}
    for count in COUNTS:
        plane = Plane.create(folder / f"handover-{count}", prepare.binaries())
        try:
            plane.start()
            plane.kubectl("apply", "-f", str(manifests / "lock.yaml"))
            values |= _among(count, plane, program, stand_in, folder / f"handover-{count}-nodes")
        finally:
            plane.stop()
    return values


def _among(count: int, plane: Plane, program: Path, stand_in: Path, folder: Path) -> Values:
    api = Api(plane)
    names = [f"w{number}" for number in range(count)]
    _hold(api, "{}")
    with ExitStack() as running:
        nodes = {}
        for name in names:
            Workload(api, name, 0, 0).create()
            nodes[name] = running.enter_context(Node(plane, name, folder, program, stand_in, _CONFIG))
        for node in nodes.values():
            node.ask_for_reboot()
        for node in nodes.values():
            wait_until(f"{node.name} waits for the slot", lambda n=node: n.blocked_by() == "lock", _PATIENCE, 0.2)
        # Every watch is open and the server is quiet again.
        time.sleep(2)
        _hold(api, None)
        for _ in range(_HANDOVERS):
            holder = _wait_holder(api)
            time.sleep(1)
            nodes[holder].withdraw()
            wait_until(f"{holder} gives its slot up", lambda h=holder: _holder(api) != h, _PATIENCE, 0.05)
            _wait_holder(api)
            nodes[holder].ask_for_reboot()
            wait_until(f"{holder} waits again", lambda h=holder: nodes[h].blocked_by() == "lock", _PATIENCE, 0.2)
    idle, refused = _read(plane.audit_log)
    return {
        f"handover.{count}_s": round(statistics.median(idle), 3),
        f"handover.{count}_worst_s": round(max(idle), 3),
        f"handover.{count}_refused": max(refused),
    }


def _hold(api: Api, value: str | None) -> None:
    api.call("PATCH", _LOCK, {"metadata": {"annotations": {_NOBODY: value}}}, MERGE)


def _holder(api: Api) -> str | None:
    annotations = api.call("GET", _LOCK)["metadata"].get("annotations", {})
    return next((key.partition(".")[0] for key in annotations if key.endswith(".rollboot.io/default")), None)


def _wait_holder(api: Api) -> str:
    found: list[str] = []

    def look() -> bool:
        found[:] = [each for each in [_holder(api)] if each]
        return bool(found)

    wait_until("a node takes the slot", look, _PATIENCE, 0.05)
    return found[0]


def _read(log: Path) -> tuple[list[float], list[int]]:
    """For each handover the seconds that the slot lay idle, and how many writes were refused in it."""
    with log.open() as lines:
        events = [json.loads(line) for line in lines if line.endswith("\n")]
    writes = [each for each in events if each["verb"] == "patch" and each["objectRef"]["resource"] == "configmaps"
              and each["objectRef"].get("name") == "rollboot"]
    writes.sort(key=lambda each: _time(each["stageTimestamp"]))
    idle: list[float] = []
    refused: list[int] = []
    released: float | None = None
    lost: dict[str, int] = {}
    for write in writes:
        code = write["responseStatus"]["code"]
        keys = (write.get("requestObject") or {}).get("metadata", {}).get("annotations", {})
        slots = [value for key, value in keys.items() if key.endswith(".rollboot.io/default")]
        if code == 409:
            lost[write["user"]["username"]] = lost.get(write["user"]["username"], 0) + 1
        elif code == 200 and slots and slots[0] is None:
            released, lost = _time(write["stageTimestamp"]), {}
        elif code == 200 and slots and released is not None:
            idle.append(_time(write["requestReceivedTimestamp"]) - released)
            refused.append(max(lost.values(), default=0))
            released = None
    if len(idle) <= _HANDOVERS:
        raise RuntimeError(f"{len(idle)} handovers are in the audit log, not {_HANDOVERS + 1}")
    return idle, refused


def _time(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
