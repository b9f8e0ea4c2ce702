"""Owns the group `idle`: what an armed node costs on which nothing asks for a reboot.

The real service on real machines, in its own sandbox. The daemon uses the
kubelet's credential, so its requests are told from the kubelet's by the user
agent in the API server's audit log.
"""

from __future__ import annotations

import time

from lab.rollboot import Rollboot
from lab.scenario import Lab
from lab.waiting import wait_until

from .figures import Values
from .process import Sample, sample

# After the first reads: by then also what the start needed for a moment is over.
_CALM = 5.0


def measure(lab: Lab, seconds: float) -> Values:
    """The worst of the lab's machines, each idle at the same time."""
    installed = lab.install(config="")
    for each in installed:
        wait_until(f"rollboot on {each.machine.name} has looked at the cluster", lambda e=each: _has_looked(lab, e))
    time.sleep(_CALM)
    # A lab counts requests from when it was made.
    quiet = Lab(lab.cluster)
    before = [sample(machine) for machine in lab.machines]
    time.sleep(seconds)
    after = [sample(machine) for machine in lab.machines]
    requests = [len(quiet.requests(machine)) for machine in lab.machines]
    if quiet.plane.audit_log.stat().st_size == 0 or [each.pid for each in before] != [each.pid for each in after]:
        raise RuntimeError("nothing was audited, or a daemon was started anew while it was to be idle")
    every = before + after
    return {
        "idle.api_requests": max(requests),
        "idle.rss_mb": max(each.rss for each in every),
        "idle.pss_mb": max(each.pss for each in every),
        "idle.anon_mb": max(each.anon for each in every),
        "idle.peak_mb": max(each.peak for each in every),
        "idle.threads": max(each.threads for each in every),
        "idle.wakeups_per_min": round(max(_wakeups(*pair) for pair in zip(before, after)), 1),
    }


def _has_looked(lab: Lab, rollboot: Rollboot) -> bool:
    """Its first reads are over, and the audit log can tell: without this a count of 0 would mean nothing."""
    return rollboot.phase() == "idle" and bool(lab.requests(rollboot.machine))


def _wakeups(before: Sample, after: Sample) -> float:
    """Wake-ups a minute of all threads that live at the end."""
    return (after.wakeups - before.wakeups) * 60 / (after.at - before.at)
