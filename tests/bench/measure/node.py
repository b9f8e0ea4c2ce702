"""Owns a node on which nothing is real but the daemon: a root folder, a bus with a stand-in logind, the program as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.places import REPOSITORY
from lab.waiting import wait_until

from plane.pki import kubeconfig  # the plane's library, see lab/places.py
from plane.plane import Plane

from .figures import MB

# Reading the quiet period from here keeps the figures and the daemon from disagreeing about it.
QUIET = 5.0
_CONFIG = f'settle = "0s"\n[drain]\nquiet = "{QUIET:g}s"\n'


def logind() -> Path:
    """The program that stands in for logind, built if need be."""
    def cargo(*arguments: str) -> str:
        # From there, because a file there names the toolchain.
        return subprocess.run(
            ["cargo", *arguments], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True, timeout=900,
        ).stdout

    cargo("build", "--quiet", "--locked", "--package", "rollboot-lab", "--bin", "logind")
    about = json.loads(cargo("metadata", "--no-deps", "--format-version=1"))
    return Path(about["target_directory"]) / "debug/logind"


class Node:
    """A daemon while it is entered; it is killed at the end."""

    def __init__(self, plane: Plane, name: str, folder: Path, program: Path, stand_in: Path, config: str = _CONFIG) -> None:
        self.name = name
        self._root = folder / name
        self._log, self._said = folder / f"{name}.log", folder / f"{name}.logind"
        self._program, self._stand_in = program, stand_in
        _furnish(self._root, plane, name, config)

    def __enter__(self) -> Node:
        with self._said.open("w") as said:
            self._bus = subprocess.Popen([self._stand_in, self._root], stdin=subprocess.PIPE, stdout=said)
        wait_until("the bus is served", lambda: "ready" in self._said.read_text(), 10)
        with self._log.open("w") as log:
            self._daemon = subprocess.Popen(
                [self._program, "run", f"--root={self._root}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )
        wait_until(f"{self.name} is idle", lambda: self._status()["phase"] == "idle")
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            print(f"{self.name} said:\n{self._log.read_text()[-3000:]}", file=sys.stderr)
        self._daemon.kill()
        self._daemon.wait()
        self._bus.kill()
        self._bus.wait()

    def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads((self._root / "run/rollboot/status.json").read_text())
        return status

    def ask_for_reboot(self) -> float:
        """Writes the sentinel; returns when."""
        began = time.time()
        (self._root / "run/reboot-required").touch()
        return began

    def withdraw(self) -> None:
        """Takes the sentinel away."""
        (self._root / "run/reboot-required").unlink()

    def blocked_by(self) -> str | None:
        """The gate that the daemon waits for, if it waits for one."""
        blocked = self._status()["blocked_by"]
        return blocked[0]["gate"] if blocked else None

    def wait_asked(self, patience: float) -> float:
        """Waits until the daemon has asked logind for the reboot; returns when."""
        wait_until(f"{self.name} asks for its reboot", lambda: "reboot" in self._said.read_text(), patience, 0.01)
        return time.time()

    def peak_rss_mb(self) -> float:
        """VmHWM since its start."""
        lines = Path(f"/proc/{self._daemon.pid}/status").read_text().splitlines()
        size = next(line for line in lines if line.startswith("VmHWM"))
        return round(int(size.split()[1]) * 1024 / MB, 2)


def _furnish(root: Path, plane: Plane, name: str, config: str) -> None:
    """Makes what the program reads on a node."""
    for folder in ("etc/kubernetes", "etc/rollboot", "proc/sys/kernel/random", "run/dbus", "run/rollboot", "var/lib/rollboot"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/rollboot").chmod(0o700)
    (root / "etc/rollboot/config.toml").write_text(config)
    (root / "proc/sys/kernel/random/boot_id").write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
    (root / "proc/sys/kernel/hostname").write_text(f"{name}\n")
    (root / "proc/stat").write_text("btime 1700000000\n")
    # Paths in a kubeconfig are looked for below the root folder.
    files = Path("/etc/kubernetes")
    _, credential = plane.node_credential(name)
    (root / "etc/kubernetes/node.pem").write_text(credential)
    (root / "etc/kubernetes/ca.crt").write_text(plane.authority.certificate.read_text())
    (root / "etc/kubernetes/kubelet.conf").write_text(
        kubeconfig(plane.server, files / "ca.crt", files / "node.pem", files / "node.pem"),
    )
