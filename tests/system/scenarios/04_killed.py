"""The daemon is killed with SIGKILL at a bad moment, and goes on where it was."""

from lab.scenario import Lab
from lab.waiting import wait_until


def while_draining(lab: Lab) -> None:
    """Killed while draining: it goes on in the same turn, and there is one reboot."""
    node = lab.machines[0]
    app = lab.app(replicas=3, stop_delay="8s")
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_draining(node, app)
    rollboot.kill()
    wait_until("systemd has started it again", rollboot.active)
    lab.wait_rolled(node)
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1})


def while_shutting_down(lab: Lab) -> None:
    """Killed after logind took the request, while the kubelet delays the shutdown: the
    slot is kept while the host goes down, and there is one reboot."""
    node = lab.machines[0]
    # A daemon's pod that is slow to end makes the kubelet hold the shutdown.
    lab.app("slow", kind="DaemonSet", replicas=0, stop_delay="18s")
    rollboot = lab.install()[0]
    node.ask_for_reboot()
    lab.wait_going_down(node)
    assert lab.boots(node) == 0
    rollboot.kill()
    # And once more what systemd starts in its place, while the host is still there.
    wait_until("systemd has started it again", lambda: lab.boots(node) == 0 and rollboot.active(), 15)
    rollboot.kill()
    assert lab.boots(node) == 0, "the shutdown was over too soon, so this showed nothing"
    lab.wait_rolled(node)
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1})


CASES = {"while_draining": while_draining, "while_shutting_down": while_shutting_down}
