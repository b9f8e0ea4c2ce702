"""Owns one control plane: etcd, the API server and, if wanted, the controllers.

Everything about a plane is in its folder, `plane.json` included, so that one
program may start it, another use it and a third end it. Several planes live
side by side: every port is a free one.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .pki import Authority, kubeconfig
from .process import Process, spawn

_PORTS = ("etcd", "etcd-peer", "api", "second-api", "controllers", "scheduler")

_AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: RequestResponse
  resources:
  - {group: "", resources: [configmaps], resourceNames: [rollboot]}
- level: RequestResponse
  verbs: [patch, update]
  resources: [{group: "", resources: [nodes, nodes/status]}]
- level: Metadata
"""


@dataclass
class Plane:
    """A control plane and where its parts are."""

    folder: Path
    binaries: Path
    address: str
    ports: dict[str, int]
    with_controllers: bool = False
    processes: dict[str, Process] = field(default_factory=dict)

    # -- life ---------------------------------------------------------------

    @classmethod
    def create(cls, folder: Path, binaries: Path, address: str = "127.0.0.1", controllers: bool = False) -> Plane:
        """Makes the folder, certificates and kubeconfigs of a new plane."""
        folder = folder.resolve()
        if (folder / "plane.json").exists():
            raise RuntimeError(f"{folder} already has a plane: end it first")
        for name in ("log", "etcd", "nodes"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        plane = cls(folder, binaries, address, dict(zip(_PORTS, _free_ports(len(_PORTS)))), controllers)
        authority = plane.authority
        authority.create()
        authority.issue("apiserver", "kube-apiserver", "", (
            "DNS:localhost", "DNS:kubernetes.default.svc", "IP:127.0.0.1", "IP:10.96.0.1", f"IP:{address}",
        ))
        authority.issue("apiserver-kubelet", "rollboot-test-apiserver", "system:masters")
        for file, name, organization in (
            ("admin", "admin", "system:masters"),
            ("controllers", "system:kube-controller-manager", ""),
            ("scheduler", "system:kube-scheduler", ""),
        ):
            authority.issue(file, name, organization)
            pki = authority.folder
            text = kubeconfig(plane.server, authority.certificate, pki / f"{file}.crt", pki / f"{file}.key")
            (folder / f"{file}.kubeconfig").write_text(text)
        (folder / "audit-policy.yaml").write_text(_AUDIT_POLICY)
        plane._save()
        return plane

    @classmethod
    def load(cls, folder: Path) -> Plane:
        """The plane that lives in a folder."""
        folder = folder.resolve()
        saved = json.loads((folder / "plane.json").read_text())
        processes = {name: Process(**process) for name, process in saved["processes"].items()}
        return cls(
            folder, Path(saved["binaries"]), saved["address"], saved["ports"], saved["with_controllers"], processes,
        )

    def start(self) -> None:
        """Starts every part and waits until the API server is ready."""
        self.start_part("etcd")
        self.start_api()
        if self.with_controllers:
            self.start_part("controllers")
            self.start_part("scheduler")

    def start_api(self) -> None:
        """Starts the API server alone and waits until it is ready."""
        self.start_part("api")
        self.wait_ready()

    def start_second_api(self) -> None:
        """Starts another API server on the same etcd, and tells its URL in plane.json."""
        self.start_part("second-api")
        self.wait_ready("second-api")

    def start_part(self, name: str) -> None:
        """Starts one part; does nothing if it runs."""
        if name in self.processes and self.processes[name].alive():
            return
        self.processes[name] = spawn(self._command(name), self.folder / "log" / f"{name}.log")
        self._save()

    def stop_part(self, name: str, kill: bool = False) -> None:
        """Ends one part, gently or by SIGKILL."""
        process = self.processes.pop(name, None)
        if process is not None:
            if kill:
                process.kill()
            else:
                process.end()
        self._save()

    def stop(self) -> None:
        """Ends every part. etcd is killed: its data is not needed any more."""
        for name in ("scheduler", "controllers", "second-api", "api", "etcd"):
            self.stop_part(name, kill=True)
        (self.folder / "plane.json").unlink(missing_ok=True)

    def wait_ready(self, name: str = "api", patience: float = 60.0) -> None:
        """Waits for /readyz of an API server."""
        deadline = time.monotonic() + patience
        while not self.ready(name):
            if not self.processes[name].alive() or time.monotonic() > deadline:
                log = (self.folder / "log" / f"{name}.log").read_text(errors="replace")
                raise RuntimeError(f"the API server does not get ready:\n{log[-2000:]}")
            time.sleep(0.05)

    def ready(self, name: str = "api") -> bool:
        """Whether an API server says that it is ready."""
        pki = self.authority.folder
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        connection = http.client.HTTPSConnection(self.address, self.ports[name], context=context, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    # -- use ----------------------------------------------------------------

    @property
    def authority(self) -> Authority:
        """Who signs this plane's certificates."""
        return Authority(self.folder / "pki")

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://{self.address}:{self.ports['api']}"

    @property
    def second_server(self) -> str | None:
        """The URL of the other API server, if it was started."""
        return f"https://{self.address}:{self.ports['second-api']}" if "second-api" in self.processes else None

    @property
    def admin_kubeconfig(self) -> Path:
        """A credential that may do everything."""
        return self.folder / "admin.kubeconfig"

    @property
    def etcd(self) -> str:
        """The URL of etcd."""
        return f"http://127.0.0.1:{self.ports['etcd']}"

    @property
    def audit_log(self) -> Path:
        """Who asked the API server for what, one JSON object a line."""
        return self.folder / "log" / "audit.log"

    def node_credential(self, node: str) -> tuple[Path, str]:
        """The certificate and key of a node's kubelet: (its file, its text)."""
        pem = self.folder / "nodes" / f"{node}.pem"
        if not pem.exists():
            self.authority.issue(f"node-{node}", f"system:node:{node}", "system:nodes", (f"DNS:{node}",))
            pki = self.authority.folder
            pem.touch(mode=0o600)
            pem.write_text((pki / f"node-{node}.crt").read_text() + (pki / f"node-{node}.key").read_text())
        return pem, pem.read_text()

    def node_kubeconfig(self, node: str) -> Path:
        """A kubeconfig like the kubelet's of that node, for use on this machine."""
        pem, _ = self.node_credential(node)
        path = self.folder / "nodes" / f"{node}.kubeconfig"
        path.write_text(kubeconfig(self.server, self.authority.certificate, pem, pem))
        return path

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 30.0) -> str:
        """Runs kubectl as the administrator and returns what it prints."""
        done = subprocess.run(
            [str(self.binaries / "kubectl"), f"--kubeconfig={self.admin_kubeconfig}",
             f"--cache-dir={self.folder / 'kubectl'}", *arguments],
            input=stdin, capture_output=True, text=True, check=False, timeout=timeout,
        )
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    # -- inside -------------------------------------------------------------

    def _save(self) -> None:
        text = json.dumps({
            "binaries": str(self.binaries), "address": self.address, "ports": self.ports, "server": self.server,
            "second_server": self.second_server,
            "with_controllers": self.with_controllers,
            "processes": {name: asdict(process) for name, process in self.processes.items()},
        }, indent=1)
        fresh = self.folder / "plane.json.new"
        fresh.write_text(text)
        fresh.rename(self.folder / "plane.json")

    def _command(self, name: str) -> list[str]:
        pki, ports = self.authority.folder, self.ports
        if name == "etcd":
            client, peer = self.etcd, f"http://127.0.0.1:{ports['etcd-peer']}"
            return [
                str(self.binaries / "etcd"), f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync",
                f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}", "--log-level=warn",
            ]
        if name in ("api", "second-api"):
            log = self.audit_log if name == "api" else self.folder / "log" / "second-audit.log"
            command = [
                str(self.binaries / "kube-apiserver"), f"--etcd-servers={self.etcd}",
                # The history of the lock is judged from etcd: nothing may be compacted.
                "--etcd-compaction-interval=0",
                f"--secure-port={ports[name]}", f"--bind-address={self.address}",
                f"--advertise-address={self.address}", "--endpoint-reconciler-type=none",
                f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key",
                f"--client-ca-file={pki}/ca.crt",
                f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
                f"--kubelet-client-key={pki}/apiserver-kubelet.key",
                "--kubelet-preferred-address-types=InternalIP", "--allow-privileged",
                "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
                "--service-cluster-ip-range=10.96.0.0/16", f"--audit-policy-file={self.folder}/audit-policy.yaml",
                f"--audit-log-path={log}",
            ]
            if not self.with_controllers:
                # Nobody would create the service accounts that it asks for.
                command.append("--disable-admission-plugins=ServiceAccount")
            return command
        credential = f"{self.folder}/{name}.kubeconfig"
        common = [
            f"--kubeconfig={credential}", f"--authentication-kubeconfig={credential}",
            f"--authorization-kubeconfig={credential}", f"--secure-port={ports[name]}",
            "--bind-address=127.0.0.1", "--leader-elect=false",
        ]
        if name == "scheduler":
            return [str(self.binaries / "kube-scheduler"), *common]
        return [
            str(self.binaries / "kube-controller-manager"), *common, "--use-service-account-credentials",
            f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={pki}/ca.crt",
            f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
        ]


class KubectlError(RuntimeError):
    """kubectl ended with an error; the text is what it said."""


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different because all are held at once."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
