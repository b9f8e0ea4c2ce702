"""Owns the group `start`: how soon the program is ready, without an API server.

The real program runs with `--root` on a folder that has what a node has: a
kubelet's kubeconfig and credential, and the kernel's facts. API server and
system bus are sockets that take connections and never answer, so whatever waits
for them before READY=1 would wait for long.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lab.waiting import WaitedInVain, wait_until

from .figures import Values

from plane.pki import Authority, kubeconfig  # the plane's library, see lab/places.py

_NODE = "n1"
_RUNS = 21
_PATIENCE = 10.0


def measure(program: Path, folder: Path) -> Values:
    """Starts it some times, the first time only to warm the caches and to see that it goes on from there."""
    root = folder / "root"
    with _deaf_server() as server, _deaf_bus(root / "run/dbus") as _, _notify_socket(folder / "notify") as manager:
        _furnish(root, server.getsockname()[1])
        arguments = [str(program), "run", f"--root={root}"]
        with (folder / "log").open("w") as log:
            try:
                _ready_after(arguments, manager, log, knows_its_node=root / "run/rollboot/status.json")
                taken = [_ready_after(arguments, manager, log) for _ in range(_RUNS)]
            except (OSError, RuntimeError, WaitedInVain) as error:
                raise RuntimeError(f"{error}; it said:\n{(folder / 'log').read_text()}") from error
    return {
        "start.ready_ms": round(statistics.median(taken) * 1000, 1),
        "start.ready_worst_ms": round(max(taken) * 1000, 1),
    }


def _ready_after(
    arguments: list[str], manager: socket.socket, log: TextIO, knows_its_node: Path | None = None,
) -> float:
    """Seconds from just before the fork until READY=1 is here."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET": manager.getsockname()}
    began = time.monotonic()
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
    )
    try:
        message = manager.recv(4096)
        taken = time.monotonic() - began
        if b"READY=1" not in message.split(b"\n"):
            raise RuntimeError(f"the first thing it told the manager was {message!r}")
        if knows_its_node is not None:
            read = knows_its_node.read_text
            wait_until("it has found its kubeconfig", lambda: f'"{_NODE}"' in read(), _PATIENCE)
    finally:
        process.kill()
        process.wait()
        _drain(manager)
    return taken


def _drain(manager: socket.socket) -> None:
    """Takes what else the process told, so that the next one's message is the first."""
    manager.setblocking(False)
    try:
        while manager.recv(4096):
            pass
    except BlockingIOError:
        pass
    manager.settimeout(_PATIENCE)


@contextmanager
def _deaf_server() -> Iterator[socket.socket]:
    """A socket that the kernel accepts connections on and nobody answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield server


@contextmanager
def _deaf_bus(folder: Path) -> Iterator[socket.socket]:
    """The same in place of the system bus."""
    folder.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(str(folder / "system_bus_socket"))
        bus.listen(128)
        yield bus


@contextmanager
def _notify_socket(path: Path) -> Iterator[socket.socket]:
    """A service manager's end of NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(_PATIENCE)
        yield manager


def _furnish(root: Path, port: int) -> None:
    """Makes what the program reads on a node."""
    for name in ("etc/kubernetes", "proc/sys/kernel/random", "run/rollboot", "var/lib/rollboot"):
        (root / name).mkdir(parents=True)
    (root / "var/lib/rollboot").chmod(0o700)
    (root / "proc/sys/kernel/random/boot_id").write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
    (root / "proc/sys/kernel/hostname").write_text(f"{_NODE}\n")
    (root / "proc/stat").write_text("btime 1700000000\n")

    authority = Authority(root / "etc/kubernetes/pki")
    authority.create()
    authority.issue("node", f"system:node:{_NODE}", "system:nodes")
    pki = Path("/etc/kubernetes/pki")
    (root / "etc/kubernetes/kubelet.conf").write_text(
        kubeconfig(f"https://127.0.0.1:{port}", pki / "ca.crt", pki / "node.crt", pki / "node.key"),
    )
