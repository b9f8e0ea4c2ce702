"""Owns the part of a kubelet that a drain waits for: pods that were asked to end are gone some seconds later."""

from __future__ import annotations

import json
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from .api import Api

_AT_ONCE = 8


class Keeper:
    """Ends the pods of one node; nothing else of a kubelet is there."""

    def __init__(self, api: Api, node: str, seconds: float) -> None:
        self._api = api
        self._seconds = seconds
        self._due: queue.Queue[tuple[float, str, str] | None] = queue.Queue()
        self._seen: set[str] = set()
        # When the last pod was gone, by time.time().
        self.last_gone = 0.0
        self._watch = api.watch(f"/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3D{node}")
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._look, self._end)]

    def __enter__(self) -> Keeper:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._due.put(None)
        self._threads[1].join()
        # The other one ends with its watch, at the latest with this process.

    def _look(self) -> None:
        try:
            for line in self._watch:
                event = json.loads(line)
                if event["type"] == "DELETED":
                    self.last_gone = time.time()
                    continue
                meta = event["object"]["metadata"]
                if "deletionTimestamp" in meta and meta["uid"] not in self._seen:
                    self._seen.add(meta["uid"])
                    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
                    self._due.put((time.monotonic() + self._seconds, path, meta["uid"]))
        except (OSError, ValueError):
            # The server has ended, or nothing happened for long: whoever waits for a pod will say so.
            return

    def _end(self) -> None:
        # They come in the order in which they are due.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            while (due := self._due.get()) is not None:
                when, path, uid = due
                time.sleep(max(0.0, when - time.monotonic()))
                pool.submit(self._api.remove, path, uid)
