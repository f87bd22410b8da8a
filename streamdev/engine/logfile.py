"""The host engine's log as lines: across rotated files, from a time on, followed, bounded."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from streamdev.semantics.log import PREFIX

CHUNK = 256 * 1024
POLL_INTERVAL_S = 0.05
ALIVE_INTERVAL_S = 0.5
LOOKS = 5
# Lines of different threads may stand a little out of order.
DISORDER_S = 2.0

_PREFIX = PREFIX.encode()
_AT = re.compile(rb'"at": ?"([0-9T:.\-]+Z)"')


def tail(path: Path, lines: int = 10, width: int = 200) -> list[str]:
    """The last lines that are words for people (``[streamdev]`` lines are data), shortened."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - CHUNK))
            content = file.read()
    except FileNotFoundError:
        return []
    texts = content.decode("utf-8", "replace").splitlines()
    words = [text.rstrip() for text in texts if text.strip() and not text.startswith(PREFIX)]
    return [text if len(text) <= width else text[: width - 3] + "..." for text in words[-lines:]]


def put_aside(path: Path) -> None:
    """Make way for a new log: the present one is kept as ``engine.previous.log``."""
    for old in rotated(path):
        old.unlink(missing_ok=True)
    if path.exists():
        path.replace(path.with_name("engine.previous.log"))


def rotated(path: Path) -> list[Path]:
    """The rotated files beside the log, oldest first (``.3``, ``.2``, ``.1``)."""
    found = []
    for candidate in path.parent.glob(f"{path.name}.*"):
        number = candidate.name.removeprefix(f"{path.name}.")
        if number.isdigit():
            found.append((int(number), candidate))
    return [candidate for _, candidate in sorted(found, reverse=True)]


def read_lines(
    path: Path,
    *,
    since: datetime | None,
    follow: bool,
    stop: threading.Event,
    alive: Callable[[], bool],
) -> Iterator[str]:
    """Lines of the log, oldest first, without line ends, each once.

    A file is known by its inode: when the log was rotated, what is left of the old file is
    read, then the next newer one.

    Args:
        path: The log's newest file.
        since: Leave out lines known to be older. A plain line is as old as the last
            ``[streamdev]`` line before it.
        follow: Go on until ``stop`` is set or the engine is down.
        stop: Ends the iteration within a poll interval.
        alive: Whether the engine runs; asked now and then.
    """
    older = _Older(since)
    for line in _raw_lines(path, older, follow=follow, stop=stop, alive=alive):
        if not older.is_older(line):
            yield line.decode("utf-8", "replace")


def _raw_lines(
    path: Path,
    older: _Older,
    *,
    follow: bool,
    stop: threading.Event,
    alive: Callable[[], bool],
) -> Iterator[bytes]:
    rest = b""
    for chunk in _chunks(path, older, follow=follow, stop=stop, alive=alive):
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        yield from lines
        if stop.is_set():
            return
    if rest:
        yield rest


def _chunks(
    path: Path,
    older: _Older,
    *,
    follow: bool,
    stop: threading.Event,
    alive: Callable[[], bool],
) -> Iterator[bytes]:
    """The bytes of all files in order; ends as ``read_lines`` says."""
    file = _open_oldest(path)
    try:
        while file is None:  # the engine is just starting
            if not follow or not alive() or stop.wait(POLL_INTERVAL_S):
                return
            file = _open_oldest(path)
        older.seek(file)
        last_asked = time.monotonic()
        down = False
        while not stop.is_set():
            if chunk := file.read(CHUNK):
                yield chunk
                continue
            if (newer := _open_newer(path, file)) is not None:
                # The writer may have been between renaming and reopening: look once more.
                stop.wait(POLL_INTERVAL_S)
                while chunk := file.read(CHUNK):
                    yield chunk
                file.close()
                file = newer
                older.seek(file)
                continue
            if not follow or down:
                return
            if time.monotonic() - last_asked > ALIVE_INTERVAL_S:
                last_asked = time.monotonic()
                # Read once more before leaving: the last words may just have been written.
                down = not alive()
            stop.wait(POLL_INTERVAL_S)
    finally:
        if file is not None:
            file.close()


