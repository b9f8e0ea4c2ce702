"""Owns one machine: its root, its power, and what is done on it.

A machine is a systemd-nspawn container with a real systemd. A thread keeps it
in the wanted state like a power supply: a reboot (exit status 133) starts it
again after the boot delay, a power cut is SIGKILL, and every boot is counted
from out here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .cgroups import Cgroups, cgroups_of
from .journal import Entry, read_journal
from .network import BRIDGE, unplug
from .shell import CommandFailed, run
from .waiting import wait_until

_REBOOT = 133
SENTINEL = "/run/reboot-required"


@dataclass
class Boot:
    """One life of a machine, seen from outside; times are time.time()."""

    boot_id: str
    began: float
    ended: float | None = None
    how: str = "running"


class Machine:
    """A machine that can be started, used, cut off and looked at."""

    def __init__(self, name: str, address: str, folder: Path, base: Path, binds: list[str]) -> None:
        self.name = name
        self.address = address
        self.folder = folder
        self.boot_delay = 0.0
        self.boots: list[Boot] = []
        self.root = folder / "root"
        self._base = base
        self._binds = binds
        self._cgroups = Cgroups(cgroups_of(folder))
        self._wanted = threading.Event()
        self._leader: int | None = None
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._supervise, name=name, daemon=True)

    # -- power --------------------------------------------------------------

    def create(self) -> None:
        """Makes the machine's disk: an overlay over the base, and plain folders for containers."""
        for name in ("upper", "work", "root", "containerd", "kubelet"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={self._base},upperdir={self.folder / 'upper'},workdir={self.folder / 'work'}"
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)])
        self._thread.start()

    def power_on(self) -> None:
        """Starts it, and from now on restarts it after every reboot."""
        self._wanted.set()

    def cut_power(self, stay_off: bool = False) -> None:
        """Ends it at once, like a power cut; it boots again unless it is to stay off."""
        if stay_off:
            self._wanted.clear()
        leader, nspawn = self._leader, self._nspawn
        if leader is not None:
            _kill(leader)
        if nspawn is not None:
            time.sleep(0.02)
            _kill(nspawn.pid)

    def stay_off_after_reboot(self) -> None:
        """The next time it goes down it stays down until `power_on`."""
        self._wanted.clear()

    def running(self) -> bool:
        """Whether it is powered and past the start of its systemd."""
        return self._leader is not None

    @property
    def boot_id(self) -> str:
        """The boot ID of the present or last boot."""
        return self.boots[-1].boot_id if self.boots else ""

    def wait_down(self, timeout: float = 60.0) -> None:
        """Waits until it is off."""
        wait_until(f"{self.name} is off", lambda: not self.running(), timeout, 0.02)

    def wait_boots(self, count: int, timeout: float = 90.0) -> None:
        """Waits until it has booted so many times."""
        wait_until(f"{self.name} has booted {count} times", lambda: len(self.boots) >= count, timeout, 0.05)

    def close(self) -> None:
        """Ends it for good."""
        self._closing = True
        self.cut_power(stay_off=True)
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._cgroups.remove()
        subprocess.run(["umount", "-l", str(self.root)], check=False, stderr=subprocess.DEVNULL)

    # -- use ----------------------------------------------------------------

    def command(self, *arguments: str) -> list[str]:
        """The command that runs another one inside; nsenter becomes it, with no shell between."""
        if self._leader is None:
            raise RuntimeError(f"{self.name} is off")
        return ["nsenter", f"--target={self._leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd",
                "--", "/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                *arguments]

    def run(self, *arguments: str, timeout: float = 60.0, check: bool = True, stdin: str | None = None) -> str:
        """Runs a command inside and returns its output."""
        return run(self.command(*arguments), timeout=timeout, check=check, stdin=stdin)

    def succeeds(self, *arguments: str) -> bool:
        """Whether a command inside ends well."""
        try:
            self.run(*arguments)
        except (CommandFailed, subprocess.TimeoutExpired, RuntimeError):
            return False
        return True

    def path(self, inside: str) -> Path:
        """A path of the running machine, seen from outside (also in its /run)."""
        if self._leader is None:
            raise RuntimeError(f"{self.name} is off")
        return Path(f"/proc/{self._leader}/root{inside}")

    def write(self, inside: str, text: str) -> None:
        """Writes a file of the machine, on or off."""
        path = self.path(inside) if self.running() else self.root / inside.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def ask_for_reboot(self) -> None:
        """Makes the sentinel, as a package's maintainer script does."""
        self.path(SENTINEL).write_text("*** System restart required ***\n")

    def asks_for_reboot(self) -> bool:
        """Whether the sentinel is there."""
        return self.path(SENTINEL).exists()

    def journal(self, unit: str | None = None) -> list[Entry]:
        """The journal of all boots, oldest first; works on a machine that is off too."""
        return read_journal(self.folder / "upper/var/log/journal", unit)

    def main_pid(self, unit: str) -> int:
        """The main process of a service inside, 0 if it has none."""
        return int(self.run("systemctl", "show", "--value", "--property=MainPID", unit).strip())

    # -- the power supply ---------------------------------------------------

    def _supervise(self) -> None:
        while True:
            self._wanted.wait()
            if self._closing:
                return
            nspawn, boot = self._boot()
            status = nspawn.wait()
            self._leader, self._nspawn = None, None
            self._cgroups.remove()
            unplug(self.name)
            if boot is None:
                time.sleep(0.1)
                continue
            boot.ended = time.time()
            boot.how = "reboot" if status == _REBOOT else "off" if status == 0 else "power cut"
            if boot.how == "off":
                self._wanted.clear()
            time.sleep(self.boot_delay)

    def _boot(self) -> tuple[subprocess.Popen[bytes], Boot | None]:
        """Starts it; there is no boot to count if its systemd never ran."""
        procs = self._cgroups.create()
        join = 'for f in $LAB_CGROUPS; do echo 0 >"$f"; done; unset LAB_CGROUPS; exec "$0" "$@"'
        command = [
            "systemd-nspawn", "--quiet", f"--directory={self.root}", "--register=no", "--keep-unit", "--boot",
            f"--machine={self.name}", "--capability=all", f"--network-bridge={BRIDGE}", "--link-journal=no",
            "--resolv-conf=off", "--timezone=off", f"--bind={self.folder / 'containerd'}:/var/lib/containerd",
            f"--bind={self.folder / 'kubelet'}:/var/lib/kubelet", *self._binds,
        ]
        environment = {
            "PATH": os.environ["PATH"], "SYSTEMD_SECCOMP": "0", "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",
            "LAB_CGROUPS": " ".join(map(str, procs)),
        }
        began = time.time()
        with (self.folder / "console.log").open("ab") as console:
            nspawn = self._nspawn = subprocess.Popen(
                ["/bin/sh", "-c", join, *command], stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT, env=environment, start_new_session=True,
            )
        leader = self._find_leader(nspawn)
        try:
            boot_id = Path(f"/proc/{leader}/root/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return nspawn, None
        boot = Boot(boot_id, began)
        self.boots.append(boot)
        self._leader = leader
        return nspawn, boot

    def _find_leader(self, nspawn: subprocess.Popen[bytes]) -> int | None:
        """The machine's first process, once its systemd runs."""
        while nspawn.poll() is None:
            try:
                children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children").read_text().split()
                for child in children:
                    if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                        return int(child)
            except OSError:
                pass
            time.sleep(0.01)
        return None


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
