"""Owns the judgement: pure functions from history to violations.

Each returns sentences about what went wrong, none if all is well. They know
etcd's revisions and the machines' own boots, and never ask the daemon.
"""

from __future__ import annotations

from collections.abc import Collection

from .history import History, LockAt, NodeAt, PodAt, World, put


def too_many_holders(history: History, limit: int = 1) -> list[str]:
    """Never more than `limit` holders in any revision of the lock."""
    return [
        f"revision {lock.revision}: {len(lock.slots)} slots held, {limit} allowed: {_names(lock.holders)}"
        for lock in history.locks() if len(lock.slots) > limit
    ]


def rebooted_outside_a_turn(history: History) -> list[str]:
    """A new boot ID shows while the node holds a slot: taken before, released after."""
    return [
        f"revision {node.revision}: {node.name} shows a new boot ID and holds no slot"
        for world, node in _reboots(history) if node.name not in world.lock.holders
    ]


def rebooted_uncordoned(history: History) -> list[str]:
    """A node is cordoned when it goes down and stays so until it is back."""
    return [
        f"revision {node.revision}: {node.name} goes down or comes back without being cordoned"
        for world, node in (*_going_down(history), *_reboots(history))
        if not world.nodes[node.name].unschedulable
    ]


def rebooted_undrained(history: History, spared: Collection[str] = ()) -> list[str]:
    """No pod that a drain must wait for is on a node that goes down."""
    violations = []
    for world, node in _going_down(history):
        left = [f"{pod.namespace}/{pod.name}" for pod in world.pods_to_drain(node.name) if pod.name not in spared]
        if left:
            violations.append(f"revision {node.revision}: {node.name} goes down with {_names(left)}")
    return violations


def without_a_ready_pod(history: History, namespace: str, app: str) -> list[str]:
    """Once a Deployment had a ready pod that stays, it has one in every revision."""
    violations = []
    served = False
    for world, record in history.steps():
        if not isinstance(record, PodAt):
            continue
        after = dict(world.pods)
        put(after, (record.namespace, record.name), record)
        serves = any(
            pod.ready and not pod.terminating for (place, name), pod in after.items()
            if place == namespace and name.startswith(f"{app}-")
        )
        if served and not serves:
            violations.append(f"revision {record.revision}: {app} has no ready pod")
        served = serves
    if not served:
        violations.append(f"{app} has no ready pod at the end")
    return violations


def most_holders(history: History) -> int:
    """How many nodes were in a turn at once, at the most."""
    return max((len(lock.holders) for lock in history.locks()), default=0)


def released_unhealthy(history: History, cordoned: Collection[str] = ()) -> list[str]:
    """A slot is given back only by a node that is Ready and uncordoned.

    `cordoned` names nodes that somebody else keeps cordoned.
    """
    violations = []
    for world, record in history.steps():
        if not isinstance(record, LockAt):
            continue
        for name in sorted(world.lock.holders - record.holders):
            node = world.nodes.get(name)
            if node is None:
                continue
            if node.ready != "True":
                violations.append(f"revision {record.revision}: {name} released while Ready={node.ready}")
            if node.unschedulable and name not in cordoned:
                violations.append(f"revision {record.revision}: {name} released while cordoned")
    return violations


def two_down_at_once(history: History) -> list[str]:
    """A node that is not Ready is alone in that."""
    violations = []
    for world, record in history.steps():
        if not isinstance(record, NodeAt) or record.ready == "True" or record.deleted:
            continue
        others = [node.name for node in world.nodes.values() if node.name != record.name and node.ready != "True"]
        if others:
            violations.append(f"revision {record.revision}: {record.name} is down and so is {_names(others)}")
    return violations


def wrong_reboots(history: History, boots: dict[str, int], expected: dict[str, int]) -> list[str]:
    """Each machine rebooted as often as expected, and its Node showed every boot.

    `boots` counts the machines' own boots since the start, seen from outside.
    """
    violations = []
    for name, wanted in sorted(expected.items()):
        seen = boots.get(name, 0)
        if seen != wanted:
            violations.append(f"{name} booted {seen} times, not {wanted}")
        shown = len(history.boot_ids(name)) - 1
        if shown != wanted:
            violations.append(f"the Node of {name} showed {max(shown, 0)} new boots, not {wanted}")
    return violations


# What a turn tells autoscalers; in the tests nobody else does.
HANDS_OFF = {"cluster-autoscaler.kubernetes.io/scale-down-disabled", "karpenter.sh/do-not-disrupt"}


def left_behind(history: History, cordoned: Collection[str] = ()) -> list[str]:
    """In the end nobody holds a slot, bears our marker or is cordoned."""
    world = history.end()
    violations = [f"in the end {name} still holds a slot" for name in sorted(world.lock.holders)]
    for name, node in sorted(world.nodes.items()):
        if "rollboot.io/turn" in node.annotations:
            violations.append(f"in the end the Node of {name} still bears our marker")
        for key in sorted(HANDS_OFF & node.annotations.keys()):
            violations.append(f"in the end {name} still tells autoscalers {key}")
        if node.unschedulable and name not in cordoned:
            violations.append(f"in the end {name} is still cordoned")
        if not node.unschedulable and name in cordoned:
            violations.append(f"in the end {name} has lost the cordon that somebody else set")
    return violations


def promises_broken(
    history: History, limit: int = 1, cordoned: Collection[str] = (), spared: Collection[str] = (),
    accidents: bool = False,
) -> list[str]:
    """All that must hold in every roll.

    With `accidents`, nodes also went down by other means than rollboot: then only
    who held what, and who gave it back when, can be judged.
    """
    violations = [*too_many_holders(history, limit), *released_unhealthy(history, cordoned)]
    if not accidents:
        violations += rebooted_outside_a_turn(history)
        violations += rebooted_uncordoned(history)
        violations += rebooted_undrained(history, spared)
        violations += two_down_at_once(history) if limit == 1 else []
    return violations


def _reboots(history: History) -> list[tuple[World, NodeAt]]:
    """Each first sight of a new boot ID, with the world right before it."""
    return [
        (_frozen(world), record) for world, record in history.steps()
        if isinstance(record, NodeAt) and record.boot_id and record.name in world.nodes
        and world.nodes[record.name].boot_id not in ("", record.boot_id)
    ]


def _going_down(history: History) -> list[tuple[World, NodeAt]]:
    """Each sight of a node that goes down, with the world right before it.

    That is when it stops being Ready; or, if a reset was so fast that it never
    did, when its new boot ID shows.
    """
    found: list[tuple[World, NodeAt]] = []
    down: set[str] = set()
    for world, record in history.steps():
        if not isinstance(record, NodeAt) or record.name not in world.nodes:
            continue
        before = world.nodes[record.name]
        new_boot = before.boot_id not in ("", record.boot_id)
        stops = before.ready == "True" and record.ready != "True"
        if (stops or new_boot) and record.name not in down:
            found.append((_frozen(world), record))
        if stops and not new_boot:
            down.add(record.name)
        if record.ready == "True":
            down.discard(record.name)
    return found


def _frozen(world: World) -> World:
    """A copy that does not move on."""
    return World(world.lock, dict(world.nodes), dict(world.pods))


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
