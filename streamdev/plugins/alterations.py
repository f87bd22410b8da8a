"""How often somebody changed what deploys are about: tables, functions, mappings, queues, APIs...

A deploy that knows that nobody but itself has changed any of it since the last one need not look
at all of it again (``streamdev.deploy.memory``).
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter

from localstack import config
from localstack.aws import handlers
from localstack.aws.api import RequestContext
from localstack.aws.chain import HandlerChain
from localstack.http import Response

from streamdev.semantics.deployer import DEPLOYER_HEADER
from streamdev.semantics.writes import WRITE_OPERATIONS

# Whose resources deploys make.
_SERVICES = frozenset({"apigateway", "dynamodb", "iam", "lambda", "s3", "sns", "sqs"})
_READS = ("Get", "List", "Describe", "Head", "Scan", "Query", "BatchGet")
# What only touches items, messages and objects. All else counts, also what is not known here.
_DATA = WRITE_OPERATIONS | {
    *("TransactGetItems", "Invoke", "InvokeAsync", "Publish", "PublishBatch"),
    *("SendMessage", "SendMessageBatch", "ReceiveMessage", "PurgeQueue"),
    *("DeleteMessage", "DeleteMessageBatch"),
    *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch"),
    *("PutObject", "CopyObject", "DeleteObject", "DeleteObjects"),
}

_engine = uuid.uuid4().hex
_lock = threading.Lock()
_by_owner: Counter[str] = Counter()


def install() -> None:
    """Begin to count; to be called once."""
    handlers.run_custom_response_handlers.append(_count)


def generation(owner: str) -> dict[str, str | bool]:
    """Where things stand for ``owner``.

    ``generation`` is another one after each start, and after each change by somebody else than
    the owner. ``untouched``: nobody has made anything yet since LocalStack was started, which
    keeps all but tables in memory.
    """
    with _lock:
        return {
            "generation": f"{_engine}-{owner}-{_by_owner.total() - _by_owner[owner]}",
            "untouched": not _by_owner and not config.PERSISTENCE,
        }


def _count(_chain: HandlerChain, context: RequestContext, _response: Response) -> None:
    # After the call, so that who was told of a generation can see all that led to it.
    if context.service is None or context.operation is None:
        return
    if context.account_id == config.INTERNAL_RESOURCE_ACCOUNT:
        return  # LocalStack's own, as the bucket that it keeps functions' code in
    name = context.operation.name
    if context.service.service_name not in _SERVICES or name.startswith(_READS) or name in _DATA:
        return
    with _lock:
        _by_owner[context.request.headers.get(DEPLOYER_HEADER, "")] += 1
