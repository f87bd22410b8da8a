"""The Lambda Runtime API (2018-06-01) of one execution environment, on loopback.

There is no server thread: whoever waits for the runtime (the thread that starts it or invokes
it) reads its requests and answers them, so that an event is handed over by one write and its
result taken by one read. The runtime's connection stays open between invocations. Whatever is
unread between two invocations (the runtime's question for the next one) waits in the socket.

Paths and headers are those of the developer guide's page "Using the Lambda runtime API".
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from dataclasses import dataclass, field

from streamdev.plugins.executor.errors import MAX_RESPONSE
from streamdev.plugins.executor.function import Request

_BASE = "/2018-06-01/runtime"
_CHUNK = 256 * 1024
_MAX_HEAD = 2 * 1024 * 1024  # an X-Ray cause in a header may take up to 1 MB


@dataclass(frozen=True)
class Next:
    """The runtime asks for the next invocation: it is ready."""


@dataclass(frozen=True)
class Response:
    """The handler's answer; ``body`` is ``None`` where ``size`` is over the limit."""

    request_id: str
    body: bytes | None
    size: int


@dataclass(frozen=True)
class InvocationError:
    """The handler failed: AWS's error object and the type the runtime gives."""

    request_id: str
    body: bytes
    error_type: str | None


@dataclass(frozen=True)
class InitError:
    """The runtime could not load the handler."""

    body: bytes
    error_type: str | None


@dataclass(frozen=True)
class Closed:
    """A connection was closed: the runtime may have ended."""


Message = Next | Response | InvocationError | InitError | Closed


class BadRequestError(Exception):
    """What came is no request that the Runtime API knows."""


@dataclass
class _Connection:
    socket: socket.socket
    head: bytearray = field(default_factory=bytearray)
    request: _Incoming | None = None


@dataclass
class _Incoming:
    """A request whose head is read and whose body may still be on its way."""

    method: str
    path: str
    headers: dict[str, str]
    length: int
    body: bytearray = field(default_factory=bytearray)
    received: int = 0

    @property
    def kept(self) -> bool:
        return self.length <= MAX_RESPONSE

    def take(self, data: bytes | bytearray | memoryview) -> None:
        self.received += len(data)
        if self.kept:
            self.body += data


class RuntimeApi:
    """Serves one environment; used by one thread at a time.

    Attributes:
        address: ``host:port``, what ``AWS_LAMBDA_RUNTIME_API`` says.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._listener.setblocking(False)
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._waiting: _Connection | None = None
        self._ready: list[Message] = []

    def receive(self, timeout: float) -> Message | None:
        """The next message of the runtime, or ``None`` if there is none in ``timeout`` seconds.

        Messages that need no decision are answered here.
        """
        end = time.monotonic() + timeout
        while not self._ready:
            left = end - time.monotonic()
            events = self._selector.select(max(left, 0))
            for key, _ in events:
                if key.fileobj is self._listener:
                    self._accept()
                else:
                    self._read(key.data)
            if left <= 0 and not self._ready:
                return None
        return self._ready.pop(0)

    @property
    def waiting(self) -> bool:
        """Whether the runtime has asked for the next invocation and got none yet."""
        return self._waiting is not None

    def hand_over(self, request: Request, deadline_ms: int, timeout: float) -> None:
        """Answer the runtime's question for the next invocation.

        Args:
            request: The invocation.
            deadline_ms: When it times out, in milliseconds since the epoch.
            timeout: Seconds in which the runtime must have taken it.

        Raises:
            OSError: The runtime is gone, or did not take the event in time.
        """
        connection = self._waiting
        if connection is None:
            raise ConnectionError("the runtime waits for no invocation")
        self._waiting = None
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request.request_id,
            "Lambda-Runtime-Deadline-Ms": str(deadline_ms),
            "Lambda-Runtime-Invoked-Function-Arn": request.invoked_arn,
        }
        if request.trace_id:
            headers["Lambda-Runtime-Trace-Id"] = request.trace_id
        if request.client_context:
            headers["Lambda-Runtime-Client-Context"] = request.client_context
        self._answer(connection, "200 OK", request.payload, headers, timeout)

    def close(self) -> None:
        """Close all sockets; may be called more than once."""
        for key in list(self._selector.get_map().values() if self._selector.get_map() else ()):
            self._selector.unregister(key.fileobj)
            with contextlib.suppress(OSError):
                key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._waiting = None

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        accepted.setblocking(False)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(accepted, selectors.EVENT_READ, _Connection(accepted))

    def _drop(self, connection: _Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if self._waiting is connection:
            self._waiting = None
        self._ready.append(Closed())

    def _read(self, connection: _Connection) -> None:
        try:
            data = connection.socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(connection)
            return
        try:
            self._feed(connection, data)
        except (BadRequestError, OSError):
            self._drop(connection)

    def _feed(self, connection: _Connection, data: bytes) -> None:
        request = connection.request
        if request is None:
            connection.head += data
            head, blank, rest = connection.head.partition(b"\r\n\r\n")
            if not blank:
                if len(connection.head) > _MAX_HEAD:
                    raise BadRequestError("the request's head is too long")
                return
            request = connection.request = _parse_head(bytes(head))
            connection.head = bytearray()
            if "100-continue" in request.headers.get("expect", ""):
                connection.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.take(rest)
        else:
            request.take(data)
        if request.received >= request.length:
            connection.request = None
            self._handle(connection, request)

    def _handle(self, connection: _Connection, request: _Incoming) -> None:
        error_type = request.headers.get("lambda-runtime-function-error-type")
        parts = request.path.removeprefix(_BASE).strip("/").split("/")
        match (request.method, *parts):
            case ("GET", "invocation", "next"):
                self._waiting = connection
                self._ready.append(Next())
                return
            case ("POST", "invocation", request_id, "response"):
                body = bytes(request.body) if request.kept else None
                self._ready.append(Response(request_id, body, request.length))
                if body is None:
                    self._answer(connection, "413 Payload Too Large", b"{}")
                    return
            case ("POST", "invocation", request_id, "error"):
                self._ready.append(InvocationError(request_id, bytes(request.body), error_type))
            case ("POST", "init", "error"):
                self._ready.append(InitError(bytes(request.body), error_type))
            case _:
                self._answer(connection, "404 Not Found", b"{}")
                return
        self._answer(connection, "202 Accepted", b'{"status":"OK"}\n')

    def _answer(
        self,
        connection: _Connection,
        status: str,
        body: bytes,
        headers: dict[str, str] | None = None,
        timeout: float = 5.0,
    ) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")
        connection.socket.settimeout(max(timeout, 0.001))
        try:
            connection.socket.sendall(head + body)
        finally:
            connection.socket.setblocking(False)


def _parse_head(head: bytes) -> _Incoming:
    first, *rest = head.decode("latin-1").split("\r\n")
    try:
        method, path, _ = first.split(" ")
    except ValueError as error:
        raise BadRequestError(f"no request line: {first[:100]!r}") from error
    headers = {}
    for line in rest:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    try:
        length = int(headers.get("content-length", "0"))
    except ValueError as error:
        raise BadRequestError("the Content-Length is no number") from error
    return _Incoming(method, path, headers, length)
