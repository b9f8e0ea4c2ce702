"""Owns rollboot on one machine: the package, its configuration, its commands.

What the daemon says is only used to choose the moment for a fault or to check
the words it says to an operator, never to judge what happened.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .journal import Entry
from .machine import Machine
from .waiting import wait_until

PACKAGE = "/opt/lab/rollboot.deb"
UNIT = "rollboot.service"
_CONFIG = "/etc/rollboot/config.d/50-test.toml"

# Shorter than on a real host, where nobody waits for it; nothing else differs.
QUICK = """settle = "1s"
max-reboots-per-day = 20

[drain]
timeout = "90s"
quiet = "1s"
"""


@dataclass
class Rollboot:
    """rollboot on one machine."""

    machine: Machine

    def install(self, config: str = QUICK) -> None:
        """Installs the package with this configuration and sees the service run."""
        self.machine.write(_CONFIG, config)
        self.machine.run("dpkg", "--install", PACKAGE, timeout=120)
        self.machine.run("systemctl", "enable", "--now", UNIT)

    def reinstall(self) -> None:
        """Installs the package over itself, which is an upgrade to dpkg and systemd."""
        self.machine.run("dpkg", "--install", PACKAGE, timeout=120)

    def configure(self, config: str) -> None:
        """Changes the configuration and restarts the service."""
        self.machine.write(_CONFIG, config)
        self.machine.run("systemctl", "restart", UNIT)

    def remove(self) -> None:
        """Removes the package, as `apt remove` does."""
        self.machine.run("dpkg", "--remove", "rollboot", timeout=120)

    def purge(self) -> None:
        """Removes every trace of it."""
        machine = self.machine
        # Without its prerm, which would undo a turn: here everything goes, whatever state it is in.
        machine.run("sh", "-c", (
            "rm -f /var/lib/dpkg/info/rollboot.prerm; systemctl kill --signal=KILL rollboot.service; systemctl stop rollboot.service; "
            "dpkg --purge --force-all rollboot; "
            "rm -rf /etc/rollboot /var/lib/rollboot /run/rollboot /run/reboot-required /run/reboot-needed; "
            "rm -f /etc/systemd/system/rollboot* 2>/dev/null; systemctl daemon-reload; systemctl reset-failed"
        ), timeout=120, check=False)

    def status(self) -> dict[str, Any]:
        """What `rollboot status --json` says; empty while it says nothing."""
        text = self.machine.run("rollboot", "status", "--json", check=False)
        return json.loads(text) if text.strip() else {}

    def phase(self) -> str:
        """The phase it says to be in."""
        return str(self.status().get("phase", ""))

    def wait_phase(self, *phases: str, timeout: float = 60.0) -> dict[str, Any]:
        """Waits until it says to be in one of these phases; returns the status."""
        wanted = " or ".join(phases)
        return wait_until(
            f"rollboot on {self.machine.name} is {wanted}", lambda: self._status_if(phases), timeout,
        )

    def active(self) -> bool:
        """Whether systemd calls the service active."""
        return self.machine.run("systemctl", "is-active", UNIT, check=False).strip() == "active"

    def kill(self) -> None:
        """`kill -9` of the daemon, if it runs."""
        self.machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", UNIT, check=False)

    def journal(self) -> list[Entry]:
        """What it logged, in all boots."""
        return self.machine.journal(UNIT)

    def _status_if(self, phases: tuple[str, ...]) -> dict[str, Any]:
        status = self.status()
        return status if status.get("phase") in phases else {}
