"""What holds up a drain, one kind after the other, on the real controllers: it is said what it is, the turn is undone, the next one
asks just for what was held, and takes the pods of others only once that has gone.
"""

import json
import threading
from typing import Any

from lab import invariants
from lab.admission import policy, webhook
from lab.app import NAMESPACE, App
from lab.blockers import Trial, app_on, whenever
from lab.scenario import Lab
from lab.waiting import holds_for, wait_until

TIMEOUT = 480
_FINALIZER = "lab.test/backup"


def finalizer(lab: Lab) -> None:
    """A pod that has ended and is kept by a finalizer that nobody removes does not hold up the turn."""
    trial = Trial(lab, _one(lab))
    name = _finalize(trial)
    try:
        trial.node.ask_for_reboot()
        trial.rolls(taken_in={1}, turns=1)
        assert _get(lab, name), "the finalizer did not keep it, so this showed nothing"
    finally:
        _finalize(trial, name)


def slow_to_end(lab: Lab) -> None:
    """A pod that takes longer to end than a drain may: no turn begins until it has, and the next one leaves its successor the time."""
    trial = Trial(lab, _one(lab, stop_delay="45s"))
    name = _finalize(trial)
    try:
        reason = trial.fails(status=(), event=("has not ended yet",))
        assert f"{NAMESPACE}/{name}: has not ended yet" in reason, reason
        assert _FINALIZER not in reason, "the time is what is waited for, and not the finalizer"
        trial.tries_again(timeout="15s")
        says = ("still ending", f"{NAMESPACE}/{name}", "until their containers have ended")
        wait_until("the status names it", lambda: all(each in str(trial.rollboot.status().get("reason")) for each in says), 20)
        holds_for("no slot is taken meanwhile", lambda: not lab.holders() and not lab.cordoned(trial.node), 8)
        assert _get(lab, name)["status"]["phase"] == "Running", "it has ended already, so this showed nothing"
        trial.rolls(taken_in={1})
        assert _get(lab, name), "the finalizer did not keep it, so this did not show that only the end of its containers counts"
    finally:
        _finalize(trial, name)


def denied(lab: Lab) -> None:
    """A ValidatingAdmissionPolicy denies the eviction."""
    trial = Trial(lab, _one(lab))
    says = "a backup of it is being made"
    with policy(trial.kept, says):
        _refused(trial, says)
    trial.rolls(taken_in={1})


def webhook_says_later(lab: Lab) -> None:
    """A webhook answers 429, as that of KubeVirt does while it moves a virtual machine."""
    trial = Trial(lab, _one(lab))
    says = "the machine is being moved"
    with webhook(trial.kept, 429, says):
        _refused(trial, says)
    trial.rolls(taken_in={1})


def last_ready_pod(lab: Lab) -> None:
    """No other node takes the replacement of an app's last ready pod."""
    node, *others = lab.machines
    names = [other.name for other in others]
    trial = Trial(lab, app_on(lab, node, "kept", 2))
    lab.guard()
    lab.plane.kubectl("cordon", *names)
    try:
        says = (f"Deployment {NAMESPACE}/kept", "last ready pod")
        trial.fails(status=says, event=says)
        trial.kept.wait_ready()
        trial.tries_again()
        trial.takes_only_what_is_kept()
    finally:
        lab.plane.kubectl("uncordon", *names)
    trial.rolls(taken_in={1})
    trial.kept.wait_ready()
    gone = invariants.without_a_ready_pod(lab.history(), NAMESPACE, "kept")
    assert not gone, gone


def needs_the_others_gone(lab: Lab) -> None:
    """A budget that opens only once the other pods are gone, as Longhorn's does: one turn in four takes them all the same."""
    trial = Trial(lab, _one(lab))
    kept, other, node = trial.kept, trial.other, trial.node
    kept.budget(max_unavailable=0)
    says = (f"{NAMESPACE}/kept", "disruption budget")
    trial.fails(status=says, event=says)
    done = threading.Event()

    def open_it() -> None:
        if lab.cordoned(node) and not other.pods_on(node.name):
            kept.budget(max_unavailable=1)
            done.set()

    trial.settled()
    operator = threading.Thread(target=whenever, args=(done.is_set, open_it), daemon=True)
    operator.start()
    try:
        for _ in range(3):
            trial.tries_again(timeout="10s")
            trial.fails(status=says, event=says)
        trial.tries_again()
        trial.rolls(taken_in={1, 5}, turns=5)
    finally:
        done.set()
        operator.join(30)


def one_at_a_time(lab: Lab) -> None:
    """A budget lets go one pod after the other, and all of them take longer than a drain may: the second turn gives each its time."""
    app = app_on(lab, lab.machines[0], "kept", 6, start_delay="10s", stop_delay="4s")
    app.budget(max_unavailable=1)
    trial = Trial(lab, app, timeout="20s")
    says = (f"{NAMESPACE}/kept", "disruption budget")
    trial.fails(status=says, event=says)
    app.wait_ready()
    left = len(app.pods_on(trial.node.name))
    assert left >= 4, f"{left} pods are left: a drain has the time for these, so this shows nothing"
    trial.tries_again(timeout="20s")
    trial.rolls(taken_in={1})


def _one(lab: Lab, stop_delay: str = "0s") -> App:
    """An app whose only pod can be nowhere else."""
    return lab.app("kept", replicas=1, node=lab.machines[0].name, stop_delay=stop_delay)


def _refused(trial: Trial, says: str) -> None:
    """The eviction is refused with these words: in a first turn, and for a while in the second."""
    both = (f"{NAMESPACE}/kept", says)
    trial.fails(status=both, event=both)
    assert trial.kept.ready(), "what was to be kept was taken"
    trial.tries_again()
    trial.takes_only_what_is_kept()
    assert trial.kept.ready(), "what was to be kept was taken"


def _finalize(trial: Trial, name: str = "") -> str:
    """Puts a finalizer on the pod that is there; with a name, takes it off that one."""
    finalizers = None if name else [_FINALIZER]
    name = name or trial.kept.pods()[0]["metadata"]["name"]
    patch = json.dumps({"metadata": {"finalizers": finalizers}})
    if _get(trial.lab, name):
        trial.lab.plane.kubectl("patch", "pod", "-n", NAMESPACE, name, "--type", "merge", "-p", patch)
    return name


def _get(lab: Lab, name: str) -> dict[str, Any]:
    """A pod; empty if there is none."""
    text = lab.plane.kubectl("get", "pod", "-n", NAMESPACE, name, "--ignore-not-found", "-o", "json")
    return json.loads(text) if text.strip() else {}


CASES = {
    "finalizer": finalizer, "slow_to_end": slow_to_end, "denied": denied, "webhook_says_later": webhook_says_later,
    "last_ready_pod": last_ready_pod, "needs_the_others_gone": needs_the_others_gone, "one_at_a_time": one_at_a_time,
}
