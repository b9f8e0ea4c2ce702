"""Owns the command line of `run`: reads it, prepares, enters the lab, sums up."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from . import places, side_by_side
from .isolation import run_isolated


def main() -> int:
    """The whole run; returns the exit status."""
    from . import prepare, runner
    from .cluster import Parts

    arguments = _read()
    scenarios = runner.select(arguments.scenarios)
    if arguments.list:
        for scenario in scenarios:
            print(f"{scenario.name}: {scenario.sentence}")
        return 0
    if not scenarios and not arguments.up:
        print(f"no scenario is called {' or '.join(arguments.scenarios)}; see --list", file=sys.stderr)
        return 2
    prepare.check_root()
    prepare.install_tools()
    prepare.raise_limits()
    package = package_under_test(arguments.deb)
    suites = tuple(arguments.suites.split(","))
    programs = prepare.binaries()
    parts = Parts(
        programs, prepare.images(programs), {suite: prepare.base(suite) for suite in set(suites)}, package, suites,
    )

    _sweep()
    stay = runner.Stay.FROM_THE_START if arguments.up else runner.Stay.AFTER_THE_LAST if arguments.keep else runner.Stay.NO
    if arguments.up:
        scenarios = []
    labs = 1 if stay is not runner.Stay.NO else min(arguments.labs, len(scenarios))

    def lab(number: int, take: side_by_side.Take, tell: side_by_side.Tell) -> int:
        if labs > 1:
            runner.name_lab(f"lab {number}")
        folder = places.labs() / f"{os.getpid()}"
        folder.mkdir(parents=True, exist_ok=True)
        held = _hold(folder)
        try:
            mine = (scenarios[each] for each in take)
            return run_isolated(lambda: runner.run(folder, parts, mine, tell, stay))
        finally:
            remove_lab(folder)
            held.close()

    result = side_by_side.run(labs, len(scenarios), lab)
    if scenarios:
        print(f"{result.passed} passed, {result.failed} failed", flush=True)
    return result.status or (1 if result.failed else 0)


def _read() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tests/system/run", description="Real machines, a real control plane, the real package.",
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="part of a scenario's name")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--keep", action="store_true", help="leave the lab up at the end, until interrupted")
    parser.add_argument("--up", action="store_true", help="run nothing: a lab to look around in, until interrupted")
    parser.add_argument(
        "--labs", type=_count, default=2, help="how many labs share the scenarios (default: %(default)s; with --keep one)",
    )
    parser.add_argument("--deb", type=Path, help="the package (default: $ROLLBOOT_DEB, then target/packages/*.deb)")
    parser.add_argument(
        "--suites", default="bookworm,bookworm,trixie", help="Debian release of each machine (default: %(default)s)",
    )
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or text == "0":
        raise argparse.ArgumentTypeError("it takes at least one lab")
    return int(text)


def package_under_test(named: Path | None) -> Path:
    """The package under test: as told, or the newest one built; without one it is built."""
    if named is None and os.environ.get("ROLLBOOT_DEB"):
        named = Path(os.environ["ROLLBOOT_DEB"])
    if named is not None:
        if not named.is_file():
            raise SystemExit(f"{named} is not a file")
        return named.resolve()
    built = sorted(places.PACKAGES.glob("*.deb"), key=lambda path: path.stat().st_mtime)
    if built:
        return built[-1]
    subprocess.run([places.REPOSITORY / "packaging/build"], check=True)
    return max(places.PACKAGES.glob("*.deb"), key=lambda path: path.stat().st_mtime)


def _hold(folder: Path) -> IO[str]:
    """Marks a lab as running: the lock ends with the last of its processes, however they end."""
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _sweep() -> None:
    """Removes what labs left whose every process was killed."""
    for path in places.labs().glob("*/lock"):
        try:
            with path.open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_lab(path.parent)
        except OSError:
            continue


def remove_lab(folder: Path) -> None:
    """Removes the files of a lab that has ended, however it ended."""
    from .cgroups import remove_all

    remove_all(folder)
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
