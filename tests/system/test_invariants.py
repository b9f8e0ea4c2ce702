"""The judges of history: each is right about a good one and fails on a bad one."""

import unittest

from lab import invariants
from lab.history import History, LockAt, NodeAt, PodAt, Record, parse


def lock(revision: int, *holders: str) -> LockAt:
    """A revision of the lock with these holders."""
    return LockAt(revision, {f"{name}.rollboot.io/default": "{}" for name in holders})


def node(revision: int, name: str = "n1", boot: str = "a", ready: str = "True", cordoned: bool = False,
         marker: bool = False) -> NodeAt:
    """A revision of a Node."""
    return NodeAt(revision, name, boot, ready, cordoned, {"rollboot.io/turn": "{}"} if marker else {})


def good_turn() -> list[Record]:
    """One node's whole turn, as it should be."""
    return [
        lock(1), node(2), PodAt(3, "default", "web", "n1", "ReplicaSet"), PodAt(4, "default", "log", "n1", "DaemonSet"),
        lock(10, "n1"),
        node(11, cordoned=True, marker=True),
        PodAt(12, "default", "web", "n1", "ReplicaSet", terminating=True),
        PodAt(13, "default", "web", deleted=True),
        node(14, ready="False", cordoned=True, marker=True),
        node(15, boot="b", cordoned=True, marker=True),
        node(16, boot="b"),
        lock(17),
    ]


def history(*records: Record) -> History:
    """A history whose first ten revisions only set the scene."""
    return History(tuple(records), start=10)


def without(revision: int) -> History:
    """The good turn with one revision left out."""
    return history(*(record for record in good_turn() if record.revision != revision))


def changed(replacement: Record) -> History:
    """The good turn with one revision that is different."""
    return history(*(replacement if record.revision == replacement.revision else record for record in good_turn()))


def moved(*records: Record) -> list[str]:
    """What is wrong with the pods of `web` in a history that begins with one of them ready."""
    scene = PodAt(10, "app", "web-1", "n1", "ReplicaSet")
    return invariants.without_a_ready_pod(history(scene, *records), "app", "web")


class AReadyPod(unittest.TestCase):
    """An app has one in every revision, or it was without."""

    def test_elsewhere_before_this_one_goes_is_enough(self) -> None:
        self.assertEqual(moved(
            PodAt(11, "app", "web-2", "n2", "ReplicaSet"),
            PodAt(12, "app", "web-1", "n1", "ReplicaSet", terminating=True),
            PodAt(13, "app", "web-1", deleted=True),
        ), [])

    def test_that_is_being_ended_counts_no_more(self) -> None:
        self.assertEqual(moved(
            PodAt(11, "app", "web-1", "n1", "ReplicaSet", terminating=True),
            PodAt(12, "app", "web-2", "n2", "ReplicaSet"),
        ), ["revision 11: web has no ready pod"])

    def test_of_another_app_does_not_help(self) -> None:
        self.assertEqual(len(moved(
            PodAt(11, "app", "shop-1", "n2", "ReplicaSet"),
            PodAt(12, "app", "web-1", "n1", "ReplicaSet", ready=False),
        )), 2)


class TheGoodTurn(unittest.TestCase):
    """Nothing is wrong with it, so a complaint would be the judge's mistake."""

    def test_keeps_every_promise(self) -> None:
        self.assertEqual(invariants.promises_broken(history(*good_turn())), [])

    def test_leaves_nothing_behind(self) -> None:
        self.assertEqual(invariants.left_behind(history(*good_turn())), [])

    def test_reboots_once(self) -> None:
        self.assertEqual(invariants.wrong_reboots(history(*good_turn()), {"n1": 1}, {"n1": 1}), [])


