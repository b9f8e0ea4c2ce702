"""A sentinel at a path of one's own, whose folder does not exist yet and lies behind a link, is noticed when folder
and file come; after the reboot, with an empty /run, nothing asks any more.
"""

from lab.rollboot import QUICK
from lab.scenario import Lab

_PATH = "/var/run/reboot/required"


def run(lab: Lab) -> None:
    node = lab.machines[0]
    rollboot = lab.install(f'sentinels = ["{_PATH}"]\n' + QUICK)[0]
    rollboot.wait_phase("idle")
    assert not node.succeeds("test", "-e", "/run/reboot"), "the folder is there, so this shows nothing"
    node.run("sh", "-c", f"mkdir /var/run/reboot && touch {_PATH}")
    lab.wait_rolled(node)
    assert not node.succeeds("test", "-e", _PATH), "the sentinel outlived the boot"
    lab.expect_turns(node, 1)
    lab.judge({node.name: 1})
