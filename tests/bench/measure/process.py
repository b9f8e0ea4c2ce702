"""Owns what the kernel says about a running daemon."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from lab.machine import Machine
from lab.rollboot import UNIT

from .figures import MB


@dataclass(frozen=True)
class Sample:
    """The daemon at one moment; memory in MB."""

    at: float
    pid: int
    threads: int
    wakeups: int
    rss: float
    pss: float
    anon: float
    peak: float


def sample(machine: Machine) -> Sample:
    """Looks at the daemon of a machine from outside, without waking it."""
    pid = machine.main_pid(UNIT)
    if not pid:
        raise RuntimeError(f"rollboot does not run on {machine.name}")
    process = machine.path(f"/proc/{pid}")
    status = _fields(process / "status")
    tasks = [_fields(task / "status") for task in (process / "task").iterdir()]
    return Sample(
        at=time.monotonic(), pid=pid, threads=len(tasks),
        wakeups=sum(int(task["voluntary_ctxt_switches"]) for task in tasks),
        rss=_mb(status["VmRSS"]), pss=_mb(_fields(process / "smaps_rollup")["Pss"]),
        anon=_mb(status["RssAnon"]), peak=_mb(status["VmHWM"]),
    )


def _fields(path: Path) -> dict[str, str]:
    """`Name: value` lines."""
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {name: value.strip() for name, value in pairs}


def _mb(size: str) -> float:
    """The kernel's `123 kB` are units of 1024 bytes."""
    return round(int(size.split()[0]) * 1024 / MB, 2)
