"""Owns figures: names, goals, and how they are told."""

from __future__ import annotations

from dataclasses import dataclass

# 1 MB is a million bytes here, for files and for memory: the stricter reading of a goal.
MB = 1_000_000

Values = dict[str, float]


@dataclass(frozen=True)
class Kind:
    """What a figure is, and the most that it may be; without a goal it only explains another one."""

    meaning: str
    goal: float | None = None
    note: str = ""


KINDS: dict[str, Kind] = {
    "size.binary_mb": Kind("the program, stripped, as installed", 7),
    "size.deb_mb": Kind("the Debian package", 2.6),
    "start.ready_ms": Kind("from before fork and exec to READY=1, median; the API server never answers", 50),
    "start.ready_worst_ms": Kind("the slowest of these starts"),
    "drain.wall_s": Kind("250 pods that take 2 s to end: sentinel to the request for the reboot, less the quiet period"),
    "drain.kubectl_wall_s": Kind("the same pods on the same server, kubectl drain from start to end"),
    "drain.wall_ratio": Kind("the one by the other", 0.1),
    "drain.requests": Kind("requests of the whole turn for 250 pods of 25 Deployments and their ReplicaSets", 312),
    "drain.kubectl_requests": Kind("those of kubectl drain"),
    "drain.peak_rss_mb": Kind("VmHWM since its start", 14),
    "drain.kubectl_peak_rss_mb": Kind("that of kubectl drain"),
    "drain.bystander_p99_ms": Kind("another client's GET while pods are evicted and end, 99th percentile"),
    "drain.bystander_p99_ratio": Kind("that by the same without a drain"),
    "drain.kubectl_bystander_p99_ratio": Kind("the same beside kubectl drain"),
    "drain.budget_s": Kind("a budget over 3 pods opens after 30 s: from there to the end of the drain, 2 s of it the pods' own", 6),
    "drain.budget_requests": Kind("evictions asked for meanwhile, per pod and 5 s", 1),
    **{
        f"handover.{count}{what}": kind
        for count in (3, 10, 100, 400)
        for what, kind in (
            ("_s", Kind(f"{count} nodes wait: a slot is released to its next acquisition, median", 0.3)),
            ("_worst_s", Kind(f"{count} nodes wait: the slowest of these")),
            ("_refused", Kind(f"{count} nodes wait: most refused writes of one node in one handover", 2)),
        )
    },
    "idle.api_requests": Kind("requests to the API server while idle", 0),
    "idle.rss_mb": Kind("VmRSS, the greater of before and after", 8, "kured 36.5"),
    "idle.pss_mb": Kind("its fair share of that"),
    "idle.anon_mb": Kind("the part that is its own: heap, stack, relocated data"),
    "idle.peak_mb": Kind("VmHWM since its start"),
    "idle.threads": Kind("threads", 1),
    "idle.wakeups_per_min": Kind("voluntary context switches of all threads", 10, "kured 26 to 46"),
    "lock.cas_ms": Kind("reading the Node to the compare-and-swap at the server, less the server's own time, median", 20),
    "lock.cas_worst_ms": Kind("the slowest of these attempts"),
    "lock.server_ms": Kind("what was taken off: the server's own time, median"),
    "lock.sentinel_to_cas_ms": Kind("writing the sentinel to the compare-and-swap at the server, settle 0, median"),
    "lock.rss_mb": Kind("VmRSS after all these turns"),
}


def tell(values: Values) -> str:
    """The figures as lines for a person."""
    lines = []
    for name, value in values.items():
        kind = KINDS[name]
        verdict = ""
        if kind.goal is not None:
            verdict = f"goal ≤ {kind.goal:g}: {'met' if value <= kind.goal else 'MISSED'}"
        about = kind.meaning + (f" ({kind.note})" if kind.note else "")
        lines.append(f"{name:<24} {value:>8g}  {verdict:<18}  {about}")
    return "\n".join(lines)
