"""Owns the group `idle`: what an armed node costs on which nothing asks for a reboot.

The real service on real machines, in its own sandbox. The daemon uses the
kubelet's credential, so its requests are told from the kubelet's by the user
agent in the API server's audit log.
"""

from __future__ import annotations

import time

from lab.scenario import Lab

from . import armed
from .figures import Values
from .process import Process, watch

# After the first reads. The thread that wrote the turn journal ends ten seconds after its work: it is of the start too.
_CALM = 15.0


def measure(lab: Lab, seconds: float) -> Values:
    """The worst of the lab's machines, each idle at the same time."""
    armed.install(lab, "")
    time.sleep(_CALM)
    # A lab counts requests from when it was made.
    quiet = Lab(lab.cluster)
    rests = watch([Process.of(machine) for machine in lab.machines], seconds)
    requests = [len(quiet.requests(machine)) for machine in lab.machines]
    memory = [each for rest in rests for each in rest.memory]
    return {
        "idle.api_requests": max(requests),
        "idle.rss_mb": max(each.rss for each in memory),
        "idle.pss_mb": max(each.pss for each in memory),
        "idle.anon_mb": max(each.anon for each in memory),
        "idle.peak_mb": max(each.peak for each in memory),
        "idle.threads": max(rest.threads for rest in rests),
        "idle.wakeups_per_min": round(max(rest.wakeups_per_minute for rest in rests), 1),
    }
