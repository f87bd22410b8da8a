"""Calls for items, passed to DynamoDB Local and back as bytes, and what is done about each.

LocalStack would parse and write each call twice on the way, and only control-plane answers hold
anything it has to change (ARNs). What it does more than forward goes its way: transactions,
global tables, ARNs as table names, index checks, simulated throttling.
"""

from __future__ import annotations

import json
import uuid
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from localstack import config
from localstack.services.dynamodb.models import dynamodb_stores
from localstack.utils.aws.request_context import (
    extract_account_id_from_auth_header,
    extract_region_from_headers,
)

from streamdev.plugins.dynamodb.changes import Writes
from streamdev.plugins.dynamodb.client import namespace_of
from streamdev.plugins.dynamodb.wire import TARGET, Reply
from streamdev.plugins.loops import Begun
from streamdev.semantics.log import now
from streamdev.semantics.writes import WRITE_OPERATIONS

_PASSED = frozenset(
    {
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "ExecuteStatement",
        "BatchExecuteStatement",
    }
)
# Bytes in a request for which LocalStack does more than forward.
_NOT_PASSED = (b":table/", b"ALL_ATTRIBUTES")
_UNAVAILABLE = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#InternalServerError",
        "message": "DynamoDB Local does not answer; it is being started again.",
    }
).encode()


class RequestHeaders(Protocol):
    """A request's headers, whose names are told apart by letters alone."""

    def get(self, name: str, /) -> str | None:
        """The value of the header ``name``."""

    def __contains__(self, name: object, /) -> bool: ...


@dataclass(slots=True)
class Call:
    """A call that is passed.

    Attributes:
        operation: DynamoDB's: ``PutItem``.
        body: JSON, as it came.
        parameters: Of a call that writes, parsed; ``None`` of others.
        trace_id: The call's trace header.
        request_id: What it is answered with.
        came_in: When it did, as the log writes times.
        begun: What `Writes.begin` gave.
        at_once: Whether nothing may be waited for.
    """

    operation: str
    body: bytes
    account: str
    region: str
    parameters: dict[str, Any] | None
    trace_id: str | None
    request_id: str
    came_in: str
    begun: Begun = ()
    at_once: bool = False

    @property
    def target(self) -> str:
        """``X-Amz-Target``."""
        return TARGET + self.operation

    @property
    def namespace(self) -> str:
        """Where DynamoDB Local keeps the caller's tables."""
        return namespace_of(self.account, self.region)


class Passing:
    """Takes a call in, has writes begin, and has them end with the answer.

    Args:
        writes: Told of successful writes.
    """

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    def accept(self, headers: RequestHeaders, body: bytes) -> Call | None:
        """The call, if it is one to pass; ``None`` leaves it to LocalStack.

        Args:
            headers: Of a POST to ``/``.
            body: As it came.
        """
        target = headers.get("X-Amz-Target") or ""
        operation = target.removeprefix(TARGET)
        if not target.startswith(TARGET) or operation not in _PASSED or not _plain(headers):
            return None
        account = extract_account_id_from_auth_header(headers)
        if account is None:
            return None
        region = region_of(headers)
        if any(mark in body for mark in _NOT_PASSED) or _is_special(account, region):
            return None
        parameters = None
        if operation in WRITE_OPERATIONS:
            parameters = parse(body)
            if parameters is None or parameters.get("Parameters") == []:
                return None
        trace_id = headers.get("X-Amzn-Trace-Id")
        return Call(
            operation, body, account, region, parameters, trace_id, str(uuid.uuid4()), now()
        )

    def begin(self, call: Call, *, at_once: bool = False) -> bool:
        """It is about to be passed; `end` or `leave` has to follow.

        With ``at_once`` nothing is waited for: false, and it has not begun, where that would be
        needed.
        """
        if call.parameters is None:
            return True
        begun = self._writes.begin(
            call.account,
            call.region,
            call.operation,
            call.parameters,
            call.trace_id,
            at_once=at_once,
        )
        if begun is None:
            return False
        call.begun, call.at_once = begun, at_once
        return True

    def leave(self, call: Call) -> None:
        """It was not passed after all, or nobody knows."""
        if call.parameters is not None:
            self._writes.end(call.begun)

    def end(self, call: Call, reply: Reply) -> Reply:
        """It was answered; what to answer, after all who wait for the write have been told."""
        self.leave(call)
        answer = reply.body
        if reply.status != 200:
            if call.operation == "BatchWriteItem":
                answer = answer.replace(
                    b"One of the required keys was not given a value",
                    b"The provided key element does not match the schema",
                )
        elif call.parameters is not None:
            result = parse(answer) if call.operation == "BatchWriteItem" else {}
            self._writes.happened(
                call.account,
                call.region,
                call.operation,
                call.parameters,
                result or {},
                call.request_id,
                call.trace_id,
                call.came_in,
                at_once=call.at_once,
            )
        return Reply(reply.status, answer)


UNAVAILABLE = Reply(500, _UNAVAILABLE)
"""The answer where DynamoDB Local gave none."""


def answer_headers(call: Call, reply: Reply) -> dict[str, str]:
    """The headers that DynamoDB's answers have."""
    return {
        "Content-Type": "application/x-amz-json-1.0",
        "x-amzn-RequestId": call.request_id,
        "x-amz-crc32": str(zlib.crc32(reply.body)),
    }


def region_of(headers: RequestHeaders) -> str:
    """The region that a call is signed for."""
    return real_region(extract_region_from_headers(headers))


def real_region(region: str) -> str:
    """NoSQL Workbench sends made-up regions; LocalStack takes them for us-east-1."""
    return "us-east-1" if region in ("local", "localhost") else region


def parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object that a body is, if it is one."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _plain(headers: RequestHeaders) -> bool:
    """Whether it is what an SDK sends: JSON, uncompressed, not from a browser."""
    return (
        "Origin" not in headers
        and "Content-Encoding" not in headers
        and (headers.get("Content-Type") or "").startswith("application/x-amz-json")
    )


def _is_special(account: str, region: str) -> bool:
    """Whether LocalStack has replicas to look after, or is told to throttle."""
    if (
        config.DYNAMODB_ERROR_PROBABILITY
        or config.DYNAMODB_READ_ERROR_PROBABILITY
        or config.DYNAMODB_WRITE_ERROR_PROBABILITY
    ):
        return True
    return bool(dynamodb_stores[account][region].REPLICAS)
