"""DynamoDB calls on their way through LocalStack's gateway.

Items (PutItem, Query, BatchWriteItem...) are passed to DynamoDB Local and back as bytes:
LocalStack would parse and write each call twice on the way, and only control-plane answers hold
anything it has to change (ARNs). What LocalStack does more than forward goes LocalStack's way:
transactions, global tables, ARNs as table names, index checks, simulated throttling.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
import zlib
from collections.abc import Callable
from typing import Any

from localstack import config
from localstack.services.dynamodb.models import dynamodb_stores
from localstack.utils.aws.request_context import (
    extract_account_id_from_auth_header,
    extract_region_from_headers,
)

from streamdev.plugins.dynamodb.changes import Writes
from streamdev.plugins.dynamodb.client import (
    DynamoDbClient,
    DynamoDbUnavailableError,
    Reply,
    namespace_of,
)
from streamdev.plugins.dynamodb.files import DatabaseFiles
from streamdev.plugins.loops import Begun
from streamdev.semantics.log import now
from streamdev.semantics.records import with_empty_maps
from streamdev.semantics.writes import WRITE_OPERATIONS

LOG = logging.getLogger(__name__)

_TARGET = "DynamoDB_20120810."
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
_EVENT_ID = re.compile(rb'("eventID": ?")([0-9a-f-]{36})(?=")')
_EXPIRED = re.compile(rb'"eventName": ?"UNKNOWN_TO_SDK_VERSION"')
_EXPIRED_ON_AWS = (
    b'"eventName": "REMOVE", '
    b'"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}'
)
_UNAVAILABLE = json.dumps(
    {
        "__type": "com.amazonaws.dynamodb.v20120810#InternalServerError",
        "message": "DynamoDB Local does not answer; it is being started again.",
    }
).encode()


class PassThrough:
    """A request handler of LocalStack's gateway.

    Args:
        client: DynamoDB Local.
        wait: Waits until DynamoDB Local answers, after it was killed; raises
            ``DynamoDbUnavailableError`` if it does not come back.
        writes: Told of successful writes.
    """

    def __init__(self, client: DynamoDbClient, wait: Callable[[], None], writes: Writes) -> None:
        self._client = client
        self._wait = wait
        self._writes = writes

    def __call__(self, chain: Any, context: Any, response: Any) -> None:
        """Answer the call and end the chain, or leave it to LocalStack."""
        request = context.request
        target: str = request.headers.get("X-Amz-Target") or ""
        if not target.startswith(_TARGET):
            return
        operation = target[len(_TARGET) :]
        if operation not in _PASSED or not _plain(request):
            return
        account = extract_account_id_from_auth_header(request.headers)
        if account is None:
            return
        region = _region(request.headers)
        body: bytes = request.get_data()
        if any(mark in body for mark in _NOT_PASSED) or _is_special(account, region):
            return
        writing = operation in WRITE_OPERATIONS
        parameters = _parse(body) if writing else {}
        if parameters is None or parameters.get("Parameters") == []:
            return
        request_id = str(uuid.uuid4())
        trace_id = request.headers.get("X-Amzn-Trace-Id")
        came_in = now()
        begun: Begun = ()
        if writing:
            begun = self._writes.begin(account, region, operation, parameters, trace_id)
        try:
            reply = self._exchange(target, body, namespace_of(account, region), region)
            status, answer = reply.status, reply.body
        except DynamoDbUnavailableError as error:
            LOG.warning("%s failed: %s", operation, error)
            status, answer = 500, _UNAVAILABLE
        finally:
            if writing:
                self._writes.end(begun)
        if status != 200 and operation == "BatchWriteItem":
            answer = answer.replace(
                b"One of the required keys was not given a value",
                b"The provided key element does not match the schema",
            )
        _answer(response, status, answer, request_id)
        chain.terminate()
        if writing and status == 200:
            result = _parse(answer) if operation == "BatchWriteItem" else {}
            self._writes.happened(
                account, region, operation, parameters, result or {}, request_id, trace_id, came_in
            )

    def _exchange(self, target: str, body: bytes, namespace: str, region: str) -> Reply:
        try:
            return self._client.exchange(target, body, namespace, region)
        except DynamoDbUnavailableError as error:
            if error.sent:
                raise
        self._wait()
        return self._client.exchange(target, body, namespace, region)


class BeforeLocalStack:
    """A request handler behind ``PassThrough``: writes that go LocalStack's way begin."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    def __call__(self, chain: Any, context: Any, response: Any) -> None:  # noqa: ARG002
        """Take note of the call; ``AfterLocalStack`` takes note of its end."""
        request = context.request
        target: str = request.headers.get("X-Amz-Target") or ""
        operation = target.removeprefix(_TARGET)
        if not target.startswith(_TARGET) or operation not in WRITE_OPERATIONS:
            return
        account = extract_account_id_from_auth_header(request.headers)
        parameters = _parse(request.get_data())
        if account is not None and parameters is not None:
            trace_id = request.headers.get("X-Amzn-Trace-Id")
            context.streamdev_came_in = now()
            context.streamdev_begun = self._writes.begin(
                account, _region(request.headers), operation, parameters, trace_id
            )


