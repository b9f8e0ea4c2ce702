"""Owns the lab's namespaces: mounts, network and processes of its own.

Bridges, overlay mounts and processes made in there vanish with the lab's first
process, however it ends; nothing of the host's is touched. The one who started
the lab stays outside, passes signals on and cleans the files up.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(BaseException):
    """SIGINT or SIGTERM came: tidy up and end."""


def run_isolated(work: Callable[[], int]) -> int:
    """Runs `work` in a child that has namespaces of its own; returns its result."""
    sys.stdout.flush()
    _call(_libc.unshare, _CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _enter()
            status = work()
        except Interrupted:
            status = 130
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def pass_on(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _enter() -> None:
    """Makes the child the first process of a world of its own."""
    _call(_libc.prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A session of its own: only the parent gets the terminal's signals, and passes them on.
    os.setsid()
    # The old /proc still shows the pid that those outside know this process by.
    os.environ["ROLLBOOT_LAB_PID"] = os.readlink("/proc/self")
    _call(_libc.unshare, _CLONE_NEWNS | _CLONE_NEWNET)
    _call(_libc.mount, b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    _call(_libc.mount, b"proc", b"/proc", b"proc", 0, None)

    def interrupt(_: int, __: FrameType | None) -> None:
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _call(function: Callable[..., int], *arguments: object) -> None:
    """Calls the C library and raises what went wrong."""
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{getattr(function, '__name__', 'libc')}: {os.strerror(number)}")
