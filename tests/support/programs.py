"""Small programs that stand in for what a machine may have, and who is told of progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


def program(path: Path, script: str) -> Path:
    """An executable shell script at ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@dataclass
class Notes:
    """Collects what people would be told."""

    notes: list[str] = field(default_factory=list)

    def step(self, message: str) -> None:
        self.notes.append(message)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def download(self, what: str, done: int, total: int | None) -> None:
        self.notes.append(f"{what}: {done} of {total}")
