"""What belongs to others on the host is hidden from the service: homes, keys of the control plane, of SSH and TLS, what etcd and k3s keep,
Secrets of pods. The CA beside those keys is not, and a node whose kubeconfig names it reboots.
"""

from lab.machine import Machine
from lab.rollboot import UNIT
from lab.scenario import Lab

_HIDDEN = [
    "/root/.kube/config", "/home/somebody/.ssh/id_ed25519", "/tmp/lab-secret", "/var/tmp/lab-secret",
    "/etc/kubernetes/admin.conf", "/etc/kubernetes/pki/ca.key", "/etc/kubernetes/pki/sa.key",
    "/etc/kubernetes/pki/apiserver.key", "/etc/kubernetes/pki/etcd/ca.key", "/var/lib/etcd/member/snap/db",
    "/var/lib/rancher/k3s/server/token", "/var/lib/rancher/rke2/server/token", "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssl/private/host.key",
]
_SEEN = ["/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/kubelet.conf"]
_SECRET = "only for others\n"


def _case(number: int, systemd: str) -> object:
    def run(lab: Lab) -> None:
        node: Machine = lab.machines[number]
        for path in _HIDDEN:
            node.write(path, _SECRET)
        lab.install()
        pid = str(node.main_pid(UNIT))
        for path in _HIDDEN:
            # Root with all capabilities, but where the service is.
            shown = node.run("nsenter", "-t", pid, "-m", "cat", path, check=False)
            assert _SECRET not in shown, f"{path} can be read by the service"
        for path in _SEEN:
            assert node.run("nsenter", "-t", pid, "-m", "cat", path), f"{path} cannot be read by the service"
        mode = node.run("stat", "-c", "%a", "/run/rollboot/status.json", "/run/rollboot/lock").split()
        assert mode == ["644", "600"], f"status and lock have the modes {mode}"
        node.ask_for_reboot()
        lab.wait_rolled(node)
        node.run("rm", "-f", *_HIDDEN)
        lab.judge({node.name: 1})

    run.__doc__ = f"Files of others are hidden from the service on {systemd}, and it reboots the node all the same."
    return run


CASES = {"bookworm": _case(0, "systemd 252"), "trixie": _case(2, "systemd 257")}
