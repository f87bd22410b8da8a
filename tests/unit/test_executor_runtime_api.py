"""The Runtime API, asked by an ordinary HTTP client in the place of the runtime."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from streamdev.plugins.executor.errors import MAX_RESPONSE
from streamdev.plugins.executor.function import Request
from streamdev.plugins.executor.runtime_api import (
    Closed,
    InitError,
    InvocationError,
    Message,
    Next,
    Response,
    RuntimeApi,
)

BASE = "/2018-06-01/runtime"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    served = RuntimeApi()
    yield served
    served.close()


@pytest.fixture
def runtime(api: RuntimeApi) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(api.address, timeout=10)
    yield connection
    connection.close()


def post(
    api: RuntimeApi,
    runtime: http.client.HTTPConnection,
    path: str,
    body: bytes,
    headers: dict[str, str] | None = None,
) -> tuple[int, Message | None]:
    """Post from another thread while this one serves."""
    statuses: list[int] = []

    def send() -> None:
        runtime.request("POST", BASE + path, body, headers or {})
        answer = runtime.getresponse()
        answer.read()
        statuses.append(answer.status)

    thread = threading.Thread(target=send)
    thread.start()
    message = api.receive(10)
    thread.join()
    return statuses[0], message


def test_an_invocation_is_handed_over_with_its_headers(
    api: RuntimeApi, runtime: http.client.HTTPConnection
) -> None:
    runtime.request("GET", BASE + "/invocation/next")
    assert api.receive(10) == Next()
    assert api.waiting

    request = Request("r1", "arn:aws:lambda:f", b'{"a": 1}', trace_id="Root=1")
    api.hand_over(request, deadline_ms=1234, timeout=5)

    answer = runtime.getresponse()
    assert answer.read() == b'{"a": 1}'
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "r1"
    assert answer.headers["Lambda-Runtime-Deadline-Ms"] == "1234"
    assert answer.headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:aws:lambda:f"
    assert answer.headers["Lambda-Runtime-Trace-Id"] == "Root=1"
    assert not api.waiting


def test_a_response_is_taken_on_the_same_connection(
    api: RuntimeApi, runtime: http.client.HTTPConnection
) -> None:
    runtime.request("GET", BASE + "/invocation/next")
    api.receive(10)
    api.hand_over(Request("r1", "arn", b"{}"), 0, 5)
    runtime.getresponse().read()
    first = runtime.sock

    status, message = post(api, runtime, "/invocation/r1/response", b'"done"')

    assert (status, message) == (202, Response("r1", b'"done"', 6))
    assert runtime.sock is first


def test_a_response_at_the_limit_is_taken_and_one_above_is_refused(
    api: RuntimeApi, runtime: http.client.HTTPConnection
) -> None:
    body = b"x" * MAX_RESPONSE
    status, message = post(api, runtime, "/invocation/r1/response", body)
    assert (status, message) == (202, Response("r1", body, MAX_RESPONSE))

    status, message = post(api, runtime, "/invocation/r1/response", body + b"x")
    assert (status, message) == (413, Response("r1", None, MAX_RESPONSE + 1))


def test_errors_carry_their_type(api: RuntimeApi, runtime: http.client.HTTPConnection) -> None:
    headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.ImportModuleError"}
    _, message = post(api, runtime, "/init/error", b"{}", headers)
    assert message == InitError(b"{}", "Runtime.ImportModuleError")
    _, message = post(api, runtime, "/invocation/r1/error", b"{}", headers)
    assert message == InvocationError("r1", b"{}", "Runtime.ImportModuleError")


def test_a_client_that_waits_for_leave_to_send_gets_it(
    api: RuntimeApi, runtime: http.client.HTTPConnection
) -> None:
    runtime.putrequest("POST", BASE + "/invocation/r1/response")
    runtime.putheader("Content-Length", "2")
    runtime.putheader("Expect", "100-continue")
    runtime.endheaders()
    assert api.receive(0.1) is None
    runtime.send(b"{}")
    assert api.receive(10) == Response("r1", b"{}", 2)


@pytest.mark.parametrize("path", ["/", "/2018-06-01/runtime/other", "/2018-06-01/extension/next"])
def test_unknown_paths_are_not_found(
    api: RuntimeApi, runtime: http.client.HTTPConnection, path: str
) -> None:
    runtime.request("GET", path)
    assert api.receive(0.1) is None
    assert runtime.getresponse().status == 404


def test_a_closed_connection_is_told(api: RuntimeApi, runtime: http.client.HTTPConnection) -> None:
    runtime.request("GET", BASE + "/invocation/next")
    assert api.receive(10) == Next()
    runtime.close()
    assert api.receive(10) == Closed()
    assert not api.waiting


def test_what_is_no_http_is_dropped(api: RuntimeApi) -> None:
    host, port = api.address.split(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"hello\r\n\r\n")
        assert api.receive(10) == Closed()


def test_waiting_ends_after_its_time(api: RuntimeApi) -> None:
    assert api.receive(0.01) is None
