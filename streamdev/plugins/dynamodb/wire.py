"""DynamoDB's calls as bytes: as SDKs send them, as DynamoDB Local is sent them and answers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

TARGET = "DynamoDB_20120810."

_START = b"POST / HTTP/1.1\r\n"
_LONGEST_HEAD = 16_384
# One that is longer takes so long to come that it need not be quick.
LONGEST_BODY = 1 << 20
# What asks for more than reading a body of a known length and answering it.
_ASKING_MORE = frozenset({"transfer-encoding", "expect", "upgrade"})

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


class OtherRequestError(Exception):
    """It is no call of DynamoDB's, or not as SDKs send them."""


class Headers(dict[str, str]):
    """A request's headers, by name in lower case."""

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """The value of the header ``name``, however that is written."""
        return super().get(name.lower(), default)

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


@dataclass(frozen=True, slots=True)
class Request:
    """A POST to ``/`` with an ``X-Amz-Target`` of DynamoDB's."""

    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, as it came."""

    status: int
    body: bytes


def request_in(data: bytes | bytearray) -> Request | None:
    """The request that ``data`` is; ``None`` as long as some of it is to come.

    Raises:
        OtherRequestError: It is another one, and does not become one.
    """
    if not data.startswith(_START):
        if _START.startswith(data):
            return None
        raise OtherRequestError
    end = data.find(b"\r\n\r\n")
    if (len(data) if end < 0 else end) > _LONGEST_HEAD:
        raise OtherRequestError
    if end < 0:
        return None
    headers = _headers(data[len(_START) : end].decode("latin-1"))
    length = headers.get("Content-Length") or ""
    if (
        not (headers.get("X-Amz-Target") or "").startswith(TARGET)
        or not (length.isascii() and length.isdigit() and int(length) <= LONGEST_BODY)
        or not _ASKING_MORE.isdisjoint(headers)
        or "close" in (headers.get("Connection") or "").lower()
    ):
        raise OtherRequestError
    whole = end + 4 + int(length)
    if len(data) < whole:
        return None
    if len(data) > whole:  # the next one is there already
        raise OtherRequestError
    return Request(headers, bytes(data[end + 4 :]))


def _headers(lines: str) -> Headers:
    headers = Headers()
    for line in lines.split("\r\n"):
        name, colon, value = line.partition(":")
        key = name.lower()
        # One that goes on in the next line, or comes twice, is for a whole HTTP server.
        if not colon or not name or name != name.strip() or dict.__contains__(headers, key):
            raise OtherRequestError
        headers[key] = value.strip()
    return headers


def request_to(
    address: tuple[str, int], target: str, body: bytes, namespace: str, region: str
) -> bytes:
    """A call of DynamoDB Local at ``address``.

    Args:
        address: Host and port.
        target: ``X-Amz-Target``, e.g. ``DynamoDB_20120810.PutItem``.
        body: The request's JSON.
        namespace: The access key that DynamoDB Local keeps accounts and regions apart by.
        region: The region.
    """
    return (
        f"POST / HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        f"X-Amz-Target: {target}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={namespace}/20260101/{region}/dynamodb/"
        "aws4_request, SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20260101T000000Z\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def reply_in(data: bytes | bytearray) -> Reply | None:
    """The answer that ``data`` is; ``None`` as long as some of it is to come.

    Raises:
        ValueError: It is no answer of DynamoDB Local's.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, start = bytes(data[:end]), end + 4
    status = int(head[9:12])
    if length := _CONTENT_LENGTH.search(head):
        whole = start + int(length[1])
        return Reply(status, bytes(data[start:whole])) if len(data) >= whole else None
    if _CHUNKED.search(head):
        # Most often it has not come whole, and need not be gone through.
        body = _chunks(data, start) if data.endswith(b"0\r\n\r\n") else None
        return None if body is None else Reply(status, body)
    raise ValueError("an answer without a length")


def _chunks(data: bytes | bytearray, start: int) -> bytes | None:
    body = bytearray()
    while (end := data.find(b"\r\n", start)) >= 0:
        size = int(bytes(data[start:end]).split(b";")[0], 16)
        if len(data) < end + 2 + size + 2:
            return None
        if size == 0:
            return bytes(body)
        body += data[end + 2 : end + 2 + size]
        start = end + 2 + size + 2
    return None


def response(status: int, phrase: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """An answer to a client."""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode() + body
