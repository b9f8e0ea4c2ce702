"""The API server's name has two addresses, and packets to one of them vanish: the node reaches it as kubectl does."""

from lab.machine import Machine
from lab.rollboot import QUICK
from lab.scenario import Lab

# A name that the API server's certificate has.
_NAME = "kubernetes.default.svc"
_DEAD = "10.77.0.200"
_KUBECONFIG = "/etc/rollboot/two-addresses.kubeconfig"


def run(lab: Lab) -> None:
    """The dead address comes first in /etc/hosts; a neighbour that does not exist takes its packets."""
    node = lab.machines[0]
    address = lab.plane.address
    node.run("sh", "-c", f"echo '{_DEAD} {_NAME}' >>/etc/hosts; echo '{address} {_NAME}' >>/etc/hosts")
    _swallow(node)
    text = node.run("cat", "/etc/kubernetes/kubelet.conf").replace(f"https://{address}:", f"https://{_NAME}:")
    node.write(_KUBECONFIG, text)
    try:
        lab.install(f'kubeconfig = "{_KUBECONFIG}"\n{QUICK}')
        node.ask_for_reboot()
        lab.wait_holds(node, 90)
        node.wait_boots(len(node.boots) + 1, 120)
        _swallow(node)
        lab.wait_rolled(node)
    finally:
        node.run("sed", "-i", f"/{_NAME}/d", "/etc/hosts", check=False)
    lab.judge({node.name: 1})


def _swallow(node: Machine) -> None:
    """Packets to that address go to nobody, instead of being refused. A boot forgets it."""
    node.run("ip", "neighbour", "replace", _DEAD, "lladdr", "02:00:00:00:00:99", "dev", "host0", "nud", "permanent")
