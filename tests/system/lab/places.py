"""Owns where things are: the repository, the cache, a lab's own folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

SYSTEM = Path(__file__).resolve().parent.parent
REPOSITORY = SYSTEM.parent.parent
CONTROL_PLANE = SYSTEM.parent / "control-plane"
RESULTS = REPOSITORY / "target" / "system"
PACKAGES = REPOSITORY / "target" / "packages"

# The plane's own library lives with what it starts.
sys.path.insert(0, str(CONTROL_PLANE))


def cache() -> Path:
    """Where everything is kept that takes long to make."""
    named = os.environ.get("ROLLBOOT_LAB_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollboot-lab"


def labs() -> Path:
    """Where running labs have their folders, one each."""
    return cache() / "labs"
