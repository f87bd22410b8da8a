"""One container's log as lines with their times: followed, interruptible, each line once."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import docker
import requests
import urllib3
from docker.errors import create_api_error_from_http_exception
from docker.types import CancellableStream

_HEADER = 8
_CHUNK = 64 * 1024
_WAIT_S = 0.1
_MOST_WAITING = 50_000
# Lines of standard output and standard error stand in the log a little out of the order of
# their times. So a log is read on from a line well before the last one, and what was seen of
# it already is left out.
_REMEMBERED = 4096
_OVERLAP = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a container's log.

    Attributes:
        at: Docker's time of it: RFC 3339, UTC, nine digits of a second, so that it sorts.
        line: The line without its end.
    """

    at: str
    line: str


class LogCursor:
    """Reads one container's log, and goes on where it was when read again.

    Args:
        client: The daemon.
        container: The container's id.
        since: Leave out what is older.
    """

    def __init__(
        self, client: docker.DockerClient, container: str, *, since: datetime | None
    ) -> None:
        self.container = container
        self._client = client
        self._since = None if since is None else _seconds(since)
        self._seen: deque[tuple[int, bytes]] = deque(maxlen=_REMEMBERED)
        # Docker hands out lines over 16 KB in pieces; standard output and error apart.
        self._pieces: dict[int, list[bytes]] = {}
        self._last = b""

    def read(self, *, follow: bool, stop: threading.Event) -> Iterator[Entry]:
        """Lines from where it was; to the log's end, or with ``follow`` to the container's.

        Raises:
            docker.errors.NotFound: The container was removed.
        """
        known: Counter[tuple[int, bytes]] = Counter()
        since = self._since
        if len(self._seen) > _OVERLAP:
            since = _seconds_of(self._seen[_OVERLAP][1])
        if self._seen:
            known.update(self._seen)
        with _Frames(self._client, self.container, since=since, follow=follow) as frames:
            for source, payload in frames.until(stop):
                at, _, text = payload.partition(b" ")
                if known and known[source, at] > 0:
                    known[source, at] -= 1
                    continue
                self._seen.append((source, at))
                self._last = at
                if not text.endswith(b"\n"):
                    self._pieces.setdefault(source, []).append(text)
                    continue
                if source in self._pieces:
                    text = b"".join([*self._pieces.pop(source), text])
                yield _entry(at, text)
        if self._pieces and not stop.is_set() and not self._runs():
            # The last words of a process that ended within a line.
            for pieces in self._pieces.values():
                yield _entry(self._last, b"".join(pieces))
            self._pieces.clear()

    def _runs(self) -> bool:
        return bool(self._client.api.inspect_container(self.container)["State"]["Running"])


def _entry(at: bytes, text: bytes) -> Entry:
    line = text.removesuffix(b"\n").removesuffix(b"\r")
    return Entry(at.decode(), line.decode("utf-8", "replace"))


class _Frames:
    """The frames of Docker's log stream, read in a thread so that waiting can be ended.

    A frame is a header (source, three zero bytes, length) and a payload, which with
    timestamps is ``TIME SPACE TEXT``. Docker's API reference calls this the stream format.
    """

    def __init__(
        self, client: docker.DockerClient, container: str, *, since: str | None, follow: bool
    ) -> None:
        parameters = {"stdout": "1", "stderr": "1", "timestamps": "1", "tail": "all"}
        parameters["follow"] = "1" if follow else "0"
        if since is not None:
            parameters["since"] = since
        api = client.api
        url = f"{api.base_url}/v{api.api_version}/containers/{container}/logs"
        # No timeout: a container may be silent for hours.
        self._response = api.get(url, params=parameters, stream=True, timeout=None)
        try:
            self._response.raise_for_status()
        except requests.HTTPError as error:
            create_api_error_from_http_exception(error)
        # Swapped as a whole: handing over frame by frame costs three times the reading.
        self._waiting: list[tuple[int, bytes]] = []
        self._changed = threading.Condition()
        self._ended = self._closed = False
        self._thread = threading.Thread(target=self._run, name="streamdev-log", daemon=True)

    def __enter__(self) -> _Frames:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        if self._thread.is_alive():
            # Shuts the socket down under the reader. It may have come to its end just now.
            with contextlib.suppress(OSError, AttributeError):
                CancellableStream(iter(()), self._response).close()
            self._thread.join(5)
        self._response.close()

    def until(self, stop: threading.Event) -> Iterator[tuple[int, bytes]]:
        """The frames, until there are no more or ``stop`` is set."""
        while not stop.is_set():
            with self._changed:
                if not self._waiting:
                    if self._ended:
                        return
                    self._changed.wait(_WAIT_S)
                batch, self._waiting = self._waiting, []
                self._changed.notify_all()
            for frame in batch:
                if stop.is_set():
                    return
                yield frame

    def _run(self) -> None:
        # A daemon that is stopped cuts the stream; what that means is for the caller to ask.
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError, ValueError):
            self._read()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read(self) -> None:
        buffer = bytearray()
        for chunk in self._response.raw.stream(_CHUNK, decode_content=False):
            buffer += chunk
            frames, begin = [], 0
            while len(buffer) - begin >= _HEADER:
                length = int.from_bytes(buffer[begin + 4 : begin + _HEADER], "big")
                end = begin + _HEADER + length
                if len(buffer) < end:
                    break
                if length:
                    frames.append((buffer[begin], bytes(buffer[begin + _HEADER : end])))
                begin = end
            del buffer[:begin]
            with self._changed:
                self._waiting += frames
                self._changed.notify_all()
                while len(self._waiting) > _MOST_WAITING and not self._closed:
                    self._changed.wait(_WAIT_S)
            if self._closed:
                return


def _seconds(moment: datetime) -> str:
    """A time as Docker's ``since`` takes it, exactly: ``SECONDS.NANOSECONDS``."""
    return f"{int(moment.timestamp())}.{moment.microsecond:06d}000"


def _seconds_of(at: bytes) -> str:
    """The same of a time in the log."""
    head, _, fraction = at.decode().rstrip("Z").partition(".")
    moment = datetime.fromisoformat(head + "+00:00")
    return f"{int(moment.timestamp())}.{fraction:0<9}"
