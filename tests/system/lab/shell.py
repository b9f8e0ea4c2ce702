"""Owns running commands: output captured, a deadline, errors that quote both."""

from __future__ import annotations

import subprocess
from pathlib import Path


class CommandFailed(RuntimeError):
    """A command ended with an error; `output` is all it printed."""

    def __init__(self, command: list[str], status: int, output: str) -> None:
        super().__init__(f"{' '.join(command)}: exit {status}: {output.strip()[-2000:]}")
        self.status = status
        self.output = output


def run(command: list[str], stdin: str | None = None, timeout: float = 60.0, check: bool = True) -> str:
    """Runs a command and returns its standard output and, on error, raises both."""
    done = subprocess.run(
        command, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=timeout, check=False,
    )
    if check and done.returncode != 0:
        raise CommandFailed(command, done.returncode, done.stdout + done.stderr)
    return done.stdout


def run_logged(command: list[str], log: Path, timeout: float = 1800.0, env: dict[str, str] | None = None) -> None:
    """Runs a long command with its output in a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=timeout,
            check=False, env=env,
        )
    if done.returncode != 0:
        raise CommandFailed(command, done.returncode, log.read_text(errors="replace"))
