"""Calls for items as bytes on a connection: answered in order, whatever way they come."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.support.killing import kill_database
from tests.support.project import Project, eventually, unique

ACCOUNT = "000000000000"


@pytest.fixture(scope="module")
def table(project: Project) -> Iterator[str]:
    dynamodb, name = project.client("dynamodb"), unique("bytes")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    # The first write to a table asks for its key.
    dynamodb.put_item(TableName=name, Item={"id": {"S": "first"}})
    yield name
    dynamodb.delete_table(TableName=name)


@pytest.fixture
def connection(project: Project) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", project.port), timeout=60)) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield made


def call(
    operation: str, parameters: dict[str, Any], *, account: str = ACCOUNT, **headers: str
) -> bytes:
    body = json.dumps(parameters).encode()
    lines = {
        "Host": "localhost:4566",
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/dynamodb/"
        "aws4_request, SignedHeaders=host, Signature=0",
        "Content-Length": str(len(body)),
    }
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST / HTTP/1.1\r\n{head}\r\n".encode() + body


def put(table: str, key: str, note: str = "", **headers: str) -> bytes:
    item = {"id": {"S": key}, "note": {"S": note}}
    return call("PutItem", {"TableName": table, "Item": item}, **headers)


def get(table: str, key: str, **headers: str) -> bytes:
    return call("GetItem", {"TableName": table, "Key": {"id": {"S": key}}}, **headers)


def answer(connection: socket.socket) -> tuple[int, dict[str, Any], dict[str, str]]:
    with closing(HTTPResponse(connection)) as response:
        response.begin()
        body = response.read()
        return response.status, json.loads(body), {k.lower(): v for k, v in response.getheaders()}


def item(connection: socket.socket, table: str, key: str) -> Any:
    connection.sendall(get(table, key))
    status, body, _ = answer(connection)
    assert status == 200, body
    return body.get("Item")


def test_an_answer_has_the_headers_of_dynamodbs(connection: socket.socket, table: str) -> None:
    connection.sendall(put(table, "headers"))
    status, body, headers = answer(connection)
    assert (status, body) == (200, {})
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert headers["x-amz-crc32"] == "2745614147"
    assert len(headers["x-amzn-requestid"]) == 36
    assert headers["date"].endswith(" GMT")


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_call_may_come_in_pieces(connection: socket.socket, table: str, size: int) -> None:
    data = put(table, f"pieces-{size}", "in pieces")
    for start in range(0, len(data), size):
        connection.sendall(data[start : start + size])
    assert answer(connection)[0] == 200
    assert item(connection, table, f"pieces-{size}")["note"] == {"S": "in pieces"}


def test_calls_that_come_at_once_are_answered_in_order(
    connection: socket.socket, table: str
) -> None:
    mixed = [put(table, "a"), call("ListTables", {}), get(table, "a"), put(table, "b")]
    connection.sendall(b"".join(mixed))
    # HTTPResponse would read on into the next answer.
    received = bytearray()
    while received.count(b"HTTP/1.1 200 OK") < len(mixed) or not received.endswith(b"{}"):
        received += connection.recv(65_536)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert [bodies[0], bodies[3]] == [b"{}", b"{}"]
    assert table in json.loads(bodies[1])["TableNames"]
    assert json.loads(bodies[2])["Item"]["id"] == {"S": "a"}


def test_localstacks_calls_and_others_take_turns_on_a_connection(
    connection: socket.socket, table: str
) -> None:
    for number in range(3):
        connection.sendall(put(table, f"turn-{number}"))
        assert answer(connection)[:2] == (200, {})
        connection.sendall(call("DescribeTable", {"TableName": table}))
        status, body, headers = answer(connection)
        assert (status, body["Table"]["TableName"]) == (200, table)
        assert "localstack" in "".join(headers)
        assert item(connection, table, f"turn-{number}") is not None


def test_big_calls_and_answers_come_whole(connection: socket.socket, table: str) -> None:
    note = "x" * 390_000
    connection.sendall(put(table, "big", note))
    assert answer(connection)[0] == 200
    assert item(connection, table, "big")["note"] == {"S": note}
    # Over a megabyte.
    items = [{"id": {"S": f"big-{n}"}, "note": {"S": "y" * 60_000}} for n in range(25)]
    requests = {table: [{"PutRequest": {"Item": one}} for one in items]}
    connection.sendall(call("BatchWriteItem", {"RequestItems": requests}))
    assert answer(connection)[1] == {"UnprocessedItems": {}}
    connection.sendall(call("Scan", {"TableName": table, "Limit": 15}))
    assert answer(connection)[1]["Count"] > 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Connection": "close"},
        {"Expect": "100-continue"},
        {"Origin": "https://app.localstack.cloud"},
    ],
    ids=["close", "expect", "origin"],
)
def test_what_asks_for_more_is_answered_as_well(
    connection: socket.socket, table: str, headers: dict[str, str]
) -> None:
    connection.sendall(put(table, "more", **headers))
    status, body, answered = answer(connection)
    assert (status, body) == (200, {})
    assert ("access-control-allow-origin" in answered) == ("Origin" in headers)
    if "Connection" in headers:
        assert connection.recv(1) == b""
    else:
        assert item(connection, table, "more") is not None


def test_a_call_of_unknown_length_is_answered_as_well(
    connection: socket.socket, table: str
) -> None:
    data = put(table, "chunked")
    head, _, body = data.partition(b"\r\n\r\n")
    chunked = head.replace(b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked")
    connection.sendall(b"%s\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (chunked, len(body), body))
    assert answer(connection)[:2] == (200, {})
    assert item(connection, table, "chunked") is not None


def test_a_call_may_come_by_tls(connection: socket.socket, table: str) -> None:
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with anybody.wrap_socket(connection, server_hostname="localhost") as secure:
        secure.sendall(put(table, "secure"))
        assert answer(secure)[:2] == (200, {})
        assert item(secure, table, "secure") is not None


def test_a_refusal_is_dynamodbs_and_the_connection_goes_on(
    connection: socket.socket, table: str
) -> None:
    connection.sendall(put("no-such-table", "1"))
    status, body, _ = answer(connection)
    assert (status, body["__type"].rpartition("#")[2]) == (400, "ResourceNotFoundException")
    connection.sendall(call("PutItem", {"TableName": table, "Item": {"id": {"N": "1"}}}))
    status, body, _ = answer(connection)
    assert (status, body["__type"].rpartition("#")[2]) == (400, "ValidationException")
    # Another account's table of that name is another one, and is not there.
    connection.sendall(get(table, "first", account="111111111111"))
    assert answer(connection)[1]["__type"].endswith("ResourceNotFoundException")
    assert item(connection, table, "first") is not None


def test_what_can_not_be_passed_is_answered_by_localstack(
    connection: socket.socket, table: str
) -> None:
    # No region, and JSON that is too deep to be read here.
    connection.sendall(get(table, "first").replace(b"/us-east-1/", b"/eu-north-9/"))
    assert answer(connection)[0] >= 400
    deep = put(table, "deep", "[" * 20_000)
    deep = deep.replace(b'"[', b" [").replace(b'["}', b"[ }")
    connection.sendall(deep)
    assert answer(connection)[0] >= 400
    assert item(connection, table, "first") is not None


def test_what_a_client_wrote_that_did_not_wait_is_written_and_told(
    project: Project, table: str
) -> None:
    keys = [f"gone-{number}" for number in range(20)]
    for key in keys:
        with closing(socket.create_connection(("127.0.0.1", project.port))) as client:
            client.sendall(put(table, key))

    def told() -> bool:
        writes = [one for one in project.events() if one["event"] == "write"]
        ids = {json.dumps(one["keys"]) for one in writes if one["table"] == table}
        return all(any(key in one for one in ids) for key in keys)

    eventually(told, what="all writes are in the log")
    with closing(socket.create_connection(("127.0.0.1", project.port), timeout=60)) as client:
        assert all(item(client, table, key) for key in keys)


def test_a_call_waits_for_a_database_that_was_killed(
    project: Project, table: str, connection: socket.socket
) -> None:
    assert item(connection, table, "first") is not None
    kill_database(project)
    # One that may have reached it can't be sent again by anybody but the client.
    statuses: list[int] = []
    while not statuses or statuses[-1] != 200:
        assert len(statuses) < 5, statuses
        connection.sendall(put(table, "after"))
        statuses.append(answer(connection)[0])
    assert set(statuses[:-1]) <= {500}
    assert item(connection, table, "after") is not None
