"""Owns the state that measuring begins with: an armed node that has looked at everything once."""

from __future__ import annotations

from lab.rollboot import Rollboot
from lab.scenario import Lab
from lab.waiting import wait_until


def install(lab: Lab, config: str) -> list[Rollboot]:
    """Has rollboot on every machine, with this configuration, armed and idle."""
    view = Lab(lab.cluster)
    installed = [Rollboot(machine) for machine in lab.machines]
    if installed[0].active():
        for each in installed:
            each.configure(config)
    else:
        installed = lab.install(config)
    for each in installed:
        wait_until(f"rollboot on {each.machine.name} has looked at its Node", lambda e=each: _has_looked(view, e))
    return installed


def _has_looked(view: Lab, rollboot: Rollboot) -> bool:
    """Whether the last read of a start was answered; it calls itself idle before that too.

    It also shows that the audit log can tell rollboot's requests: without that a count of 0 would mean nothing.
    """
    return rollboot.phase() == "idle" and any(
        request["verb"] == "get" and request["objectRef"]["resource"] == "nodes"
        and request["responseStatus"]["code"] == 200
        for request in view.requests(rollboot.machine)
    )
