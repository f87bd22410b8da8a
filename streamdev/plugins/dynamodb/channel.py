"""Calls for items answered where the gateway reads its connections, in the reactor's thread.

On LocalStack's way a call becomes a request of Twisted's, then one of WSGI, werkzeug and
LocalStack's own, and is handed to a thread and back: that takes longer than DynamoDB Local needs
to answer. Here its bytes are passed on as they come in, and the answer's as they come back.
Whatever is not plainly such a call, or would have to wait for something else than its answer, is
given to Twisted as if nobody had looked at it (``gateway.PassThrough`` passes it then).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from localstack.utils.patch import Patch
from rolo.serving.twisted import HeaderPreservingHTTPChannel
from twisted.web.http import RESPONSES, HTTPChannel, datetimeToString
from twisted.web.server import version

from streamdev.plugins.dynamodb.links import Links
from streamdev.plugins.dynamodb.passing import UNAVAILABLE, Call, Passing, answer_headers
from streamdev.plugins.dynamodb.wire import (
    OtherRequestError,
    Reply,
    request_in,
    request_to,
    response,
)

LOG = logging.getLogger(__name__)


def install(address: tuple[str, int], passing: Passing) -> None:
    """Look at what every connection of the gateway brings.

    Args:
        address: DynamoDB Local.
        passing: Says what is passed, and what is done about it.
    """
    links = Links(address)

    def received(channel: Any, data: bytes) -> None:
        lane = getattr(channel, "streamdev_lane", None)
        if lane is None:
            lane = channel.streamdev_lane = _Lane(channel, links, passing)
        lane.received(data)

    def lost(channel: Any, reason: Any) -> None:
        if (lane := getattr(channel, "streamdev_lane", None)) is not None:
            lane.is_lost = True
        HTTPChannel.connectionLost(channel, reason)

    Patch(HeaderPreservingHTTPChannel, "dataReceived", received).apply()
    Patch(HeaderPreservingHTTPChannel, "connectionLost", lost).apply()


class _Lane:
    """The calls on one connection of a client, one at a time.

    Attributes:
        is_lost: Whether the client is gone.
    """

    def __init__(self, channel: Any, links: Links, passing: Passing) -> None:
        self._channel = channel
        self._links = links
        self._passing = passing
        self._data = bytearray()
        self._under_way = False
        self.is_lost = False

    def received(self, data: bytes) -> None:
        """Take in what came; pass it as soon as it is a whole call."""
        if self._under_way:  # a client that does not wait for the answer
            self._data += data
            return
        if not self._data and not self._is_between_requests():
            HTTPChannel.dataReceived(self._channel, data)
            return
        self._data += data
        self._channel.resetTimeout()
        call = None
        try:
            request = request_in(self._data)
            if request is None:
                return
            call = self._passing.accept(request.headers, request.body)
            begun = call is not None and self._passing.begin(call, at_once=True)
        except OtherRequestError:
            begun = False
        except Exception as error:
            # On LocalStack's way it is answered, whatever is wrong with it.
            LOG.debug("a call was not understood: %r", error)
            begun = False
        if call is not None and begun:
            self._pass(call)
        else:
            self._give_to_twisted()

    def _is_between_requests(self) -> bool:
        """Whether Twisted has no request on this connection, nor a part of one."""
        channel = self._channel
        return bool(channel.line_mode and channel.persistent and not channel.requests) and not (
            channel._buffer
        )

    def _give_to_twisted(self) -> None:
        data = bytes(self._data)
        self._data.clear()
        HTTPChannel.dataReceived(self._channel, data)

    def _pass(self, call: Call) -> None:
        """Send a call that has begun."""
        sent = bytes(self._data)
        self._data.clear()
        self._under_way = True
        # However long it takes, the client is not idle.
        timeout = self._channel.setTimeout(None)
        self._links.exchange(
            request_to(self._links.address, call.target, call.body, call.namespace, call.region),
            partial(self._answered, call, timeout),
            partial(self._refused, call, timeout, sent),
        )

    def _answered(self, call: Call, timeout: float | None, reply: Reply | None) -> None:
        """Hand the answer on; the client may be gone by now."""
        if reply is None:
            LOG.warning("%s failed: DynamoDB Local broke off", call.operation)
            self._passing.leave(call)
            answer = UNAVAILABLE
        else:
            try:
                answer = self._passing.end(call, reply)
            except Exception:
                # It was written, whatever went wrong with what hears of it.
                LOG.exception("%s was answered, but not all were told", call.operation)
                answer = reply
        headers = {
            "Server": version.decode(),
            "Date": datetimeToString().decode(),
            **answer_headers(call, answer),
        }
        phrase = RESPONSES.get(answer.status, b"Unknown Status").decode()
        self._channel.transport.write(response(answer.status, phrase, headers, answer.body))
        self._go_on(timeout, self.received)

    def _refused(self, call: Call, timeout: float | None, sent: bytes) -> None:
        """DynamoDB Local is not there: LocalStack's thread can wait for it."""
        self._passing.leave(call)
        self._data[:0] = sent
        self._go_on(timeout, partial(HTTPChannel.dataReceived, self._channel))

    def _go_on(self, timeout: float | None, take: Callable[[bytes], None]) -> None:
        self._under_way = False
        if self.is_lost:
            return
        self._channel.setTimeout(timeout)
        if data := bytes(self._data):
            self._data.clear()
            take(data)
