"""Owns waiting: always with a deadline and a name for what is awaited."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitedInVain(AssertionError):
    """What was awaited did not come in time."""


def wait_until(what: str, check: Callable[[], T], timeout: float = 60.0, interval: float = 0.1) -> T:
    """Calls `check` until it returns something true, and returns that.

    An error of `check` counts as "not yet"; the last one is told in the end.
    """
    deadline = time.monotonic() + timeout
    trouble: Exception | None = None
    while True:
        try:
            value = check()
            if value:
                return value
            trouble = None
        except (OSError, RuntimeError, LookupError, ValueError) as error:
            trouble = error
        if time.monotonic() > deadline:
            because = f" ({type(trouble).__name__}: {trouble})" if trouble else ""
            raise WaitedInVain(f"not within {timeout:g} s: {what}{because}") from trouble
        time.sleep(interval)


def holds_for(what: str, check: Callable[[], bool], seconds: float, interval: float = 0.1) -> None:
    """Fails if `check` is ever false during that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not check():
            raise AssertionError(f"no longer true: {what}")
        time.sleep(interval)
