"""Which records of a stream no function is told of, in memory and on disk."""

from __future__ import annotations

import json
import logging
import os
import time
from bisect import bisect_right
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)

# A stream keeps its records for 24 hours.
KEPT_FOR = 25 * 3600.0


class QuietRanges:
    """Which sequence numbers of one stream are quiet, in memory and in a small file.

    Args:
        path: The file; ``None`` keeps them in memory only.
        stream_arn: The stream.
    """

    def __init__(self, path: Path | None, stream_arn: str) -> None:
        self._path = path
        self._stream_arn = stream_arn
        # After which number each begins, in order; the last number of each. ``None``: open.
        self._after: tuple[int, ...] = ()
        self._last: tuple[int | None, ...] = ()
        self._size_before = 0
        if path is not None and path.exists():
            self._load(path)

    def hold(self, number: int) -> bool:
        """Whether the record with this number is quiet."""
        # In this order: a range's end is there before its beginning.
        after, last = self._after, self._last
        # Numbers grow, and the first one of a range is the one after ``after``.
        index = bisect_right(after, number - 1) - 1
        return 0 <= index < len(last) and ((end := last[index]) is None or number <= end)

    def __bool__(self) -> bool:
        """Whether there is anything that the stream may still have."""
        return bool(self._last)

    @property
    def unfinished(self) -> bool:
        """Whether the engine ended while a range was open."""
        return bool(self._last) and self._last[-1] is None

    def open(self, after: int) -> None:
        """All records after ``after`` are quiet, until ``close``.

        Raises:
            OSError: It can't be kept, and is not so.
        """
        self._size_before = self._append({"after": after, "at": time.time()})
        # In this order, for `hold`.
        self._last = (*self._last, None)
        self._after = (*self._after, after)

    def close(self, last: int) -> None:
        """The record ``last`` is the last quiet one.

        Raises:
            OSError: It can't be kept: after a restart its records are as all others, which is
                better than others' records being as these.
        """
        self._last = (*self._last[:-1], last)
        try:
            self._append({"last": last})
        except OSError:
            if self._path is not None:
                os.truncate(self._path, self._size_before)
            raise

    def _append(self, entry: Mapping[str, Any]) -> int:
        """Write a line, whole or not at all; the size of the file before."""
        if self._path is None:
            return 0
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._path.open("ab") as file:
            size = file.tell()
            head = b"" if size else json.dumps({"stream": self._stream_arn}).encode() + b"\n"
            try:
                file.write(head + json.dumps(entry).encode() + b"\n")
                file.flush()
            except OSError:
                os.truncate(self._path, size)
                raise
        return size

    def _load(self, path: Path) -> None:
        entries = []
        text = path.read_text(encoding="utf-8")
        if not text.endswith("\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")  # what comes next is not to be lost with a line that was cut
        for line in text.splitlines():
            try:
                entries.append(json.loads(line))
            except ValueError:
                LOG.warning("a line of %s can't be read and is left out: %r", path, line[:200])
        after: list[int] = []
        last: list[int | None] = []
        for entry in entries:
            if "after" in entry and entry["at"] > time.time() - KEPT_FOR:
                after.append(entry["after"])
                last.append(None)
            elif "last" in entry and last:
                last[-1] = entry["last"]
        self._after, self._last = tuple(after), tuple(last)
