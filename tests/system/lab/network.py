"""Owns the lab's network: a bridge in a network namespace of its own.

The namespace is the lab's alone, so the addresses are always the same ones.
"""

from __future__ import annotations

from .shell import run

BRIDGE = "lab0"
GATEWAY = "10.77.0.1"


def address_of(index: int) -> str:
    """The address of the machine with that number (1, 2, …)."""
    return f"10.77.0.{10 + index}"


def pods_of(index: int) -> str:
    """The pod network of the machine with that number."""
    return f"10.78.{index}.0/24"


def create() -> None:
    """Makes the bridge that machines and control plane share."""
    run(["ip", "link", "set", "lo", "up"])
    # A fixed MAC: by default a bridge takes one of its ports', so it would change with a reboot, and
    # the other machines would talk to the old one for half a minute.
    run(["ip", "link", "add", BRIDGE, "address", "02:00:0a:4d:00:01", "type", "bridge"])
    run(["ip", "address", "add", f"{GATEWAY}/24", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])


def cut(machine: str) -> None:
    """Takes a machine off the network, as if its cable were pulled."""
    run(["ip", "link", "set", f"vb-{machine}", "down"])


def mend(machine: str) -> None:
    """Puts the machine back on the network."""
    run(["ip", "link", "set", f"vb-{machine}", "up"])


def unplug(machine: str) -> None:
    """Removes what a machine that lost its power left on the bridge."""
    run(["ip", "link", "delete", f"vb-{machine}"], check=False)
