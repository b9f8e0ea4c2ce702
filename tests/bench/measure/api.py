"""Owns talking to a plane's API server as its administrator, fast enough to make hundreds of pods."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from lab import places  # noqa: F401 - finds the plane's library

from plane.plane import Plane

T = TypeVar("T")

_AT_ONCE = 8
_PATIENCE = 30.0
# A watch may have nothing to tell for so long.
_QUIET = 600.0
MERGE = "application/merge-patch+json"


class Refused(RuntimeError):
    """The server answered, and not with success."""

    def __init__(self, what: str, code: int, answer: str) -> None:
        super().__init__(f"{what}: {code} {answer[:300]}")
        self.code = code


class Api:
    """One connection for each thread that asks."""

    def __init__(self, plane: Plane) -> None:
        pki = plane.authority.folder
        self._context = ssl.create_default_context(cafile=str(plane.authority.certificate))
        self._context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self._place = (plane.address, plane.ports["api"])
        self._own = threading.local()

    def call(self, method: str, path: str, body: Any = None, media: str = "application/json") -> Any:
        """The answer to one request."""
        connection = self._connection()
        text = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, text, {"Content-Type": media})
            answer = connection.getresponse()
            said = answer.read().decode()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status >= 300:
            raise Refused(f"{method} {path}", answer.status, said)
        return json.loads(said)

    def remove(self, path: str, uid: str | None = None) -> None:
        """Deletes an object at once; one that is gone or was made again is left as it is."""
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": uid} if uid else {}}
        try:
            self.call("DELETE", path, options)
        except Refused as refused:
            if refused.code not in (404, 409):
                raise

    def watch(self, path: str) -> http.client.HTTPResponse:
        """A watch on a connection of its own; each line is an event."""
        connection = self._open(_QUIET)
        connection.request("GET", path)
        return connection.getresponse()

    def each(self, work: Callable[[T], object], items: Iterable[T]) -> None:
        """Does this for each, some at once; the first error ends it."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for _ in pool.map(work, items):
                pass

    def _connection(self) -> http.client.HTTPSConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = self._open()
        return self._own.connection

    def _open(self, patience: float = _PATIENCE) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(*self._place, context=self._context, timeout=patience)