class EachJudgeCanFail(unittest.TestCase):
    """One change to the good turn, and the one promise it breaks."""

    def assert_broken(self, violations: list[str], *words: str) -> None:
        self.assertTrue(violations, "nothing was found wrong")
        for word in words:
            self.assertIn(word, "\n".join(violations))

    def test_two_holders(self) -> None:
        self.assert_broken(invariants.too_many_holders(changed(lock(10, "n1", "n2"))), "2 slots", "n1, n2")

    def test_a_key_with_a_broken_value_is_a_holder_too(self) -> None:
        odd = LockAt(10, {"n1.rollboot.io/default": "", "n2.rollboot.io/other": "?"})
        self.assert_broken(invariants.too_many_holders(changed(odd)), "n1, n2")

    def test_one_node_with_two_slots(self) -> None:
        odd = LockAt(10, {"n1.rollboot.io/default": "", "n1.rollboot.io/other": ""})
        self.assert_broken(invariants.too_many_holders(changed(odd)), "2 slots")

    def test_the_pause_and_the_counter_are_no_holders(self) -> None:
        marks = {"rollboot.io/pause": "holidays", "rollboot.io/turns": "7", "rollboot.io/resumed": "uid"}
        paused = LockAt(10, {**marks, "n1.rollboot.io/default": ""})
        self.assertEqual(invariants.too_many_holders(changed(paused)), [])

    def test_reboot_without_a_slot(self) -> None:
        self.assert_broken(invariants.rebooted_outside_a_turn(without(10)), "revision 15", "no slot")

    def test_release_before_the_new_boot_shows(self) -> None:
        early = sorted([*good_turn()[:-1], LockAt(14)], key=lambda record: record.revision)
        self.assert_broken(invariants.rebooted_outside_a_turn(history(*early)), "revision 15")

    def test_reboot_without_a_cordon(self) -> None:
        self.assert_broken(invariants.rebooted_uncordoned(without(11)), "revision 14")

    def test_uncordoned_while_down(self) -> None:
        self.assert_broken(invariants.rebooted_uncordoned(changed(node(14, ready="False"))), "revision 15")

    def test_pod_left_on_the_node(self) -> None:
        records = [record for record in good_turn() if record.revision not in (12, 13)]
        self.assert_broken(invariants.rebooted_undrained(history(*records)), "default/web")

    def test_pod_still_terminating(self) -> None:
        self.assert_broken(invariants.rebooted_undrained(without(13)), "default/web")

    def test_pod_that_came_after_the_drain(self) -> None:
        late = [*good_turn(), PodAt(13, "default", "late", "n1", "ReplicaSet")]
        late.sort(key=lambda record: record.revision)
        self.assert_broken(invariants.rebooted_undrained(history(*late)), "default/late")

    def test_undrained_fast_reset_that_never_showed_as_not_ready(self) -> None:
        records = [record for record in good_turn() if record.revision not in (12, 13, 14)]
        self.assert_broken(invariants.rebooted_undrained(history(*records)), "revision 15", "default/web")

    def test_spared_pod_may_stay(self) -> None:
        self.assertEqual(invariants.rebooted_undrained(without(13), spared=["web"]), [])

    def test_release_while_not_ready(self) -> None:
        self.assert_broken(invariants.released_unhealthy(changed(node(16, boot="b", ready="False"))), "Ready=False")

    def test_release_before_the_uncordon(self) -> None:
        self.assert_broken(invariants.released_unhealthy(without(16)), "while cordoned")
        self.assertEqual(invariants.released_unhealthy(without(16), cordoned=["n1"]), [])

    def test_two_nodes_down(self) -> None:
        records = [node(2, "n2"), *good_turn(), node(13, "n2", ready="Unknown")]
        records.sort(key=lambda record: record.revision)
        self.assert_broken(invariants.two_down_at_once(history(*records)), "n1 is down and so is n2")

    def test_wrong_number_of_boots(self) -> None:
        self.assert_broken(invariants.wrong_reboots(history(*good_turn()), {"n1": 2}, {"n1": 1}), "booted 2 times")
        self.assert_broken(invariants.wrong_reboots(history(*good_turn()), {}, {"n1": 1}), "booted 0 times")

    def test_boot_that_the_node_never_showed(self) -> None:
        records = [record for record in good_turn() if record.revision not in (15, 16)]
        self.assert_broken(invariants.wrong_reboots(history(*records), {"n1": 1}, {"n1": 1}), "showed 0 new boots")

    def test_left_behind(self) -> None:
        self.assert_broken(invariants.left_behind(without(17)), "still holds a slot")
        self.assert_broken(invariants.left_behind(without(16)), "marker", "still cordoned")
        self.assert_broken(invariants.left_behind(history(*good_turn()), cordoned=["n1"]), "lost the cordon")
        told = NodeAt(18, "n1", "b", "True", False, {"karpenter.sh/do-not-disrupt": "true"})
        self.assert_broken(invariants.left_behind(history(*good_turn(), told)), "tells autoscalers")


class Reading(unittest.TestCase):
    """The lines of lockhistory become records."""

    def test_lines_of_every_kind(self) -> None:
        text = "\n".join((
            '{"kind":"lock","revision":5,"deleted":false,"uid":"u","annotations":{"a.b.rollboot.io/g":"x"},"data":{}}',
            '{"kind":"node","revision":6,"deleted":false,"name":"n1","uid":"u","unschedulable":true,"annotations":{},'
            '"boot_id":"b","ready":"True","ready_reason":"KubeletReady"}',
            '{"kind":"pod","revision":7,"deleted":false,"namespace":"default","name":"p","uid":"u","node":"n1",'
            '"controller":"Job","phase":"Succeeded","ready":false,"terminating":false}',
        ))
        world = parse(text).end()
        self.assertEqual(world.lock.holders, {"a.b"})
        self.assertTrue(world.nodes["n1"].unschedulable)
        self.assertEqual(world.pods_to_drain("n1"), [])

    def test_what_lies_before_the_start_is_not_judged(self) -> None:
        early = History((lock(1, "n1", "n2"), lock(2)), start=2)
        self.assertEqual(invariants.too_many_holders(early), [])

    def test_boot_ids_and_turns(self) -> None:
        self.assertEqual(history(*good_turn()).boot_ids("n1"), ["a", "b"])
        self.assertEqual(history(*good_turn()).turns("n1"), 1)


if __name__ == "__main__":
    unittest.main()
