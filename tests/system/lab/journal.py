"""Owns reading a machine's journal, across its boots and from outside."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .shell import run


@dataclass(frozen=True)
class Entry:
    """One line of a journal; `fields` has all of it."""

    time: float
    boot_id: str
    unit: str
    priority: int
    message: str
    fields: dict[str, object]

    def __str__(self) -> str:
        return f"{self.time:.3f} {self.boot_id[:4]} {self.unit or '-'}: {self.message}"


def read_journal(folder: Path, unit: str | None = None) -> list[Entry]:
    """Every entry of a persistent journal, oldest first, of one unit or of all."""
    if not folder.exists():
        return []
    command = ["journalctl", f"--directory={folder}", "--output=json", "--all", "--no-pager", "--quiet"]
    if unit is not None:
        command += [f"_SYSTEMD_UNIT={unit}", "+", f"UNIT={unit}"]
    return [_entry(json.loads(line)) for line in run(command).splitlines()]


def _entry(fields: dict[str, object]) -> Entry:
    message = fields.get("MESSAGE", "")
    if isinstance(message, list):
        message = bytes(message).decode(errors="replace")
    return Entry(
        time=int(str(fields.get("__REALTIME_TIMESTAMP", 0))) / 1e6,
        boot_id=str(fields.get("_BOOT_ID", "")),
        unit=str(fields.get("_SYSTEMD_UNIT", "")),
        priority=int(str(fields.get("PRIORITY", 6))),
        message=str(message),
        fields=fields,
    )
