"""DynamoDB's calls as bytes: told from all others, wherever the network cuts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamdev.plugins.dynamodb.wire import (
    LONGEST_BODY,
    OtherRequestError,
    Reply,
    reply_in,
    request_in,
    request_to,
    response,
)

BODY = b'{"TableName": "things"}'
CALL = (
    b"POST / HTTP/1.1\r\nHost: localhost:4566\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\n"
    b"content-type:application/x-amz-json-1.0\r\nContent-Length: 23\r\n\r\n" + BODY
)


def cut(data: bytes, at: int) -> bytes:
    return data[: at % len(data)]


@given(st.integers(min_value=0))
def test_a_call_is_known_when_all_of_it_has_come(at: int) -> None:
    assert request_in(cut(CALL, at)) is None
    request = request_in(bytearray(CALL))
    assert request is not None
    assert request.body == BODY
    assert request.headers.get("Content-Type") == "application/x-amz-json-1.0"
    assert "HOST" in request.headers
    assert request.headers.get("Origin") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST / ", b"GET / "),
        (b"POST / ", b"POST /things "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"DynamoDB_20120810", b"DynamoDBStreams_20120810"),
        (b"X-Amz-Target", b"X-Amz-Aim"),
        (b"Content-Length: 23", b"Content-Length: -3"),
        (b"Content-Length: 23", b"Content-Length: +23"),
        (b"Content-Length: 23\r\n", b""),
        (b"Content-Length: 23", b"Content-Length: 23\r\nContent-Length: 23"),
        (b"Content-Length: 23", b"Transfer-Encoding: chunked\r\nContent-Length: 23"),
        (b"Content-Length: 23", b"Content-Length: %d" % (LONGEST_BODY + 1)),
        (b"Content-Length: 23", b"Content-Length: 23\r\n going: on"),
        (b"Content-Length: 23", b"Content-Length : 23"),
        (b"Content-Length: 23", b"Content-Length: 23\r\nnothing"),
        (b"Host: ", b"Connection: Close\r\nHost: "),
        (b"Host: ", b"Expect: 100-continue\r\nHost: "),
        (b"Host: ", b"Upgrade: websocket\r\nHost: "),
        (b"Host: ", b"X: " + b"x" * 20_000 + b"\r\nHost: "),
        (BODY, BODY + b"POST"),
    ],
)
def test_what_is_not_plainly_one_is_left_to_others(old: bytes, new: bytes) -> None:
    assert CALL.count(old) == 1
    with pytest.raises(OtherRequestError):
        request_in(CALL.replace(old, new))


@pytest.mark.parametrize("data", [b"G", b"POST /x", b"\x16\x03\x01", b"\r\n"])
def test_others_are_known_early(data: bytes) -> None:
    with pytest.raises(OtherRequestError):
        request_in(data)


@given(st.binary(max_size=300), st.integers(min_value=0), st.integers(1, 100))
def test_an_answer_is_known_when_all_of_it_has_come(body: bytes, at: int, size: int) -> None:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    chunked = b"".join(b"%x;a=b\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    for answer in (
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body),
        b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n%s0\r\n\r\n" % chunked,
    ):
        assert reply_in(cut(answer, at)) is None
        assert reply_in(bytearray(answer)) == Reply(400, body)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"no HTTP at all\r\n\r\n"])
def test_what_is_no_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"length|invalid literal"):
        reply_in(answer)


def test_what_is_written_here_is_read_here() -> None:
    sent = request_to(("127.0.0.1", 1), "DynamoDB_20120810.GetItem", BODY, "space", "us-east-1")
    request = request_in(sent)
    assert request is not None
    assert (request.body, request.headers.get("x-amz-target")) == (
        BODY,
        "DynamoDB_20120810.GetItem",
    )
    assert reply_in(response(200, "OK", {"Date": "now"}, BODY)) == Reply(200, BODY)
