"""engine.json: which engine was started in this checkout, and what tells it from any other."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from streamdev.engine.base import EngineName


@dataclass(frozen=True)
class EngineRecord:
    """What is written down when an engine is started.

    Attributes:
        engine: Which engine.
        engine_id: In the environment of each of its processes (``STREAMDEV_ENGINE_ID``).
        endpoint_url: Where it answers.
        port: The port of that.
        started_at: When it was started, ISO 8601, UTC.
        version: LocalStack's version.
        pid: The host engine's main process; ``None`` until it exists, and in a container.
        pid_created: When that process was created, seconds since the epoch: a process of
            the same number that was created at another time is another process.
        ready: Whether it came up; ``False`` while it starts.
        detail: What a person wants to know (interpreter, database, container).
        debug_port: The first of the ports that are left free for debuggers.
    """

    engine: EngineName
    engine_id: str
    endpoint_url: str
    port: int
    started_at: str
    version: str | None = None
    pid: int | None = None
    pid_created: float | None = None
    ready: bool = False
    detail: dict[str, str] = field(default_factory=dict)
    debug_port: int | None = None

    @property
    def started(self) -> datetime:
        """``started_at`` as an aware time."""
        return datetime.fromisoformat(self.started_at)

    def write(self, path: Path) -> None:
        """Write the record at once and whole: a reader sees the old one or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        part.replace(path)


def read_record(path: Path) -> EngineRecord | None:
    """The record at ``path``; ``None`` when there is none or it can't be understood.

    A damaged record (a full disk, an older version's) is no reason to fail: the processes
    are found by their mark all the same.
    """
    try:
        raw: Any = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not isinstance(raw, dict):
        return None
    known = set(EngineRecord.__dataclass_fields__)
    try:
        record = EngineRecord(**{key: value for key, value in raw.items() if key in known})
        _ = record.started
    except (TypeError, ValueError):
        return None
    return record


def forget_record(path: Path) -> None:
    """Remove the record, if there is one."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def checkout_mark(state_root: Path) -> str:
    """What the ids of all engines of one checkout begin with."""
    return hashlib.sha256(os.fsencode(state_root.resolve())).hexdigest()[:12]


def new_engine_id(state_root: Path) -> str:
    """An id for an engine of the checkout whose state is in ``state_root``."""
    return f"{checkout_mark(state_root)}-{secrets.token_hex(4)}"
