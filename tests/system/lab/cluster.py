"""Owns one running lab: a control plane, its machines, and how they start.

Scenarios get it from `lab.scenario`; nothing in here knows about rollboot.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from . import network
from .machine import Machine
from .places import SYSTEM
from .waiting import wait_until

from plane.pki import kubeconfig  # the plane's library, see places.py
from plane.plane import Plane


@dataclass(frozen=True)
class Parts:
    """What `prepare` made, and the package under test."""

    programs: Path
    images: Path
    bases: dict[str, Path]
    package: Path | None
    suites: tuple[str, ...]


class Cluster:
    """Machines with kubelets under a control plane, in the lab's namespaces."""

    def __init__(self, folder: Path, parts: Parts) -> None:
        self.folder = folder
        self.parts = parts
        self.plane = Plane.create(folder / "plane", parts.programs, network.GATEWAY, controllers=True)
        self.machines = [self._machine(number, suite) for number, suite in enumerate(parts.suites, start=1)]

    def start(self) -> None:
        """Starts everything and waits until every node is Ready."""
        # The machines boot while the API server starts; their kubelets try again.
        for machine in self.machines:
            machine.create()
            self._furnish(machine)
            machine.power_on()
        self.plane.start()
        for machine in self.machines:
            self.wait_ready(machine)

    def close(self) -> None:
        """Ends the machines and the control plane and removes their files."""
        for machine in self.machines:
            machine.cut_power(stay_off=True)
        for machine in self.machines:
            machine.close()
        self.plane.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    # -- nodes --------------------------------------------------------------

    def node(self, machine: Machine) -> dict:
        """The Node object of a machine."""
        return json.loads(self.plane.kubectl("get", "node", machine.name, "-o", "json"))

    def ready(self, machine: Machine) -> bool:
        """Whether the Node is Ready in the machine's present boot."""
        node = self.node(machine)
        if node["status"]["nodeInfo"]["bootID"] != machine.boot_id:
            return False
        return any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"]["conditions"])

    def wait_ready(self, machine: Machine, timeout: float = 90.0) -> None:
        """Waits until the Node is Ready in the machine's present boot."""
        wait_until(f"{machine.name} is Ready", lambda: self.ready(machine), timeout)

    # -- inside -------------------------------------------------------------

    def _machine(self, number: int, suite: str) -> Machine:
        name = f"n{number}"
        binds = [f"--bind-ro={self.parts.programs}:/opt/lab/bin", f"--bind-ro={self.parts.images}:/opt/lab/images.tar"]
        if self.parts.package is not None:
            binds.append(f"--bind-ro={self.parts.package}:/opt/lab/rollboot.deb")
        return Machine(
            name, network.address_of(number), self.folder / "machines" / name, self.parts.bases[suite], binds,
        )

    def _furnish(self, machine: Machine) -> None:
        """Writes what makes a Debian root this very node."""
        number = int(machine.name[1:])
        values = {
            "@ADDRESS@": machine.address, "@GATEWAY@": network.GATEWAY, "@POD_NETWORK@": network.pods_of(number),
        }
        for template in (SYSTEM / "machine", SYSTEM / f"machine-{self.parts.suites[number - 1]}"):
            _copy_template(template, machine.root, values)
        identity = f"{self.folder.name}-{machine.name}".encode()
        machine.write("/etc/machine-id", hashlib.md5(identity).hexdigest() + "\n")
        machine.write("/etc/hostname", machine.name + "\n")
        machine.write("/etc/hosts", f"127.0.0.1 localhost\n{machine.address} {machine.name}\n")
        # As kubeadm leaves it: one file that a link names, so that rotation is a new link.
        pki = machine.folder / "kubelet" / "pki"
        pki.mkdir(parents=True, exist_ok=True)
        _, pem = self.plane.node_credential(machine.name)
        dated = pki / f"kubelet-client-{time.strftime('%Y-%m-%d-%H-%M-%S')}.pem"
        dated.touch(mode=0o600)
        dated.write_text(pem)
        (pki / "kubelet-client-current.pem").symlink_to(f"/var/lib/kubelet/pki/{dated.name}")
        machine.write("/etc/kubernetes/pki/ca.crt", self.plane.authority.certificate.read_text())
        current = Path("/var/lib/kubelet/pki/kubelet-client-current.pem")
        machine.write("/etc/kubernetes/kubelet.conf", kubeconfig(
            self.plane.server, Path("/etc/kubernetes/pki/ca.crt"), current, current,
        ))
        (machine.root / "etc/kubernetes/manifests").mkdir(exist_ok=True)


def _copy_template(template: Path, root: Path, values: dict[str, str]) -> None:
    """Copies files and links into a machine's root, with its own values filled in."""
    for source in sorted(template.rglob("*")):
        target = root / source.relative_to(template)
        if source.is_dir() and not source.is_symlink():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.unlink(missing_ok=True)
            target.symlink_to(os.readlink(source))
            continue
        text = source.read_text()
        for mark, value in values.items():
            text = text.replace(mark, value)
        target.write_text(text)
        target.chmod(source.stat().st_mode & 0o777)
