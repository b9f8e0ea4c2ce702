"""Owns the certificates: one authority per plane, keys by openssl.

Elliptic-curve keys take milliseconds, which is why nothing is cached.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Authority:
    """A certificate authority that lives in one folder."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """The certificate that others verify with."""
        return self.folder / "ca.crt"

    def create(self) -> None:
        """Makes the authority, and the key pair that signs service accounts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._openssl(
            "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-days", "30",
            "-subj", "/CN=rollboot-test-ca", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature",
        )
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")
        self._openssl("ec", "-in", "sa.key", "-pubout", "-out", "sa.pub")

    def issue(self, file: str, name: str, organization: str = "", alternatives: tuple[str, ...] = ()) -> None:
        """Writes `file`.crt and `file`.key for a client or (with alternatives) a server."""
        subject = (f"/O={organization}" if organization else "") + f"/CN={name}"
        self._openssl("req", "-new", *_NEW_KEY, "-keyout", f"{file}.key", "-out", f"{file}.csr", "-subj", subject)
        extensions = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n"
        if alternatives:
            extensions += "subjectAltName=" + ",".join(alternatives) + "\n"
        (self.folder / f"{file}.ext").write_text(extensions)
        self._openssl(
            "x509", "-req", "-in", f"{file}.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
            "-set_serial", str(int.from_bytes(file.encode()[-15:], "big") + 1),
            "-days", "30", "-extfile", f"{file}.ext", "-out", f"{file}.crt",
        )

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False, timeout=30,
        )
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def kubeconfig(server: str, authority: Path, certificate: Path, key: Path) -> str:
    """A kubeconfig that names its files, as the kubelet's does."""
    return f"""apiVersion: v1
kind: Config
current-context: default
contexts:
- name: default
  context: {{cluster: default, user: default}}
clusters:
- name: default
  cluster:
    server: {server}
    certificate-authority: {authority}
users:
- name: default
  user:
    client-certificate: {certificate}
    client-key: {key}
"""
