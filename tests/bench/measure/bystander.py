"""Owns another client of the API server, which reads one object again and again: what a drain costs it.

A process of its own, so that nothing else of the harness is in its times.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import threading
import time
from types import TracebackType

if __name__ != "__main__":
    from lab import places  # noqa: F401 - finds the plane's library

    from plane.plane import Plane

_PAUSE = 0.01
_PATH = "/api/v1/namespaces/kube-system"


class Bystander:
    """Asks while it is entered."""

    def __init__(self, plane: Plane) -> None:
        pki = plane.authority.folder
        self._command = [
            sys.executable, __file__, plane.address, str(plane.ports["api"]), str(plane.authority.certificate),
            str(pki / "admin.crt"), str(pki / "admin.key"),
        ]
        self._times: list[tuple[float, float]] = []

    def __enter__(self) -> Bystander:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        said, _ = self._process.communicate("")
        self._times = json.loads(said)

    def p99_ms(self, begin: float = 0.0, end: float = float("inf")) -> float:
        """The 99th percentile of what it waited for an answer, of requests begun in this time."""
        waited = sorted(took for when, took in self._times if begin <= when <= end)
        if len(waited) < 100:
            raise RuntimeError(f"the bystander got only {len(waited)} answers: too few to tell")
        return waited[int(len(waited) * 0.99)] * 1000


def _ask(address: str, port: str, authority: str, certificate: str, key: str) -> None:
    context = ssl.create_default_context(cafile=authority)
    context.load_cert_chain(certificate, key)
    connection = http.client.HTTPSConnection(address, int(port), context=context, timeout=30)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    times = []
    while not ended.wait(_PAUSE):
        when, began = time.time(), time.monotonic()
        connection.request("GET", _PATH)
        connection.getresponse().read()
        times.append((when, time.monotonic() - began))
    print(json.dumps(times))


if __name__ == "__main__":
    _ask(*sys.argv[1:])
