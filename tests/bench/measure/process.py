"""Owns what the kernel says about a running daemon."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.machine import Machine
from lab.rollboot import UNIT

from .figures import MB


@dataclass(frozen=True)
class Memory:
    """The daemon's memory in MB."""

    rss: float
    pss: float
    anon: float
    peak: float


@dataclass
class Process:
    """The daemon of a machine, looked at from outside, which does not wake it."""

    machine: Machine
    folder: Path
    # Voluntary context switches by thread, as last seen; those of a thread that has ended since still count.
    _switches: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, machine: Machine) -> Process:
        """The daemon that runs now."""
        pid = machine.main_pid(UNIT)
        if not pid:
            raise RuntimeError(f"rollboot does not run on {machine.name}")
        return cls(machine, machine.path(f"/proc/{pid}"))

    def memory(self) -> Memory:
        """How much it has now."""
        status = _fields(self.folder / "status")
        return Memory(
            rss=_mb(status["VmRSS"]), pss=_mb(_fields(self.folder / "smaps_rollup")["Pss"]),
            anon=_mb(status["RssAnon"]), peak=_mb(status["VmHWM"]),
        )

    def look_at_threads(self) -> int:
        """Notes what the threads have done so far; returns how many there are."""
        tasks = list((self.folder / "task").iterdir())
        for task in tasks:
            try:
                self._switches[task.name] = int(_fields(task / "status")["voluntary_ctxt_switches"])
            except FileNotFoundError:
                continue
        return len(tasks)

    def wakeups(self) -> int:
        """How often its threads have slept and woken, up to the last look."""
        return sum(self._switches.values())


@dataclass(frozen=True)
class Rest:
    """What a process did in some time."""

    memory: list[Memory]
    threads: int
    wakeups_per_minute: float


def watch(processes: list[Process], seconds: float) -> list[Rest]:
    """Looks at the processes for so long, every second at their threads; fails if one of them ends."""
    threads = [process.look_at_threads() for process in processes]
    before = [(process.memory(), process.wakeups()) for process in processes]
    began = time.monotonic()
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))
        threads = [max(most, process.look_at_threads()) for most, process in zip(threads, processes)]
    minutes = (time.monotonic() - began) / 60
    return [
        Rest([memory, process.memory()], most, (process.wakeups() - wakeups) / minutes)
        for process, (memory, wakeups), most in zip(processes, before, threads)
    ]


def _fields(path: Path) -> dict[str, str]:
    """`Name: value` lines."""
    pairs = (line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    return {name: value.strip() for name, value in pairs}


def _mb(size: str) -> float:
    """The kernel's `123 kB` are units of 1024 bytes."""
    return round(int(size.split()[0]) * 1024 / MB, 2)
