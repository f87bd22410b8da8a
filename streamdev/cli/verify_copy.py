"""A copy of a pipeline that recorded batches are delivered to, again and again from nothing."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from streamdev.aws.items import BATCH_LIMIT
from streamdev.cli.calls import call
from streamdev.cli.context import Context
from streamdev.cli.deploy import deploy_project
from streamdev.cli.verify_table import RewrittenTable
from streamdev.config.models import OwnTable, Pipeline, Project, Subscription, Table
from streamdev.deploy.isolated import isolated
from streamdev.deploy.remove import remove_pipeline
from streamdev.errors import EngineNotRunningError
from streamdev.observe.notifications import notification
from streamdev.observe.render import key_text
from streamdev.semantics import values
from streamdev.semantics.deliveries import Handing
from streamdev.semantics.delivery import Delivery, Finished, GiveUp, Invoke, Wait
from streamdev.semantics.end_state import EndState, Paths, Place, paths_of
from streamdev.semantics.outcome import error_in_words
from streamdev.semantics.payload import build_payload
from streamdev.semantics.records import Record, item_text
from streamdev.semantics.responses import BatchResult, read_response
from streamdev.semantics.settings import MappingSettings

MARK = "streamdev-verify"
GIVEN_UP = "given up"
#: The function sees it, and has a new process whenever it changes.
VARIABLE = "VERIFY_DELIVERY"
_RETRIES = 2
# A time in seconds is another one in each delivery.
_APART_S = 1.1
# SNS hands messages to queues in its own time.
_QUIET_S = 1.0
_LOOK_S = 0.1
_HOLD_S = 600


def copy_of(pipeline: Pipeline) -> tuple[Pipeline, dict[str, str]]:
    """The pipeline under names of its own, and the old name of each table and topic.

    Its mapping is off and nothing expires by itself. Each topic has a queue, to see what is
    published.
    """
    topics = tuple(
        topic
        if topic.subscriptions
        else topic.model_copy(update={"subscriptions": (Subscription(sqs=topic.name[:60]),)})
        for topic in pipeline.topics
    )
    plain = pipeline.model_copy(
        update={
            "table": pipeline.table.model_copy(update={"ttl": None}),
            "tables": tuple(one.model_copy(update={"ttl": None}) for one in pipeline.tables),
            "function": pipeline.function.model_copy(
                update={"reserved_concurrency": None, "provisioned_concurrency": None}
            ),
            "mapping": pipeline.mapping.model_copy(update={"enabled": False}),
            "topics": topics,
            "api": None,
            "seed": None,
        }
    )
    copy, names = isolated(plain, MARK)
    return copy, {new: old for old, new in names.items()}


@dataclass(frozen=True)
class End:
    """What a delivery led to.

    Attributes:
        failures: What the records that were given up failed with, one entry a record.
    """

    state: EndState
    failures: tuple[str, ...]


class Copy:
    """The copy in the engine.

    Args:
        ctx: The command's.
        pipeline: The original.
        events: The batches, in order, as they were recorded.
    """

    def __init__(
        self, ctx: Context, pipeline: Pipeline, events: Sequence[Mapping[str, Any]]
    ) -> None:
        self._pipeline, self._old_names = copy_of(pipeline)
        self._table = RewrittenTable(ctx.gateway, pipeline.table.name, self._pipeline.table.name)
        self._ctx = Context(
            ctx.settings, ctx.environ, ctx.stdin, io.StringIO(), io.StringIO(), ctx.cwd, ctx.program
        )
        self._ctx.engine, self._ctx.gateway = ctx.engine, ctx.gateway
        self._project = ctx.project
        self._gateway = ctx.gateway
        self._events = events
        self._ended = 0.0
        mapping, retries = pipeline.mapping, pipeline.mapping.maximum_retry_attempts
        self._settings = MappingSettings(
            max_retries=retries if 0 <= retries < _RETRIES else _RETRIES,
            bisect=mapping.bisect_batch_on_function_error,
            report_failures=mapping.report_batch_item_failures,
        )

    def remove(self) -> None:
        """Remove all of it from the engine, also what an earlier one left."""
        with suppress(EngineNotRunningError):
            remove_pipeline(self._gateway, self._pipeline)

    def deliver(self, name: str, handings: Iterable[Handing]) -> End:
        """Deliver in one way, from empty tables and with a new process of the function.

        Raises:
            StreamdevError: The copy can't be made, or its function can't be called.
        """
        self._empty()
        self._deploy(name)
        time.sleep(max(0.0, self._ended + _APART_S - time.monotonic()))
        self._table.restore(self._events)
        stream = self._gateway.tables.find(self._pipeline.table.name)
        arn = (stream and stream.stream_arn) or ""
        written = 0
        given_up: list[tuple[str, str]] = []
        for handing in handings:
            for event in self._events[written : handing.written]:
                for record in event["Records"]:
                    self._table.write(record)
            written = max(written, handing.written)
            given_up += self._hand_over(handing.event, arn)
        state = self._end_state()
        # A record that always fails is given up each time it comes.
        records = dict.fromkeys(what for what, _ in given_up)
        state[GIVEN_UP] = Place(messages=[{"record": what} for what in records])
        self._ended = time.monotonic()
        return End(state, tuple(why for _, why in given_up))

    def _deploy(self, name: str) -> None:
        function = self._pipeline.function
        environment = {**function.environment, VARIABLE: name}
        pipeline = self._pipeline.model_copy(
            update={"function": function.model_copy(update={"environment": environment})}
        )
        # A file that is not there: what it owns is this pipeline, and nothing of the project's.
        self._ctx.project = Project(
            root=self._project.root,
            path=self._project.path.with_name(f"{MARK}.toml"),
            pipelines={pipeline.name: pipeline},
        )
        deploy_project(self._ctx, ())

    def _hand_over(self, event: Mapping[str, Any], stream_arn: str) -> Iterator[tuple[str, str]]:
        """Deliver one batch as its mapping would; the records given up, and why."""
        records = tuple(_record(one, stream_arn) for one in event["Records"])
        extra = {name: value for name, value in event.items() if name != "Records"}
        delivery, now, why = Delivery(records, self._settings), 0.0, ""
        while not isinstance(step := delivery.next(now), Finished):
            if isinstance(step, Wait):
                now = step.until
            elif isinstance(step, GiveUp):
                for one in step.records:
                    yield f"{one.event['eventName']} {_key(one.event)}", why
            else:
                result = self._invoke(step, extra)
                why = result.reason or "batchItemFailures"
                if result.kind == "ok":
                    delivery.succeeded()
                elif result.checkpoint is not None:
                    delivery.failed_from(result.checkpoint, now)
                else:
                    delivery.failed(now)

    def _invoke(self, step: Invoke, extra: Mapping[str, Any]) -> BatchResult:
        called = call(self._ctx, self._pipeline, build_payload(step.records, extra))
        if called.outcome.failure is not None:
            return BatchResult("failed", reason=error_in_words(called.answer))
        if not self._settings.report_failures:
            return BatchResult("ok")
        return read_response(called.answer, step.records)

    @property
    def _tables(self) -> list[tuple[str, list[str]]]:
        """Each table with the attributes of its key."""
        tables: list[Table | OwnTable] = [self._pipeline.table, *self._pipeline.tables]
        return [(table.name, [key.name for key in table.keys]) for table in tables]

    @property
    def _queues(self) -> Iterator[tuple[str, str]]:
        """Each topic with the URL of a queue that has what was published to it."""
        for topic in self._pipeline.topics:
            yield topic.name, self._gateway.queues.url(topic.subscriptions[0].sqs)

    def _empty(self) -> None:
        """Empty the tables and queues; they may not be there yet."""
        for table, keys in self._tables:
            if self._gateway.tables.find(table) is None:
                return
            deletes = [
                {"DeleteRequest": {"Key": {name: item[name] for name in keys}}}
                for item in self._gateway.items.scan(table)
            ]
            while deletes:
                left = self._gateway.items.write_batch(table, deletes[:BATCH_LIMIT])
                deletes = left + deletes[BATCH_LIMIT:]
        for _, url in self._queues:
            for message in self._gateway.queues.collect(url, hold_s=_HOLD_S):
                self._gateway.queues.delete(url, message)

    def _end_state(self) -> dict[str, Place]:
        state: dict[str, Place] = {}
        for table, keys in self._tables:
            items: dict[str, Paths] = {}
            for found in self._gateway.items.scan(table):
                item = {name: values.from_boto(value) for name, value in found.items()}
                key = key_text({name: item[name] for name in keys})
                items[key] = paths_of({name: values.to_plain(v) for name, v in item.items()})
            state[self._old_names[table]] = Place(items=items)
        for topic, url in self._queues:
            name = self._old_names[topic]
            name = f"{name} (topic)" if name in state else name
            state[name] = Place(messages=list(self._messages(url)))
        return state

    def _messages(self, url: str) -> Iterator[Paths]:
        """What was published, as soon as no more comes."""
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < _QUIET_S:
            received = self._gateway.queues.collect(url, hold_s=_HOLD_S)
            for message in received:
                told = notification(message)
                yield paths_of({"subject": told.subject, "message": told.message})
                self._gateway.queues.delete(url, message)
                quiet_since = time.monotonic()
            if not received:
                time.sleep(_LOOK_S)


def _record(event: Mapping[str, Any], stream_arn: str) -> Record:
    """A record of the copy's stream."""
    change = event["dynamodb"]
    own = {**event, "eventSourceARN": stream_arn}
    return Record(
        sequence=change["SequenceNumber"],
        number=int(change["SequenceNumber"]),
        created=float(change.get("ApproximateCreationDateTime") or 0),
        item=item_text(change["Keys"]),
        event=own,
        body=json.dumps(own, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        ),
    )


def _key(record: Mapping[str, Any]) -> str:
    return key_text(record["dynamodb"]["Keys"])
