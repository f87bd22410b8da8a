"""Looking at the engine as it is now: table, stream, mappings, functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from streamdev.aws.errors import AwsNotFoundError
from streamdev.aws.names import table_of_stream
from streamdev.observe.why.facts import History, Live, Question, StreamRecord
from streamdev.observe.why.history import same_key
from streamdev.semantics import values

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

#: So many of the item's last writes are told of.
LAST_WRITES = 10
#: A stream is read this far at most: some ten seconds.
MAX_RECORDS = 50_000


def look(
    gateway: Gateway, question: Question, history: History, *, has_plugins: bool, whole: bool
) -> Live:
    """What there is now.

    Args:
        gateway: The engine's AWS API.
        question: Which item.
        history: What the log tells of it: the stream is read from before the writes on.
        has_plugins: Whether streamdev's plugins run inside.
        whole: Read all of the stream.
    """
    now = datetime.now(UTC)
    table = gateway.tables.find(question.table)
    pipeline = question.pipeline
    functions = {pipeline.function.name} if pipeline else set()
    mappings = tuple(
        mapping
        for mapping in gateway.mappings.all()
        if table_of_stream(mapping.source_arn) == question.table or mapping.function in functions
    )
    functions |= {mapping.function for mapping in mappings}
    control = gateway.control if has_plugins else None
    live = Live(
        at=now,
        has_plugins=has_plugins,
        table=table,
        mappings=mappings,
        functions={name: gateway.functions.find(name) for name in sorted(functions)},
        statuses={one["uuid"]: one for one in control.mappings()} if control else {},
        stored=frozenset(batch["name"] for batch in control.batches()) if control else frozenset(),
    )
    if table is None:
        return live
    return Live(
        **vars(live)
        | {"exists": _exists(gateway, question)}
        | _records(gateway, question, table.stream_arn, None if whole else history)
    )


def last_writes(question: Question, history: History) -> tuple[int, datetime | None]:
    """From which of the logged writes on the story is told: its index and when it came in."""
    begin = max(0, len(history.writes) - LAST_WRITES)
    if question.since is not None:
        later = (i for i, write in enumerate(history.writes) if write.at >= question.since)
        begin = next(later, len(history.writes))
    return begin, history.writes[begin].began if begin < len(history.writes) else None


def _exists(gateway: Gateway, question: Question) -> bool:
    key = {name: values.to_boto(value) for name, value in question.key.items()}
    try:
        return gateway.items.get(question.table, key) is not None
    except AwsNotFoundError:
        return False


def _records(
    gateway: Gateway, question: Question, stream_arn: str | None, history: History | None
) -> dict[str, Any]:
    """The fields of `Live` about the stream."""
    description = gateway.streams.description(stream_arn) if stream_arn else None
    if stream_arn is None or description is None:
        return {}
    after = read_before(question, history) if history else {}
    begin = min((description.shards.index(s) for s in after if s in description.shards), default=0)
    found: list[StreamRecord] = []
    count = 0
    for shard in description.shards[begin:]:
        for event in gateway.streams.read(stream_arn, shard, after.get(shard)):
            count += 1
            if same_key(event["dynamodb"]["Keys"], question.key):
                found.append(stream_record(event, shard))
            if count >= MAX_RECORDS:
                break
    found.sort(key=lambda record: record.number)
    return {
        "stream_began": description.began,
        "records": tuple(found),
        "unread": count >= MAX_RECORDS,
    }


def read_before(question: Question, history: History) -> dict[str, str]:
    """By shard the last sequence number that was read before the first write of interest."""
    _, began = last_writes(question, history)
    if began is None:
        return {}
    # In the order of their numbers, so that the greatest of each shard stays.
    before = [received for received in history.received if received.at < began]
    before.sort(key=lambda received: int(received.last))
    return {received.shard: received.last for received in before}


def stream_record(event: Mapping[str, Any], shard: str | None) -> StreamRecord:
    """A record as a function gets it, as the story has it."""
    change = event["dynamodb"]
    created = change.get("ApproximateCreationDateTime")
    return StreamRecord(
        sequence_number=str(change["SequenceNumber"]),
        event_id=event.get("eventID"),
        event_name=str(event["eventName"]),
        keys=change["Keys"],
        old=change.get("OldImage"),
        new=change.get("NewImage"),
        shard=shard,
        created=None if created is None else datetime.fromtimestamp(float(created), UTC),
        expired="userIdentity" in event,
    )
