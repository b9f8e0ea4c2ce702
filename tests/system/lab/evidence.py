"""Owns what is kept of a scenario that failed."""

from __future__ import annotations

import shutil
import subprocess
import traceback
from collections.abc import Callable
from pathlib import Path

from .cluster import Cluster
from .rollboot import UNIT
from .scenario import Lab


def keep(folder: Path, cluster: Cluster, lab: Lab | None, error: BaseException) -> None:
    """Writes all there is to know; what cannot be had leaves its error instead."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "error.txt").write_text("".join(traceback.format_exception(error)))
    for machine in cluster.machines:
        _write(folder / f"rollboot-{machine.name}.txt", lambda m=machine: _lines(m.journal(UNIT)))
        _write(folder / f"journal-{machine.name}.txt", lambda m=machine: _lines(m.journal()))
        _write(folder / f"boots-{machine.name}.txt", lambda m=machine: _lines(m.boots))
        _write(folder / f"status-{machine.name}.json", lambda m=machine: m.run("cat", "/run/rollboot/status.json"))
        _write(folder / f"console-{machine.name}.log", (machine.folder / "console.log").read_text)
    if lab is not None:
        _write(folder / "history.jsonl", lab.history_text)
        history = lab.history_text
        _write(folder / "lock.jsonl", lambda: _lines(
            line for line in history().splitlines() if '"kind":"lock"' in line
        ))
    plane = cluster.plane
    _write(folder / "lock.yaml", lambda: plane.kubectl("get", "configmap", "-n", "kube-system", "rollboot", "-o", "yaml"))
    _write(folder / "nodes.yaml", lambda: plane.kubectl("get", "nodes", "-o", "yaml"))
    _write(folder / "pods.yaml", lambda: plane.kubectl("get", "pods", "-A", "-o", "yaml"))
    _write(folder / "overview.txt", lambda: plane.kubectl(
        "get", "nodes,pods,deployments,daemonsets,poddisruptionbudgets", "-A", "-o", "wide",
    ))
    _write(folder / "events.txt", lambda: plane.kubectl("get", "events", "-A", "--sort-by=.lastTimestamp"))
    for log in (plane.folder / "log").glob("*.log"):
        _write(folder / log.name, lambda path=log: path.read_text(errors="replace"))


def _write(path: Path, read: Callable[[], str]) -> None:
    try:
        text = read()
    except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
        text = f"not to be had: {error}\n"
    path.write_text(text)


def _lines(values: object) -> str:
    return "".join(f"{value}\n" for value in values)  # type: ignore[attr-defined]
