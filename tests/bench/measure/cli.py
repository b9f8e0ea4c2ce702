"""Owns the command line of `run`: reads it, measures, tells."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from lab import places, prepare, runner
from lab.cli import package_under_test, remove_lab
from lab.cluster import Parts
from lab.isolation import run_isolated
from lab.scenario import Lab
from lab.waiting import WaitedInVain

from . import drain, handover, idle, lock, size, start
from .figures import Values, tell

_GROUPS = ("size", "start", "drain", "handover", "idle", "lock")


def main() -> int:
    """The whole run; returns the exit status."""
    arguments = _read()
    # Progress of any kind goes to standard error, that of programs we start included.
    sys.stdout.flush()
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    package = package_under_test(arguments.deb)
    names = [name for name in _GROUPS if name in (arguments.names or _GROUPS)]
    values, failed = _measure(names, package, arguments)
    if not arguments.json:
        print(tell(values), file=answer)
    print(json.dumps(values), file=answer, flush=True)
    return 1 if failed else 0


def _read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/run", description="Measures the real package.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(_GROUPS)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print nothing but one JSON object")
    parser.add_argument("--idle", type=float, default=300, metavar="SECONDS", help="how long to be idle (default: 300)")
    parser.add_argument("--deb", type=Path, help="the package (default: $ROLLBOOT_DEB, then target/packages/*.deb)")
    parser.add_argument("--suites", default="trixie", help="Debian release of each machine (default: %(default)s)")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(_GROUPS)
    if unknown:
        parser.error(f"no group is called {' or '.join(sorted(unknown))}; there are {', '.join(_GROUPS)}")
    return arguments


def _measure(names: list[str], package: Path, arguments: argparse.Namespace) -> tuple[Values, bool]:
    """Measures the groups; what could be measured, and whether something could not."""
    values: Values = {}
    failed = False
    with tempfile.TemporaryDirectory(prefix="rollboot-bench-") as scratch:
        folder = Path(scratch)
        try:
            program = size.unpack(package, folder / "package")
            manifests = folder / "package/usr/share/rollboot/kubernetes"
            if "size" in names:
                values |= size.measure(package, program)
            if "start" in names:
                values |= start.measure(program, folder)
            if "drain" in names:
                values |= drain.measure(program, manifests, folder)
            if "handover" in names:
                values |= handover.measure(program, manifests, folder)
        except (OSError, RuntimeError, WaitedInVain) as error:
            print(error, file=sys.stderr)
            failed = True
        # Last: once the lab has ended, this process starts no other.
        inside = [name for name in names if name in ("idle", "lock")]
        if inside:
            failed |= _in_lab(inside, package, arguments, folder / "values.json")
            if (folder / "values.json").exists():
                values |= json.loads((folder / "values.json").read_text())
    return values, failed


def _in_lab(names: list[str], package: Path, arguments: argparse.Namespace, result: Path) -> bool:
    """Runs the groups that need machines as one scenario; whether that failed."""
    prepare.check_root()
    prepare.install_tools()
    suites = tuple(arguments.suites.split(","))
    programs = prepare.binaries()
    bases = {suite: prepare.base(suite) for suite in set(suites)}
    parts = Parts(programs, prepare.images(programs), bases, package, suites)

    def run(lab: Lab) -> None:
        values: Values = {}
        for name in names:
            values |= idle.measure(lab, arguments.idle) if name == "idle" else lock.measure(lab)
            # The lab is a process of its own, so this is how it answers.
            result.write_text(json.dumps(values))

    sentence = f"measuring {' and '.join(names)}; idle takes {arguments.idle:g} s"
    scenario = runner.Scenario("bench", sentence, int(arguments.idle) + 600, run)
    folder = places.labs() / f"{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return run_isolated(lambda: runner.run(folder, parts, iter([scenario]), lambda _: None, runner.Stay.NO)) != 0
    finally:
        remove_lab(folder)
