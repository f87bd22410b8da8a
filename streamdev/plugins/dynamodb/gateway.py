"""DynamoDB calls on their way through LocalStack's gateway."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

from localstack.utils.aws.request_context import extract_account_id_from_auth_header

from streamdev.plugins.dynamodb.changes import Writes
from streamdev.plugins.dynamodb.client import (
    DynamoDbClient,
    DynamoDbUnavailableError,
    namespace_of,
)
from streamdev.plugins.dynamodb.files import DatabaseFiles
from streamdev.plugins.dynamodb.passing import (
    UNAVAILABLE,
    Call,
    Passing,
    answer_headers,
    parse,
    real_region,
    region_of,
)
from streamdev.plugins.dynamodb.wire import TARGET, Reply
from streamdev.semantics.log import now
from streamdev.semantics.records import with_empty_maps
from streamdev.semantics.writes import WRITE_OPERATIONS

LOG = logging.getLogger(__name__)

_EVENT_ID = re.compile(rb'("eventID": ?")([0-9a-f-]{36})(?=")')
_EXPIRED = re.compile(rb'"eventName": ?"UNKNOWN_TO_SDK_VERSION"')
_EXPIRED_ON_AWS = (
    b'"eventName": "REMOVE", '
    b'"userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}'
)


class PassThrough:
    """A request handler of LocalStack's gateway: passes what ``channel`` has not passed.

    Args:
        client: DynamoDB Local.
        wait: Waits until DynamoDB Local answers, after it was killed; raises
            ``DynamoDbUnavailableError`` if it does not come back.
        passing: Says what is passed, and what is done about it.
    """

    def __init__(self, client: DynamoDbClient, wait: Callable[[], None], passing: Passing) -> None:
        self._client = client
        self._wait = wait
        self._passing = passing

    def __call__(self, chain: Any, context: Any, response: Any) -> None:
        """Answer the call and end the chain, or leave it to LocalStack."""
        request = context.request
        # Its body is not read before it is known to be one.
        if request.method != "POST" or request.path != "/" or "X-Amz-Target" not in request.headers:
            return
        call = self._passing.accept(request.headers, request.get_data())
        if call is None:
            return
        self._passing.begin(call)
        try:
            reply = self._exchange(call)
        except DynamoDbUnavailableError as error:
            LOG.warning("%s failed: %s", call.operation, error)
            self._passing.leave(call)
            answer = UNAVAILABLE
        except BaseException:
            self._passing.leave(call)
            raise
        else:
            answer = self._passing.end(call, reply)
        response.status_code, response.data = answer.status, answer.body
        response.headers.update(answer_headers(call, answer))
        chain.terminate()

    def _exchange(self, call: Call) -> Reply:
        try:
            return self._client.exchange(call.target, call.body, call.namespace, call.region)
        except DynamoDbUnavailableError as error:
            if error.sent:
                raise
        self._wait()
        return self._client.exchange(call.target, call.body, call.namespace, call.region)


class BeforeLocalStack:
    """A request handler behind ``PassThrough``: writes that go LocalStack's way begin."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes

    def __call__(self, chain: Any, context: Any, response: Any) -> None:  # noqa: ARG002
        """Take note of the call; ``AfterLocalStack`` takes note of its end."""
        request = context.request
        target: str = request.headers.get("X-Amz-Target") or ""
        operation = target.removeprefix(TARGET)
        if not target.startswith(TARGET) or operation not in WRITE_OPERATIONS:
            return
        account = extract_account_id_from_auth_header(request.headers)
        parameters = parse(request.get_data())
        if account is not None and parameters is not None:
            trace_id = request.headers.get("X-Amzn-Trace-Id")
            context.streamdev_came_in = now()
            context.streamdev_begun = self._writes.begin(
                account, region_of(request.headers), operation, parameters, trace_id
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
        account, region = context.account_id, real_region(context.region)
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
                parse(context.request.get_data()) or {},
                parse(response.get_data()) or {},
                context.request_id,
                context.request.headers.get("X-Amzn-Trace-Id"),
                getattr(context, "streamdev_came_in", now()),
            )

    def _set_time_to_live(self, body: bytes, account: str, region: str) -> None:
        """Tell DynamoDB Local, whose own job then deletes items within seconds of their time.

        LocalStack keeps the setting to itself and deletes once an hour, and its deletions look
        like anybody's in the stream.
        """
        target = f"{TARGET}UpdateTimeToLive"
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
    if b"{}" in mended.replace(b" ", b"") and (answer := parse(mended)) is not None:
        for record in answer.get("Records", ()):
            with_empty_maps(record["dynamodb"])
        mended = json.dumps(answer).encode()
    if mended != data:
        response.data = mended
        # Its parsed form is out of date.
        context.service_response = None
