"""Owns the cgroups that a machine is started in, one in every hierarchy.

The host may have cgroup v1, v2 or both. Without a cgroup of its own a machine's
systemd would take the host's for its own, and a restarted one would find the
remains of the boot before.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from .places import labs

_PREFIX = "rollboot-lab-"


@dataclass(frozen=True)
class Cgroups:
    """One cgroup per hierarchy, all with the same name."""

    name: str

    def folders(self) -> list[Path]:
        """Where they are."""
        return [mount / self.name for mount in _hierarchies()]

    def create(self) -> list[Path]:
        """Makes them and returns the files to write a pid into."""
        files = []
        for folder in self.folders():
            folder.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                inherited = folder.parent / setting
                if (folder / setting).exists() and inherited.exists():
                    (folder / setting).write_text(inherited.read_text())
            files.append(folder / "cgroup.procs")
        return files

    def remove(self) -> None:
        """Removes them and all below; what still lives there is waited for a little."""
        for folder in self.folders():
            for path, _, _ in os.walk(folder, topdown=False):
                for _ in range(200):
                    try:
                        os.rmdir(path)
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.01)
                    else:
                        break


def _hierarchies() -> list[Path]:
    """The mount points of all cgroup hierarchies."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [Path(where) for _, where, kind, *_ in mounts if kind in ("cgroup", "cgroup2") and "/sys/fs/cgroup" in where]


def cgroups_of(folder: Path) -> str:
    """The name for what lives in a folder: unique, for labs run side by side."""
    return _PREFIX + str(folder.relative_to(labs())).replace("/", "-")


def remove_all(lab: Path) -> None:
    """Removes every cgroup of a lab that has ended."""
    prefix = cgroups_of(lab) + "-"
    names = {folder.name for mount in _hierarchies() for folder in mount.glob(f"{prefix}*") if folder.is_dir()}
    for name in names:
        Cgroups(name).remove()
