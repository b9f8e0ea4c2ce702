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
import traceback
from collections.abc import Callable, Collection
from types import FrameType
from typing import NoReturn

_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_libc = ctypes.CDLL(None, use_errno=True)


class Interrupted(BaseException):
    """SIGINT or SIGTERM came: tidy up and end."""


def run_isolated(work: Callable[[], int]) -> int:
    """Runs `work` in a process that has namespaces of its own; returns its result."""
    sys.stdout.flush()
    _call(_libc.unshare, _CLONE_NEWPID)
    child = os.fork()
    if child == 0:
        _guard(_first_process, work)
    pass_signals_to([child])
    return _status_of(child)


def _first_process(work: Callable[[], int]) -> int:
    """The first process of the namespace: starts the work and buries the orphans.

    A dead process of a machine whose parent was out here would otherwise stay a
    zombie, and the machine's systemd would wait for it when it shuts down.
    """
    _call(_libc.prctl, _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A session of its own: only the parent gets the terminal's signals, and passes them on.
    os.setsid()
    outer = int(os.readlink("/proc/self"))
    _call(_libc.unshare, _CLONE_NEWNS | _CLONE_NEWNET)
    _call(_libc.mount, b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    _call(_libc.mount, b"proc", b"/proc", b"proc", 0, None)
    # The pid that those outside know these namespaces by.
    os.environ["ROLLBOOT_LAB_PID"] = str(outer)

    worker = os.fork()
    if worker == 0:
        def interrupt(_: int, __: FrameType | None) -> None:
            raise Interrupted

        for number in _SIGNALS:
            signal.signal(number, interrupt)
        _guard(lambda _: work(), work)
    pass_signals_to([worker])
    return _status_of(worker)


def _guard(body: Callable[[Callable[[], int]], int], work: Callable[[], int]) -> NoReturn:
    """Ends this process with the result of `body`, whatever happens in it."""
    status = 1
    try:
        status = body(work)
    except Interrupted:
        status = 130
    except BaseException:  # noqa: BLE001 - the last one who can tell
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def pass_signals_to(children: Collection[int]) -> None:
    """From now on they get what interrupts this process. Whoever takes one out of them has buried it."""
    def pass_on(number: int, _: FrameType | None) -> None:
        for child in children:
            os.kill(child, number)

    for number in _SIGNALS:
        signal.signal(number, pass_on)


def _status_of(child: int) -> int:
    """Waits for the child, and for whoever else ends before it."""
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _call(function: Callable[..., int], *arguments: object) -> None:
    """Calls the C library and raises what went wrong."""
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{getattr(function, '__name__', 'libc')}: {os.strerror(number)}")
