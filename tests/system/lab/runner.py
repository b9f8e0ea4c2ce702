"""Owns running scenarios one after the other, and telling how they went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
import time

from . import network
from .cluster import Cluster, Parts
from .shell import run as run_command


@dataclass
class Scenario:
    name: str
    sentence: str


def select(words):
    return []


def run(folder: Path, parts: Parts, scenarios: list[Scenario], keep: bool) -> int:
    began = time.monotonic()
    run_command(["mkdir", "-p", "/run/systemd/nspawn"])
    run_command(["mount", "-t", "tmpfs", "tmpfs", "/run/systemd/nspawn"])
    network.create()
    cluster = Cluster(folder / "1", parts)
    try:
        cluster.start()
        print(f"up after {time.monotonic()-began:.1f}", flush=True)
        print(cluster.plane.kubectl("get", "nodes", "-o", "wide"), flush=True)
        while keep:
            time.sleep(1)
    finally:
        cluster.close()
    return 0
