"""Sends the messages about batches given up, until the destination takes them."""

from __future__ import annotations

import heapq
import itertools
import json
import logging
import threading
import time
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from localstack.services.lambda_.event_source_mapping.pipe_utils import get_internal_client

from streamdev.plugins import log
from streamdev.plugins.mapping.batches import FailedBatches
from streamdev.semantics.destinations import object_key, stored_object
from streamdev.semantics.retry import backoff

LOG = logging.getLogger(__name__)


class Destinations:
    """Delivers in the background, one message after the other, and tries again later if need be.

    Args:
        batches: The stored batches.
    """

    def __init__(self, batches: FailedBatches) -> None:
        self._batches = batches
        self._changed = threading.Condition()
        self._order = itertools.count()
        # (when, order, failures, batch if it is not stored, its file)
        self._queue: list[tuple[float, int, int, dict[str, Any] | None, str | None]] = []
        self._thread: threading.Thread | None = None
        self._stopping = False

    def send(self, batch: dict[str, Any], file_name: str | None) -> None:
        """Deliver ``batch`` (as stored) soon; told by ``mapping.destination``."""
        self._schedule(time.monotonic(), 0, None if file_name else batch, file_name)

    def resume(self) -> None:
        """Deliver what an earlier run of the engine could not, and what its end took away.

        LocalStack's queues and topics are in memory. A batch that was replayed or purged is
        stored no more, so what is still stored is what a destination should hold.
        """
        self._batches.forget_deliveries()
        for file_name in self._batches.undelivered():
            # The queue or topic has to be deployed again first.
            self._schedule(time.monotonic() + backoff(4), 3, None, file_name)

    def stop(self) -> None:
        """Send nothing more; what is not delivered stays stored."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def _schedule(
        self, when: float, failures: int, batch: dict[str, Any] | None, file_name: str | None
    ) -> None:
        with self._changed:
            heapq.heappush(self._queue, (when, next(self._order), failures, batch, file_name))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="streamdev-destinations", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._stopping and (
                    not self._queue or self._queue[0][0] > time.monotonic()
                ):
                    wait = self._queue[0][0] - time.monotonic() if self._queue else None
                    self._changed.wait(wait)
                if self._stopping:
                    return
                _, _, failures, kept, file_name = heapq.heappop(self._queue)
            batch = self._batches.load(file_name) if file_name else kept
            if batch is not None and not self._send(batch, file_name):
                when = time.monotonic() + backoff(failures + 1)
                self._schedule(when, failures + 1, kept, file_name)

    def _send(self, batch: dict[str, Any], file_name: str | None) -> bool:
        error = _deliver(batch)
        log.emit(
            "mapping.destination",
            mapping=batch["mapping"],
            function=batch["function"],
            arn=batch["destination"],
            ok=error is None,
            error=error,
            request_id=batch["message"]["requestContext"]["requestId"],
            batch=file_name,
        )
        if error is None and file_name is not None:
            self._batches.mark_delivered(file_name)
        return error is None


def _deliver(batch: dict[str, Any]) -> str | None:
    """Send one message; the error in words when it can't be sent."""
    arn: str = batch["destination"]
    try:
        service = arn.split(":")[2]
        client = get_internal_client(arn)
        if service == "sqs":
            account, queue = arn.split(":")[4:6]
            url = client.get_queue_url(QueueName=queue, QueueOwnerAWSAccountId=account)["QueueUrl"]
            client.send_message(QueueUrl=url, MessageBody=json.dumps(batch["message"]))
        elif service == "sns":
            client.publish(TopicArn=arn, Message=json.dumps(batch["message"]))
        else:
            info = batch["message"]["DDBStreamBatchInfo"]
            key = object_key(batch["mapping"], info["shardId"], time.time(), str(uuid.uuid4()))
            body = stored_object(batch["message"], batch["payload"])
            client.put_object(Bucket=arn.split(":::")[-1], Key=key, Body=body)
    except (ClientError, BotoCoreError) as error:
        return str(error)
    except Exception as error:  # one message must not end the thread, and with it all others
        LOG.exception("a message to %s could not be made", arn)
        return f"{type(error).__name__}: {error}"
    return None
