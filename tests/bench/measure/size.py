"""Owns the group `size`: what is shipped, and where the program comes from."""

from __future__ import annotations

from pathlib import Path

from lab.shell import run

from .figures import MB, Values


def unpack(package: Path, folder: Path) -> Path:
    """Unpacks the package without installing it; returns its program."""
    run(["dpkg-deb", "--extract", str(package), str(folder)])
    return folder / "usr/bin/rollboot"


def measure(package: Path, program: Path) -> Values:
    """Sizes in bytes on disk, not in blocks."""
    return {
        "size.binary_mb": round(program.stat().st_size / MB, 2),
        "size.deb_mb": round(package.stat().st_size / MB, 2),
    }
