"""A small HTTP/1.1 client for DynamoDB Local: kept-alive connections, bytes in, bytes out.

The stream reader and the gateway's pass-through make thousands of short calls a second to one
local server; a general HTTP client would take longer than the server does.
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections import deque
from typing import Any

from streamdev.plugins.dynamodb.wire import Reply, reply_in, request_to

# Jetty closes a connection that was idle for 30 s; one that is older is not used again.
MAX_IDLE = 20.0
CONNECT_TIMEOUT = 5.0


class DynamoDbUnavailableError(Exception):
    """DynamoDB Local does not answer: it is starting, was killed, or is stopping.

    Attributes:
        sent: Whether the call may have reached it.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class DynamoDbApiError(Exception):
    """DynamoDB Local refused a call.

    Attributes:
        code: The error's name without its namespace, e.g. ``ExpiredIteratorException``.
        message: What it says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class _Connection:
    def __init__(self, host: str, port: int) -> None:
        self.sock = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(None)
        self.used_at = time.monotonic()

    def usable(self) -> bool:
        """Whether the server has kept it open (bytes to read mean that it said goodbye)."""
        if time.monotonic() - self.used_at > MAX_IDLE:
            return False
        readable, _, _ = select.select([self.sock], [], [], 0)
        return not readable

    def exchange(self, request: bytes, timeout: float) -> Reply:
        self.sock.settimeout(timeout)
        self.sock.sendall(request)
        data = bytearray()
        while (reply := reply_in(data)) is None:
            received = self.sock.recv(262_144)
            if not received:
                raise ConnectionError("the connection was closed")
            data += received
        self.used_at = time.monotonic()
        return reply

    def close(self) -> None:
        self.sock.close()


class DynamoDbClient:
    """Calls one DynamoDB Local; any thread may use it.

    Args:
        host: Where it listens.
        port: Its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self._idle: deque[_Connection] = deque()
        self._lock = threading.Lock()

    def exchange(
        self, target: str, body: bytes, namespace: str, region: str, timeout: float = 60.0
    ) -> Reply:
        """Send one call and return the answer, whatever its status.

        Args:
            target: ``X-Amz-Target``, e.g. ``DynamoDB_20120810.PutItem``.
            body: The request's JSON.
            namespace: The access key that DynamoDB Local keeps accounts and regions apart by.
            region: The region.
            timeout: Seconds to wait for bytes.

        Raises:
            DynamoDbUnavailableError: No answer.
        """
        request = request_to(self.address, target, body, namespace, region)
        try:
            connection = self._take()
        except OSError as error:
            raise DynamoDbUnavailableError(f"DynamoDB Local does not answer: {error}") from error
        try:
            reply = connection.exchange(request, timeout)
        except (OSError, ValueError) as error:
            connection.close()
            message = f"DynamoDB Local broke off: {error}"
            raise DynamoDbUnavailableError(message, sent=True) from error
        with self._lock:
            self._idle.append(connection)
        return reply

    def _take(self) -> _Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return _Connection(*self.address)
            if connection.usable():
                return connection
            connection.close()

    def call(
        self, target: str, parameters: dict[str, Any], namespace: str, region: str
    ) -> dict[str, Any]:
        """Make one call with JSON in and out.

        Raises:
            DynamoDbApiError: It was refused.
            DynamoDbUnavailableError: No answer.
        """
        reply = self.exchange(target, json.dumps(parameters).encode(), namespace, region)
        try:
            answer = json.loads(reply.body or b"{}")
        except ValueError as error:
            raise DynamoDbUnavailableError(f"not JSON: {reply.body[:200]!r}") from error
        if reply.status != 200:
            code = str(answer.get("__type", "InternalFailure")).rpartition("#")[2]
            raise DynamoDbApiError(code, answer.get("message") or answer.get("Message") or "")
        result: dict[str, Any] = answer
        return result

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            connections, self._idle = list(self._idle), deque()
        for connection in connections:
            connection.close()


def namespace_of(account: str, region: str) -> str:
    """The access key under which LocalStack keeps one account and region in DynamoDB Local."""
    return f"{account}{region}".replace("-", "")


def local_arn(arn: str) -> str:
    """A stream's ARN as DynamoDB Local knows it (its own region and account)."""
    resource = arn.split(":", 5)[5]
    return f"arn:aws:dynamodb:ddblocal:000000000000:{resource}"
