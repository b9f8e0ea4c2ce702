"""Owns what etcd tells about the past: the lock, Nodes and pods in one order.

Everything here is data; `lab.invariants` judges it. The order is etcd's own, so
"before" and "after" mean the same for the lock and for a Node.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_SLOT_SUFFIX = ".rollboot.io"


@dataclass(frozen=True)
class LockAt:
    """The lock as of one revision."""

    revision: int
    annotations: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def holders(self) -> frozenset[str]:
        """The nodes that hold a slot. A key is a slot, whatever its value says."""
        return frozenset(node for node, _ in self.slots)

    @property
    def slots(self) -> frozenset[tuple[str, str]]:
        """Every slot as (node, group)."""
        found = set()
        for key in self.annotations:
            prefix, _, group = key.partition("/")
            if group and prefix.endswith(_SLOT_SUFFIX) and len(prefix) > len(_SLOT_SUFFIX):
                found.add((prefix[: -len(_SLOT_SUFFIX)], group))
        return frozenset(found)


@dataclass(frozen=True)
class NodeAt:
    """A Node as of one revision: what a reboot changes about it."""

    revision: int
    name: str
    boot_id: str = ""
    ready: str = "True"
    unschedulable: bool = False
    annotations: dict[str, str] = field(default_factory=dict)
    ready_reason: str = ""
    uid: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class PodAt:
    """A pod as of one revision: where it is and how it does."""

    revision: int
    namespace: str
    name: str
    node: str = ""
    controller: str = ""
    phase: str = "Running"
    ready: bool = True
    terminating: bool = False
    uid: str = ""
    deleted: bool = False

    @property
    def drainable(self) -> bool:
        """Whether a drain has to wait for it: not a daemon, not static, not finished."""
        return self.controller not in ("DaemonSet", "Node") and self.phase not in ("Succeeded", "Failed")


Record = LockAt | NodeAt | PodAt


@dataclass
class World:
    """All that is known as of one revision."""

    lock: LockAt = LockAt(0)
    nodes: dict[str, NodeAt] = field(default_factory=dict)
    pods: dict[tuple[str, str], PodAt] = field(default_factory=dict)

    def apply(self, record: Record) -> None:
        """Moves on by one record."""
        match record:
            case LockAt():
                self.lock = record
            case NodeAt():
                put(self.nodes, record.name, record)
            case PodAt():
                put(self.pods, (record.namespace, record.name), record)

    def pods_to_drain(self, node: str) -> list[PodAt]:
        """The pods on a node that a drain has to wait for."""
        return [pod for pod in self.pods.values() if pod.node == node and pod.drainable]


@dataclass(frozen=True)
class History:
    """Records in the order of their revisions.

    What lies before `start` only sets the scene and is never judged.
    """

    records: tuple[Record, ...]
    start: int = 0

    def steps(self) -> Iterator[tuple[World, Record]]:
        """Every judged record with the world right before it."""
        world = World()
        for record in self.records:
            if record.revision >= self.start:
                yield world, record
            world.apply(record)

    def end(self) -> World:
        """The world after the last record."""
        world = World()
        for record in self.records:
            world.apply(record)
        return world

    def locks(self) -> list[LockAt]:
        """The judged revisions of the lock."""
        return [record for _, record in self.steps() if isinstance(record, LockAt)]

    def boot_ids(self, node: str) -> list[str]:
        """The boot IDs that the Node showed, in order, the one at the start first."""
        shown: list[str] = []
        for record in self.records:
            if isinstance(record, NodeAt) and record.name == node and record.boot_id:
                if record.revision < self.start:
                    shown = [record.boot_id]
                elif not shown or shown[-1] != record.boot_id:
                    shown.append(record.boot_id)
        return shown

    def turns(self, node: str) -> int:
        """How many times the node took a slot."""
        return sum(
            1 for world, record in self.steps()
            if isinstance(record, LockAt) and node in record.holders and node not in world.lock.holders
        )


def parse(text: str, start: int = 0) -> History:
    """Reads the lines of `lockhistory -all`."""
    return History(tuple(_record(json.loads(line)) for line in text.splitlines() if line), start)


def _record(line: dict[str, Any]) -> Record:
    kind = line.pop("kind")
    if kind == "lock":
        line.pop("uid", None)
        return LockAt(**line)
    return NodeAt(**line) if kind == "node" else PodAt(**line)


def put(into: dict[Any, Any], key: Any, record: NodeAt | PodAt) -> None:
    """Moves one object on to a record of it."""
    if record.deleted:
        into.pop(key, None)
    else:
        into[key] = record
