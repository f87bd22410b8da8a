"""Connections to DynamoDB Local that Twisted's reactor watches: no thread waits for an answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Protocol

from streamdev.plugins.dynamodb.client import CONNECT_TIMEOUT, MAX_IDLE
from streamdev.plugins.dynamodb.wire import Reply, reply_in

TIMEOUT = 60.0

Answered = Callable[[Reply | None], None]
"""Is given the answer, or ``None`` where there is none though the call may have arrived."""


class Links:
    """As many connections as there are calls at a time; all in the reactor's thread.

    Args:
        address: Host and port of DynamoDB Local.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self._idle: deque[_Link] = deque()

    def exchange(self, request: bytes, answered: Answered, refused: Callable[[], None]) -> None:
        """Send a call.

        Args:
            request: The whole of it.
            answered: Called with its answer.
            refused: Called instead where nobody could be reached, so that nothing was sent.
        """
        while self._idle:
            link = self._idle.pop()
            if link.is_fresh:
                link.exchange(request, answered)
                return
            link.drop()
        host, port = self.address
        factory = _Factory(self._idle, lambda link: link.exchange(request, answered), refused)
        _reactor().connectTCP(host, port, factory, timeout=CONNECT_TIMEOUT)


class _Link(Protocol):  # type: ignore[misc]
    """One connection, which has one call at a time."""

    def __init__(self, idle: deque[_Link], made: Callable[[_Link], None]) -> None:
        self._idle = idle
        self._made = made
        self._data = bytearray()
        self._answered: Answered | None = None
        self._timer: Any = None
        self._used_at = 0.0

    @property
    def is_fresh(self) -> bool:
        """Whether the server keeps it open for certain."""
        return bool(_reactor().seconds() - self._used_at < MAX_IDLE)

    def exchange(self, request: bytes, answered: Answered) -> None:
        self._answered = answered
        self._timer = _reactor().callLater(TIMEOUT, self.drop)
        self.transport.write(request)

    def drop(self) -> None:
        self.transport.abortConnection()

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._made(self)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        try:
            reply = reply_in(self._data)
        except ValueError:
            self.drop()
            return
        if self._answered is None:  # nobody has asked
            self.drop()
            return
        if reply is not None:
            self._data.clear()
            self._used_at = _reactor().seconds()
            self._idle.append(self)
            self._end(reply)

    def connectionLost(self, reason: Any = None) -> None:  # noqa: ARG002
        if self in self._idle:
            self._idle.remove(self)
        self._end(None)

    def _end(self, reply: Reply | None) -> None:
        answered, self._answered = self._answered, None
        if answered is not None:
            self._timer.cancel() if self._timer.active() else None
            answered(reply)


class _Factory(ClientFactory):  # type: ignore[misc]
    noisy = False

    def __init__(
        self, idle: deque[_Link], made: Callable[[_Link], None], refused: Callable[[], None]
    ) -> None:
        self._idle = idle
        self._made = made
        self._refused = refused

    def buildProtocol(self, addr: Any) -> _Link:  # noqa: ARG002
        return _Link(self._idle, self._made)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:  # noqa: ARG002
        self._refused()


def _reactor() -> Any:
    # Its type is one of several, chosen when it is imported first.
    return reactor