class AfterLocalStack:
    """A response handler of LocalStack's gateway: what went LocalStack's way and succeeded."""

    def __init__(self, client: DynamoDbClient, writes: Writes, files: DatabaseFiles) -> None:
        self._client = client
        self._writes = writes
        self._files = files

    def __call__(self, chain: Any, context: Any, response: Any) -> None:  # noqa: ARG002
        """Take note of the call."""
        if (begun := getattr(context, "streamdev_begun", None)) is not None:
            context.streamdev_begun = None
            self._writes.end(begun)
        if context.service is None or context.operation is None:
            return
        if context.service.service_name != "dynamodb" or response.status_code != 200:
            return
        operation: str = context.operation.name
        account, region = context.account_id, _real_region(context.region)
        if operation in ("CreateTable", "DeleteTable"):
            table = (context.service_request or {}).get("TableName", "")
            self._writes.table_changed(account, region, table)
            self._files.prepare(namespace_of(account, region), region)
        elif operation == "UpdateTimeToLive":
            self._set_time_to_live(context.request.get_data(), account, region)
        elif operation in WRITE_OPERATIONS:
            self._writes.happened(
                account,
                region,
                operation,
                _parse(context.request.get_data()) or {},
                _parse(response.get_data()) or {},
                context.request_id,
                context.request.headers.get("X-Amzn-Trace-Id"),
                getattr(context, "streamdev_came_in", now()),
            )

    def _set_time_to_live(self, body: bytes, account: str, region: str) -> None:
        """Tell DynamoDB Local, whose own job then deletes items within seconds of their time.

        LocalStack keeps the setting to itself and deletes once an hour, and its deletions look
        like anybody's in the stream.
        """
        target = f"{_TARGET}UpdateTimeToLive"
        try:
            reply = self._client.exchange(target, body, namespace_of(account, region), region)
        except DynamoDbUnavailableError as error:
            LOG.warning("DynamoDB Local does not know of a time to live: %s", error)
            return
        if reply.status != 200:
            # A kept database has it already.
            LOG.debug("DynamoDB Local on a time to live: %s", reply.body[:300])


def mend_stream_records(chain: Any, context: Any, response: Any) -> None:  # noqa: ARG001
    """A response modifier: ``GetRecords`` of the streams API with what AWS would say.

    The mapping's records are mended by ``semantics.records``; whoever reads a stream directly
    gets the same event ids and names, and the same empty maps.
    """
    if context.operation is None or context.operation.name != "GetRecords":
        return
    data: bytes = response.get_data()
    mended = _EVENT_ID.sub(lambda match: match[1] + match[2].replace(b"-", b""), data)
    mended = _EXPIRED.sub(_EXPIRED_ON_AWS, mended)
    if b"{}" in mended.replace(b" ", b"") and (answer := _parse(mended)) is not None:
        for record in answer.get("Records", ()):
            with_empty_maps(record["dynamodb"])
        mended = json.dumps(answer).encode()
    if mended != data:
        response.data = mended
        # Its parsed form is out of date.
        context.service_response = None


def _plain(request: Any) -> bool:
    """Whether it is what an SDK sends: a POST of JSON, uncompressed, not from a browser."""
    headers = request.headers
    return (
        request.method == "POST"
        and request.path == "/"
        and "Origin" not in headers
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


def _region(headers: Any) -> str:
    return _real_region(extract_region_from_headers(headers))


def _real_region(region: str) -> str:
    """NoSQL Workbench sends made-up regions; LocalStack takes them for us-east-1."""
    return "us-east-1" if region in ("local", "localhost") else region


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _answer(response: Any, status: int, body: bytes, request_id: str) -> None:
    response.status_code = status
    response.data = body
    response.headers["Content-Type"] = "application/x-amz-json-1.0"
    response.headers["x-amzn-RequestId"] = request_id
    response.headers["x-amz-crc32"] = str(zlib.crc32(body))
