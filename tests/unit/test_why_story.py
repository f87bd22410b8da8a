"""From facts to findings: what an engine rarely shows, or not on purpose."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from streamdev.aws.functions import FunctionSettings, FunctionState
from streamdev.aws.mappings import MappingSettings, MappingState
from streamdev.aws.tables import TableState
from streamdev.observe.why import Answer, answer
from streamdev.observe.why.facts import History, Live, Question, StreamRecord
from streamdev.observe.why.history import read_history
from streamdev.observe.why.pairing import Pairs, Window, pair
from streamdev.observe.why.render import lines
from streamdev.observe.why.story import Facts
from streamdev.semantics.chaos import REASON
from tests.support.observed import TABLE, at, invocation, line, record

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
KEY = {"id": {"S": "7"}}
STREAM = f"arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}/stream/2026-11-20T11:00:00.000"
SHARD = "shardId-1"


def time(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def window(since: float | None, to: float | None, **more: Any) -> Window:
    return Window(None if since is None else time(since), None if to is None else time(to), **more)


# -- which write made which record -----------------------------------------------------------


def test_a_write_whose_time_no_record_meets_made_none() -> None:
    writes = [window(1.0, 1.1), window(2.0, 2.1), window(3.0, 3.1)]
    records = [window(0.0, 1.2), window(2.2, 3.2)]
    assert pair(writes, records) == Pairs({0: 0, 2: 1}, set())


def test_as_many_records_as_writes_belong_together_in_order() -> None:
    writes = [window(1, 1), window(2, 2)]
    assert pair(writes, [window(0, 60), window(0, 60)]) == Pairs({0: 0, 1: 1}, set())


def test_where_it_cannot_be_told_it_is_said() -> None:
    # Nobody read the stream: the record was made by one of two writes of that minute.
    writes = [window(1, 1), window(2, 2), window(70, 70)]
    assert pair(writes, [window(0, 60)]) == Pairs({1: 0}, {0, 1})


def test_what_time_to_live_deleted_belongs_to_no_write() -> None:
    assert pair([window(1, 1)], [window(0, 60, nobodys=True)]) == Pairs()
    assert pair([], [window(0, 60)]) == Pairs()


# -- what is said ----------------------------------------------------------------------------


class World:
    """A table with one function, whose mapping is on and idle."""

    def __init__(self) -> None:
        self.log: list[str] = line("engine.ready", 0)
        self.question = Question(TABLE, KEY)
        self.records: list[StreamRecord] = []
        self.status: dict[str, Any] = {"position": {}, "lanes": [self.lane()]}
        self.has_plugins = True
        self.exists = True
        self.position = "TRIM_HORIZON"

    def lane(self, **more: Any) -> dict[str, Any]:
        idle = {"shard": SHARD, "waiting": 0, "due": None, "batch": None, "retry": None}
        return idle | more

    def wrote(self, second: float, operation: str = "PutItem", **more: Any) -> None:
        self.log += line(
            "write", second, began=at(second), table=TABLE, operation=operation, keys=[KEY], **more
        )

    def streamed(self, number: str, event_name: str = "INSERT", **more: Any) -> None:
        self.records.append(
            StreamRecord(
                number,
                f"{int(number):032x}",
                event_name,
                KEY,
                None,
                KEY,
                shard=SHARD,
                created=NOON,
                **more,
            )
        )

    def read(self, second: float, number: str, caught_up: float) -> None:
        self.log += line(
            "mapping.received",
            second,
            mapping="m1",
            function="user-profile",
            table=TABLE,
            shard=SHARD,
            first=number,
            last=number,
            caught_up_at=at(caught_up),
        )

    def answer(self) -> Answer:
        known = [one.sequence_number for one in self.records]
        hidden = bool(self.question.redact)
        history = (
            read_history(self.log, self.question, known if hidden else ())
            if self.has_plugins
            else History()
        )
        live = Live(
            at=time(100),
            has_plugins=self.has_plugins,
            table=TableState(
                TABLE, "arn", "ACTIVE", ("id",), {"id": "S"}, STREAM, "NEW_IMAGE", {}, {}, 1
            ),
            exists=self.exists,
            records=tuple(self.records),
            mappings=(_mapping(self.position),),
            statuses={"m1": self.status} if self.has_plugins else {},
            functions={"user-profile": _function()},
        )
        return answer(Facts(self.question, history, live))

    def finding(self) -> tuple[str, str]:
        (found,) = self.answer().findings
        return found.check, found.text


def _mapping(position: str) -> MappingState:
    settings = MappingSettings(100, 0, (), 1, 0, -1, -1, False, False, None, None, True)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:user-profile"
    return MappingState("m1", arn, STREAM, "Enabled", position, settings, "OK")


def _function() -> FunctionState:
    settings = FunctionSettings("python3.13", "handler.lambda_handler", "role", 3, 128, {})
    return FunctionState(
        "user-profile", "arn", settings, "x", "Active", "Successful", None, None, {}
    )


def test_the_record_of_each_write_is_known_by_when_it_was_read() -> None:
    world = World()
    for second in (1, 2, 3):
        world.wrote(second)
    world.streamed("1")
    world.streamed("2", "MODIFY")
    world.read(1.1, "1", 0.5)
    world.read(3.1, "2", 2.5)
    world.log += invocation([record("7", sequence_number="1")], second=1.2)
    world.log += invocation(
        [record("7", "MODIFY", sequence_number="2")], second=3.2, request_id="r2"
    )
    told = world.answer().told
    assert [one.findings[0].check for one in told] == ["handled", "changed-nothing", "handled"]
    assert [one.change.changed for one in told] == [True, False, True]


def test_a_function_that_is_not_reached_is_told_with_lambdas_reason() -> None:
    world = World()
    world.wrote(1)
    world.streamed("1")
    retry = {
        "attempt": 1,
        "next": at(130),
        "reason": "ResourceConflictException: it is Pending.",
        "first": "1",
        "last": "1",
        "count": 1,
    }
    batch = {"first": "1", "last": "1", "count": 1}
    world.status["lanes"] = [world.lane(batch=batch, retry=retry)]
    check, text = world.finding()
    assert check == "not-reached"
    assert "can't be reached: ResourceConflictException: it is Pending.; attempt 1 is at" in text


def chaos(second: float, deed: str, number: str = "1", **more: Any) -> list[str]:
    return line(
        "mapping.chaos",
        second,
        mapping="m1",
        function="user-profile",
        table=TABLE,
        deed=deed,
        count=1,
        event_ids=[f"{int(number):032x}"],
        **more,
    )


def test_chaos_is_told_as_chaos_and_not_as_the_functions_failure() -> None:
    world = World()
    world.wrote(1)
    world.streamed("1")
    world.read(1.1, "1", 0.5)
    span = {"first": "1", "last": "1", "count": 1}
    retry = {"attempt": 2, "next": at(130), "reason": f"{REASON}failed by dev.py chaos", **span}
    world.log += chaos(1.2, "fail", attempt=1)
    world.status["lanes"] = [world.lane(batch=span, retry=retry)]
    check, text = world.finding()
    assert check == "chaos"
    assert text.startswith("Its batch was failed by dev.py chaos; attempt 2 is at")
    shown = [one.plain.strip() for one in lines(world.answer())]
    assert any(
        one.endswith("attempt 1 at 1 record failed, the function was not run") for one in shown
    )

    behind = {"first": "0", "last": "0", "count": 1}
    world.status["lanes"] = [world.lane(batch=behind, retry=retry)]
    assert world.finding()[1].startswith("The batch before it was failed by dev.py chaos")

    world.log += chaos(99, "delay", attempt=2, wait_ms=30_000)
    world.status["lanes"] = [world.lane(batch=span)]
    assert world.finding()[0] == "chaos"
    assert "./dev.py chaos holds it back until" in world.finding()[1]
    world.status["lanes"] = [world.lane(batch=behind, waiting=1)]
    assert "./dev.py chaos holds the batch before it back until" in world.finding()[1]

    world.log += line(
        "mapping.discarded",
        3,
        function="user-profile",
        table=TABLE,
        reason="RetryAttemptsExhausted",
        count=1,
        batch="b.json",
        event_ids=[f"{1:032x}"],
    )
    check, text = world.finding()
    assert check == "given-up"
    assert text.endswith("; ./dev.py chaos failed it once, not the function.")


def test_what_is_older_than_the_log_is_said_to_be() -> None:
    world = World()
    world.streamed("1")
    world.status["position"] = {SHARD: "5"}
    check, text = world.finding()
    assert check == "before-log"
    assert "is past the record; the engine's log, which begins at" in text
    assert world.answer().ok
    world.status["position"] = {}
    assert world.finding()[0] == "not-read"


def test_an_item_without_write_and_record_is_there_from_before() -> None:
    assert World().finding()[0] == "not-written-since"


def test_an_external_engine_tells_of_the_stream_alone() -> None:
    world = World()
    world.has_plugins = False
    world.streamed("1")
    check, text = world.finding()
    assert (check, "is not told by an external engine" in text) == ("not-told", True)


def test_a_mapping_from_latest_is_blamed_only_for_what_the_log_would_know() -> None:
    world = World()
    world.position = "LATEST"
    world.streamed("1")
    world.status["position"] = {SHARD: "5"}
    assert world.finding()[0] == "before-latest"
    world.records = [replace(world.records[0], created=NOON - timedelta(hours=1))]
    assert world.finding()[0] == "before-log"


def test_since_leaves_out_what_was_before() -> None:
    world = World()
    world.wrote(1)
    world.streamed("1", "REMOVE")
    world.exists = False
    assert world.answer().told
    world.question = replace(world.question, since=time(90))
    check, text = world.finding()
    assert (check, text.endswith("was not written; only before that.")) == (
        "not-written-since",
        True,
    )


def test_of_many_writes_the_last_ten_are_told_each_with_its_own_record() -> None:
    world = World()
    for number in range(1, 16):
        world.wrote(number)
        world.streamed(str(number), "MODIFY")
    told = world.answer().told
    numbers = [one.change.record and one.change.record.number for one in told]
    assert numbers == list(range(6, 16))


def test_a_deletion_by_time_to_live_has_no_write() -> None:
    world = World()
    world.streamed("1", "REMOVE", expired=True)
    shown = [text.plain for text in lines(world.answer())]
    assert any("deleted by time to live  →  REMOVE" in one for one in shown)


def test_a_redacted_key_is_known_by_its_records() -> None:
    world = World()
    world.question = replace(world.question, redact=("id", "pin"))
    hidden = {"id": {"redacted": True}}
    world.streamed("1")
    world.log += invocation([{**record("7", sequence_number="1"), "keys": hidden}])
    world.log += invocation(
        [{**record("8", sequence_number="2"), "keys": hidden}], request_id="r2", outcome="error"
    )
    (told,) = world.answer().told
    assert [one.request_id for one in told.change.passages[0].attempts] == ["r1"]
    shown = "\n".join(text.plain for text in lines(world.answer()))
    assert "a write that the log does not have" in shown


def test_only_the_item_asked_for_is_told_of() -> None:
    world = World()
    world.log += line("write", 1, table=TABLE, operation="PutItem", keys=[{"id": {"S": "70"}}])
    world.log += line("write", 2, table="Other", operation="PutItem", keys=[KEY])
    world.log += invocation([record("70", sequence_number="9")])
    answered = world.answer()
    assert answered.told == ()
    assert answered.facts.history.elsewhere.keys() == {"Other"}


def test_a_given_up_batch_is_found_by_any_part_of_its_list() -> None:
    world = World()
    world.wrote(1)
    world.streamed("3")
    told = {"mapping": "m1", "function": "user-profile", "table": TABLE, "batch": "b.json"}
    world.log += line(
        "mapping.discarded",
        9,
        count=900,
        reason="RecordAgeExceeded",
        event_ids=[f"{number:032x}" for number in range(1, 901)],
        **told,
    )
    check, text = world.finding()
    assert (check, "(RecordAgeExceeded)" in text) == ("given-up", True)


def test_what_a_snapshot_brought_is_no_riddle() -> None:
    world = World()
    world.wrote(1, "BatchWriteItem")
    world.streamed("5")
    quiet = {"stream_arn": STREAM, "after": "4", "last": "5", "source": "base.snapshot.zip"}
    world.log += line("stream.quiet", 1, table="Other", **quiet)
    assert world.finding()[0] == "not-read"
    world.log += line("stream.quiet", 1, table=TABLE, **quiet)
    world.read(1.1, "5", 0.5)
    check, text = world.finding()
    assert (check, world.answer().ok) == ("snapshot", True)
    assert text.startswith("The INSERT came by the snapshot base.snapshot.zip at ")
    shown = [one.plain for one in lines(world.answer())]
    assert any("is not told of it: it came by a snapshot" in one for one in shown)
    # What is written next is told of, and what time to live deletes always is.
    world.wrote(2)
    world.streamed("6", "MODIFY")
    assert world.finding()[0] == "not-read"
    world.log += line("stream.quiet", 3, table=TABLE, **quiet | {"after": "6", "last": "8"})
    world.streamed("7", "REMOVE", expired=True)
    assert world.finding()[0] == "not-read"
