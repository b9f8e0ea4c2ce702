"""Owns the judgement of drains that cannot be finished: whom they disturbed for nothing. From history alone, as `lab.invariants`."""

from __future__ import annotations

from .history import History, LockAt, PodAt


def turns_that_took(history: History, node: str, app: str, kept: str) -> set[int]:
    """The turns of a node (1, 2, …) in which a pod of `app` on it was told to end while one of `kept` had not gone from it."""
    turn, taken = 0, set[int]()
    for world, record in history.steps():
        if isinstance(record, LockAt):
            turn += node in record.holders and node not in world.lock.holders
        if not isinstance(record, PodAt) or node not in world.lock.holders:
            continue
        before = world.pods.get((record.namespace, record.name))
        ends = record.terminating and before is not None and before.node == node and not before.terminating
        here = any(_is_of(pod, kept) for pod in world.pods_to_drain(node))
        if ends and _is_of(record, app) and here:
            taken.add(turn)
    return taken


def _is_of(pod: PodAt, app: str) -> bool:
    return pod.name.startswith(f"{app}-")
