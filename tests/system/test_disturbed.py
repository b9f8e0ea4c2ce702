"""The judge of drains that something holds up: it sees in which turns others were disturbed for nothing."""

import unittest

from lab.disturbed import turns_that_took
from lab.history import History, PodAt, Record
from test_invariants import lock


def pod(revision: int, name: str, terminating: bool = False, deleted: bool = False, phase: str = "Running") -> PodAt:
    """A revision of a pod on the node."""
    return PodAt(revision, "app", name, "n1", "ReplicaSet", phase, True, terminating, deleted=deleted)


def taken(*records: Record) -> set[int]:
    """The turns in which `other` was disturbed, of a history that begins with a pod of it, and one of `kept`."""
    scene = (lock(1), pod(2, "kept-1"), pod(3, "other-1"))
    return turns_that_took(History((*scene, *records), start=4), "n1", "other", "kept")


class Disturbed(unittest.TestCase):
    """A pod that ends in a turn counts while something is kept."""

    def test_each_turn_in_which_it_is_taken_is_told(self) -> None:
        turns: list[Record] = [
            lock(4, "n1"), pod(5, "other-1", terminating=True), pod(6, "other-1", deleted=True), lock(7), pod(8, "other-2"),
            lock(9, "n1"), lock(10), lock(11, "n1"), pod(12, "other-2", terminating=True),
        ]
        self.assertEqual(taken(*turns), {1, 3})
        self.assertEqual(taken(*turns[:-1]), {1})

    def test_one_that_goes_after_what_was_kept_is_in_order(self) -> None:
        end = pod(9, "other-1", terminating=True)
        self.assertEqual(taken(lock(4, "n1"), pod(5, "kept-1", deleted=True), end), set())
        self.assertEqual(taken(lock(4, "n1"), pod(5, "kept-1", terminating=True, phase="Succeeded"), end), set())
        self.assertEqual(taken(lock(4, "n1"), pod(5, "kept-1", terminating=True), end), {1})

    def test_what_is_no_turn_of_this_node_does_not_count(self) -> None:
        end = pod(9, "other-1", terminating=True)
        self.assertEqual(taken(end), set())
        self.assertEqual(taken(lock(4, "n2"), end), set())
        self.assertEqual(taken(lock(4, "n1"), pod(5, "strange-1"), pod(6, "strange-1", terminating=True)), set())


if __name__ == "__main__":
    unittest.main()
