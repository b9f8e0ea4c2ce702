"""Owns running scenarios in several labs at once.

Most of a scenario is waiting for machines to boot, so labs side by side take hardly longer than one. Each is a child of
its own and takes the next scenario when it is done with one.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .isolation import pass_signals_to

# What a lab says of a scenario.
PASSED, FAILED = b"p", b"f"

Take = Iterator[int]
Tell = Callable[[bool], None]


@dataclass(frozen=True)
class Result:
    """How many scenarios passed, how many did not, and the worst exit status of a lab."""

    passed: int
    failed: int
    status: int


def run(labs: int, scenarios: int, lab: Callable[[int, Take, Tell], int]) -> Result:
    """Hands the numbers of so many scenarios out to so many labs; returns how that went.

    `lab` gets its number (1, 2, …), the scenarios, and whom to tell of each result. One that it took and told nothing of has
    not passed.
    """
    # Both pipes hold a byte for each scenario (there may be 256) without anybody reading, and a byte is never torn.
    todo, give = os.pipe()
    os.write(give, bytes(range(scenarios)))
    os.close(give)
    results, tell = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    children = [_child(number, lab, todo, tell) for number in range(1, labs + 1)]
    os.close(tell)
    status = _wait(children)
    said = b"".join(iter(lambda: os.read(results, 4096), b""))
    os.close(todo)
    os.close(results)
    passed = said.count(PASSED)
    return Result(passed, scenarios - passed, status)


def _child(number: int, lab: Callable[[int, Take, Tell], int], todo: int, tell: int) -> int:
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        # The terminal's signals come by way of the parent, once.
        os.setpgid(0, 0)
        status = lab(number, _handed_out(todo), lambda passed: _tell(tell, passed))
    except SystemExit as error:
        print(error, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - the last one who can tell
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _handed_out(todo: int) -> Take:
    while number := os.read(todo, 1):
        yield number[0]


def _tell(tell: int, passed: bool) -> None:
    os.write(tell, PASSED if passed else FAILED)


def _wait(children: list[int]) -> int:
    """Waits for all of them, and passes signals on; returns the worst exit status."""
    living = set(children)
    pass_signals_to(living)
    worst = 0
    while living:
        ended, status = os.wait()
        living.discard(ended)
        worst = max(worst, abs(os.waitstatus_to_exitcode(status)))
    return worst
