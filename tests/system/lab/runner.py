"""Owns running scenarios one after the other, and telling how they went."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from types import FrameType

from . import evidence, network, places
from .cluster import Cluster, Parts
from .scenario import Lab
from .shell import run as run_command

_TIMEOUT = 300


@dataclass(frozen=True)
class Scenario:
    """One scenario: its file's name, its sentence, and what it does.

    One that `spoils` its cluster is the last in it: controllers that lived through a killed API server
    may have made things twice, and the next scenario would wait for them to go.
    """

    name: str
    sentence: str
    timeout: int
    run: Callable[[Lab], None]
    spoils: bool = False


class Stay(Enum):
    """Whether a lab is left up for somebody to look around in."""

    NO = auto()
    AFTER_THE_LAST = auto()
    FROM_THE_START = auto()


class OutOfTime(BaseException):
    """The scenario took longer than it may."""


def select(words: list[str]) -> list[Scenario]:
    """The scenarios whose name contains one of the words; all without words."""
    files = sorted((places.SYSTEM / "scenarios").glob("[0-9]*.py"))
    every = [scenario for file in files for scenario in _load(file)]
    return [each for each in every if not words or any(word in each.name for word in words)]


def run(folder: Path, parts: Parts, scenarios: Iterator[Scenario], tell: Callable[[bool], None], stay: Stay) -> int:
    """Runs the scenarios in the lab's namespaces and tells how each went; returns the exit status."""
    _prepare_namespaces()
    (folder / "lab.json").write_text(json.dumps({"pid": _outer_pid(), "programs": str(parts.programs)}))
    bench = _Bench(folder, parts)
    failed = False
    try:
        if stay is Stay.FROM_THE_START:
            bench.cluster()
        for scenario in scenarios:
            passed = _one(bench, scenario, stay is not Stay.NO)
            tell(passed)
            failed |= not passed
            if failed and stay is not Stay.NO:
                break
        if stay is not Stay.NO:
            say("the lab stays up until it is interrupted; look around with tests/system/shell")
            while True:
                signal.pause()
    finally:
        bench.close()
    return 1 if failed else 0


class _Bench:
    """The present cluster, made anew after a failure."""

    def __init__(self, folder: Path, parts: Parts) -> None:
        self._folder = folder
        self._parts = parts
        self._count = 0
        self._cluster: Cluster | None = None

    def cluster(self) -> Cluster:
        """A running cluster."""
        if self._cluster is None:
            self._count += 1
            began = time.monotonic()
            self._cluster = Cluster(self._folder / str(self._count), self._parts)
            self._cluster.start()
            link = self._folder / "plane"
            link.unlink(missing_ok=True)
            link.symlink_to(self._cluster.plane.folder)
            say(f"{len(self._cluster.machines)} nodes are Ready after {time.monotonic() - began:.1f} s")
        return self._cluster

    def close(self) -> None:
        """Ends the cluster; the next one is a new one."""
        if self._cluster is not None:
            self._cluster.close()
            self._cluster = None


def _one(bench: _Bench, scenario: Scenario, keep: bool) -> bool:
    """Runs one scenario and says how it went; whether it passed."""
    shutil.rmtree(places.RESULTS / scenario.name, ignore_errors=True)
    say(f"{scenario.name}: {scenario.sentence}")
    lab: Lab | None = None
    began = time.monotonic()
    try:
        cluster = bench.cluster()
        Lab(cluster).reset()
        lab = now = Lab(cluster)
        began = time.monotonic()
        _limited(scenario.timeout, lambda: scenario.run(now))
    except (Exception, OutOfTime) as error:
        say(f"{scenario.name}: FAILED after {time.monotonic() - began:.1f} s: {error}")
        kept = places.RESULTS / scenario.name
        evidence.keep(kept, bench.cluster(), lab, error)
        say(f"{scenario.name}: what is left of it is in {kept}")
        if not keep:
            bench.close()
        return False
    say(f"{scenario.name}: passed in {time.monotonic() - began:.1f} s")
    if scenario.spoils and not keep:
        bench.close()
    return True


def _limited(seconds: int, work: Callable[[], None]) -> None:
    """Does the work and interrupts it when its time is over."""
    def out_of_time(_: int, __: FrameType | None) -> None:
        raise OutOfTime(f"took longer than {seconds} s")

    signal.signal(signal.SIGALRM, out_of_time)
    signal.alarm(seconds)
    try:
        work()
    finally:
        signal.alarm(0)


def _load(file: Path) -> list[Scenario]:
    """The scenarios of a file: its `run`, or one for each of its `CASES`."""
    spec = importlib.util.spec_from_file_location(f"scenario_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no scenario")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    timeout = getattr(module, "TIMEOUT", _TIMEOUT)
    spoils = getattr(module, "SPOILS", False)
    cases: dict[str, Callable[[Lab], None]] = getattr(module, "CASES", {})
    if not cases:
        return [Scenario(file.stem, _sentence(module.__doc__), timeout, module.run, spoils)]
    return [
        Scenario(f"{file.stem}.{name}", _sentence(case.__doc__ or module.__doc__), timeout, case, spoils)
        for name, case in cases.items()
    ]


def _sentence(text: str | None) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((text or "").strip().split("\n\n")[0].split())


def _prepare_namespaces() -> None:
    """What nspawn and the machines need in the lab's own namespaces."""
    Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
    run_command(["mount", "-t", "tmpfs", "tmpfs", "/run/systemd/nspawn"])
    network.create()


def _outer_pid() -> int:
    """Our pid as seen from outside, for those who want to look in."""
    return int(os.environ["ROLLBOOT_LAB_PID"])


_BEGAN = time.monotonic()
_lab = ""


def name_lab(name: str) -> None:
    """Of several labs each says which it is."""
    global _lab
    _lab = f"{name}: "


def say(text: str) -> None:
    """One line, with the seconds since the start."""
    print(f"[{time.monotonic() - _BEGAN:6.1f}] {_lab}{text}", flush=True)
