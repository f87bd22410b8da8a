"""Requests that are all under way before the first of them can be answered.

Each is sent on a connection of its own but for its last byte; then the last bytes go out in a row,
which takes some milliseconds. No server can answer a request that is not whole.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Container, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import accumulate
from selectors import EVENT_READ, DefaultSelector
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """What became of a request.

    Attributes:
        status: The answer's status code.
        body: The answer.
        sent: When the request was whole for the first time, seconds of the monotonic clock.
        ended: When the answer had come.
        refused: How often it was refused before, and sent again.
    """

    status: int
    body: bytes
    sent: float
    ended: float
    refused: int

    @property
    def took(self) -> float:
        """Milliseconds."""
        return (self.ended - self.sent) * 1000


class _Call:
    """One request on its connection."""

    def __init__(self, url: str, body: bytes) -> None:
        place = urlsplit(url)
        self._path, self._body = place.path, body
        self.connection = HTTPConnection(place.hostname or "", place.port)
        self._sent = 0.0
        self._refused = 0

    def begin(self) -> None:
        """Send all but the last byte."""
        self.connection.putrequest("PUT", self._path)
        self.connection.putheader("Content-Type", "application/json")
        self.connection.putheader("Content-Length", str(len(self._body)))
        self.connection.endheaders(self._body[:-1])

    def finish(self) -> None:
        """Send the last byte."""
        self._sent = self._sent or time.monotonic()
        self.connection.send(self._body[-1:])

    def read(self, refusals: Container[int]) -> Answer | None:
        """Read the answer, which has begun to come; ``None`` if it is one of ``refusals``."""
        response = self.connection.getresponse()
        answer = response.read()
        if response.status in refusals:
            self._refused += 1
            return None
        return Answer(response.status, answer, self._sent, time.monotonic(), self._refused)


def put_at_once(
    url: str,
    bodies: Sequence[bytes],
    *,
    refusals: Container[int] = (),
    pause: float = 0.1,
    timeout: float = 300.0,
) -> list[Answer]:
    """Send a PUT request with each of ``bodies``, all at once, and wait for all the answers.

    Args:
        url: Where to, without a proxy.
        bodies: JSON, none of them empty.
        refusals: Status codes after which a request is sent again, as often as it takes.
        pause: Seconds before that.
        timeout: Seconds for all.

    Returns:
        An answer for each body, in order.

    Raises:
        TimeoutError: Not all were answered in time.
        OSError: A connection could not be made, or was lost.
        http.client.HTTPException: An answer broke off.
    """
    calls = [_Call(url, body) for body in bodies]
    answers: dict[_Call, Answer] = {}
    end = time.monotonic() + timeout
    with ExitStack() as stack, DefaultSelector() as selector:
        for call in calls:
            stack.callback(call.connection.close)
            call.begin()
            selector.register(call.connection.sock, EVENT_READ, call)
        for call in calls:
            call.finish()
        refused: deque[tuple[float, _Call]] = deque()
        while len(answers) < len(calls):
            if (now := time.monotonic()) > end:
                raise TimeoutError(
                    f"{len(calls) - len(answers)} of {len(calls)} requests to {url} have no answer "
                    f"after {timeout:g} s"
                )
            while refused and refused[0][0] <= now:
                call = refused.popleft()[1]
                call.begin()
                call.finish()
                selector.register(call.connection.sock, EVENT_READ, call)
            for key, _ in selector.select((refused[0][0] if refused else end) - now):
                call = key.data
                selector.unregister(key.fileobj)
                answer = call.read(refusals)
                if answer is None:
                    refused.append((time.monotonic() + pause, call))
                else:
                    answers[call] = answer
    return [answers[call] for call in calls]


def most_at_once(answers: Sequence[Answer]) -> int:
    """How many of the requests were under way at the same time, at most."""
    steps = sorted([(one.sent, 1) for one in answers] + [(one.ended, -1) for one in answers])
    return max(accumulate(step for _, step in steps))
