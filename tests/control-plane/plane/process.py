"""Owns processes that outlive whoever started them.

A process is known by its pid and its start time together, so that a number
used again by somebody else is never taken for ours and never signalled.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One process, named so that it cannot be mistaken."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The process that has this pid now, unless it has ended."""
        started = _start_time(pid)
        return None if started is None else cls(pid, started)

    def alive(self) -> bool:
        """Whether it still runs (a zombie does not)."""
        return _start_time(self.pid) == self.started

    def signal(self, number: int) -> None:
        """Sends a signal, to this process or to nobody."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def end(self, patience: float = 10.0) -> None:
        """Asks it to end, and after `patience` seconds makes it."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if not self.wait_gone(patience):
            self.kill()

    def kill(self) -> None:
        """Ends it at once."""
        self.signal(signal.SIGKILL)
        self.wait_gone(10.0)

    def wait_gone(self, patience: float) -> bool:
        """Waits until it has ended; says whether it has."""
        deadline = time.monotonic() + patience
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


def spawn(command: list[str], log: Path) -> Process:
    """Starts a command in a session of its own, its output added to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True, close_fds=True,
        )
    # It is meant to outlive this object; reaped in `_start_time` when ours.
    child.returncode = 0
    process = Process.of(child.pid)
    if process is None:
        raise RuntimeError(f"{command[0]} ended at once, see {log}")
    return process


def _start_time(pid: int) -> int | None:
    """The start time of a running process in clock ticks after the boot."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            pass
        return None
    return int(fields[19])
