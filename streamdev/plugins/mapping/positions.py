"""Where each mapping stands in its stream, on disk.

One small journal per stream and function: a JSON line per move, the last one of a shard counts.
Appending a line is one system call and can't spoil what is there; a last line that was cut is
left out when the file is read. The file is written anew when it has grown.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)

REWRITE_AT = 256 * 1024


@dataclass(frozen=True)
class Position:
    """How far a shard is done.

    Attributes:
        after: The last sequence number that is done; ``None``: nothing, begin at the start.
        window: An open tumbling window, as JSON, or ``None``.
        closed: Whether the shard was closed and is done to its end.
    """

    after: str | None = None
    window: dict[str, Any] | None = None
    closed: bool = False


class Positions:
    """The positions of one mapping, by shard.

    Args:
        folder: Where journals are kept; ``None`` keeps them in memory only.
        stream_arn: The stream, with its label: a new stream of the same table starts anew.
        function_arn: The function as the mapping names it, with its qualifier.
    """

    def __init__(self, folder: Path | None, stream_arn: str, function_arn: str) -> None:
        self._about = {"stream": stream_arn, "function": function_arn}
        self._lock = threading.Lock()
        self._shards: dict[str, Position] = {}
        self._file: int | None = None
        self._size = 0
        self.path: Path | None = None
        if folder is not None:
            digest = hashlib.sha256(f"{stream_arn}\n{function_arn}".encode()).hexdigest()[:32]
            self.path = folder / f"{digest}.jsonl"
            self._load(self.path)

    def _load(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lines = path.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                LOG.warning("a line of %s can't be read and is left out: %r", path, line[:200])
                continue
            if "shard" in entry:
                self._shards[entry["shard"]] = Position(
                    entry.get("after"), entry.get("window"), entry.get("closed", False)
                )

    def __bool__(self) -> bool:
        """Whether anything is known."""
        return bool(self._shards)

    def all(self) -> dict[str, Position]:
        """All known positions, by shard."""
        with self._lock:
            return dict(self._shards)

    def get(self, shard: str) -> Position | None:
        """The position in ``shard``, if known."""
        return self._shards.get(shard)

    def set(self, shard: str, position: Position) -> None:
        """Move to ``position``. A disk that is full is told once per call, nothing is raised."""
        with self._lock:
            if self._shards.get(shard) == position:
                return
            self._shards[shard] = position
            self._write(shard, position)

    def drop_shard(self, shard: str) -> None:
        """Forget a shard that the stream does not have any more."""
        with self._lock:
            if self._shards.pop(shard, None) is not None and self.path is not None:
                self._try(self._rewrite)

    def drop(self) -> None:
        """Forget everything: the mapping or its stream is gone."""
        with self._lock:
            self._shards.clear()
            self._close()
            if self.path is not None:
                self.path.unlink(missing_ok=True)

    def take_over(self, other: Positions) -> None:
        """Go on where ``other`` stood, which is forgotten: the mapping got another function."""
        for shard, position in other.all().items():
            self.set(shard, position)
        other.drop()

    def close(self) -> None:
        """Let go of the file; what was set is in it."""
        with self._lock:
            self._close()

    def _write(self, shard: str, position: Position) -> None:
        if self.path is None:
            return
        if self._file is None or self._size > REWRITE_AT:
            self._try(self._rewrite)
        else:
            line = _line(shard, position)
            self._try(lambda: self._append(line))

    def _try(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            LOG.warning("positions can't be kept in %s: %s", self.path, error)

    def _append(self, line: bytes) -> None:
        assert self._file is not None
        os.write(self._file, line)
        self._size += len(line)

    def _rewrite(self) -> None:
        assert self.path is not None
        self._close()
        content = json.dumps(self._about).encode() + b"\n"
        content += b"".join(_line(shard, position) for shard, position in self._shards.items())
        new = self.path.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self.path)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = len(content)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _line(shard: str, position: Position) -> bytes:
    entry: dict[str, Any] = {"shard": shard, "after": position.after}
    if position.window is not None:
        entry["window"] = position.window
    if position.closed:
        entry["closed"] = True
    return json.dumps(entry).encode() + b"\n"