def _open_oldest(path: Path) -> BinaryIO | None:
    for candidate in (*rotated(path), path):
        try:
            return candidate.open("rb", buffering=0)
        except FileNotFoundError:
            continue  # rotated away between the look and the opening
    return None


def _open_newer(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The file that follows ``file``, or ``None`` when ``file`` is the newest.

    Where ``file`` has gone, or was put aside, it is the oldest there is.
    """
    here = _identity(os.fstat(file.fileno()))
    try:
        if _identity(path.stat()) == here:
            return None
    except FileNotFoundError:
        pass  # renamed, and not made anew yet
    newer, found = _look_for_newer(path, here)
    for _ in range(LOOKS - 1):
        if found or os.fstat(file.fileno()).st_nlink == 0:
            break
        # Renamed while the folder was read: then the system may show it under neither name.
        if newer is not None:
            newer.close()
        newer, found = _look_for_newer(path, here)
    return newer


def _look_for_newer(path: Path, here: tuple[int, int]) -> tuple[BinaryIO | None, bool]:
    """The file that follows the one that is ``here``, and whether that one was met."""
    newer: BinaryIO | None = None
    # Newest first. Once a file is open it can't be confused, so what is returned is the file
    # opened just before ours was met, whatever is renamed meanwhile.
    for candidate in (path, *reversed(rotated(path))):
        try:
            opened: BinaryIO = candidate.open("rb", buffering=0)
        except FileNotFoundError:
            continue
        identity = _identity(os.fstat(opened.fileno()))
        if identity == here:
            opened.close()
            return newer, True
        if newer is not None and _identity(os.fstat(newer.fileno())) == identity:
            opened.close()  # renamed under our eyes: the same file again
            continue
        if newer is not None:
            newer.close()
        newer = opened
    return newer, False


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


class _Older:
    """Tells lines that are older than a time, and finds where in a file to begin."""

    def __init__(self, since: datetime | None) -> None:
        self._since = _stamp(since) if since else None
        self._margin = (
            _stamp(datetime.fromtimestamp(since.timestamp() - DISORDER_S, UTC)) if since else b""
        )
        self._last_was_older = since is not None

    def is_older(self, line: bytes) -> bool:
        if self._since is None:
            return False
        if (at := _time_of(line)) is not None:
            self._last_was_older = at < self._since
        return self._last_was_older

    def seek(self, file: BinaryIO) -> None:
        """Move to a line's beginning before which all timed lines are older (by bisection)."""
        if self._since is None or not self._last_was_older:
            return
        low, high = 0, os.fstat(file.fileno()).st_size
        while high - low > CHUNK:
            middle = (low + high) // 2
            at = _first_time_after(file, middle, high)
            if at is not None and at < self._margin:
                low = middle
            else:
                high = middle
        file.seek(low)
        if low:
            file.seek(low + len(_rest_of_line(file)))


def _first_time_after(file: BinaryIO, offset: int, end: int) -> bytes | None:
    """The time of the first timed line that begins after ``offset``."""
    file.seek(offset)
    rest = b"\n" if offset == 0 else b""
    while file.tell() < end:
        chunk = file.read(CHUNK)
        if not chunk:
            return None
        window = rest + chunk
        begin = window.find(b"\n" + _PREFIX)
        while begin >= 0:
            finish = window.find(b"\n", begin + 1)
            if finish < 0:
                break
            if (at := _time_of(window[begin + 1 : finish])) is not None:
                return at
            begin = window.find(b"\n" + _PREFIX, finish)
        rest = window[begin:] if begin >= 0 else window[-len(_PREFIX) - 1 :]
    return None


def _rest_of_line(file: BinaryIO) -> bytes:
    found = b""
    while chunk := file.read(4096):
        cut = chunk.find(b"\n")
        if cut >= 0:
            return found + chunk[: cut + 1]
        found += chunk
    return found


def _time_of(line: bytes) -> bytes | None:
    if not line.startswith(_PREFIX):
        return None
    match = _AT.search(line)
    return match.group(1) if match else None


def _stamp(moment: datetime) -> bytes:
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z").encode()
