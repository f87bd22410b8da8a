"""A mapping goes on where it stood: over restarts, kills, rolled shards, expired iterators.

A shard is closed after hours and a record is gone after a day. These tests do not wait: they
change DynamoDB Local's own tables (``ss``: shards, ``us``: records) while it is down.
"""

from __future__ import annotations

import base64
import json
import secrets
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from streamdev.plugins.dynamodb.client import DynamoDbClient
from streamdev.plugins.mapping.stream import Stream
from streamdev.semantics.records import Record
from tests.support.project import Project, eventually, pipeline

HANDLER = """
import json
import time

import boto3

dynamodb = boto3.client("dynamodb")


def note(name, value):
    key = {"name": {"S": name}, "at": {"N": str(time.time_ns())}}
    dynamodb.put_item(TableName="Notes", Item=key | {"value": {"S": json.dumps(value)}})


def flag(name):
    key = {"name": {"S": name}, "at": {"N": "0"}}
    return "Item" in dynamodb.get_item(TableName="Notes", Key=key, ConsistentRead=True)


def lambda_handler(event, context):
    keys = [record["dynamodb"]["Keys"]["id"]["S"] for record in event["Records"]]
    note("got", keys)
    while flag("hold"):
        time.sleep(0.02)
    if any(flag("fail-" + key) for key in keys):
        raise ValueError("told to fail")
    note("handled", keys)
"""
# The handler's notes and what it is told to do: a table, which outlives every kind of restart.
NOTES = """
[[pipelines.things.tables]]
name = "Notes"
key = "name:S"
sort-key = "at:N"
actions = ["dynamodb:GetItem", "dynamodb:PutItem"]
"""
ITS_FILES = pytest.mark.only_on(
    "host", because="it changes or reads files of the engine, which are in a volume with Compose"
)


class Things:
    """A project with one pipeline, its handler's notes, and its database."""

    def __init__(self, project: Project, mapping: str) -> None:
        self.project = project
        project.write_handler("things", HANDLER)
        project.write_pipelines(
            pipeline("things", table="Things", source="things", mapping=mapping) + NOTES
        )
        project.run("up", timeout=600)

    def put(self, *keys: str) -> None:
        for key in keys:
            item = {"id": {"S": key}, "at": {"N": str(time.time_ns())}}
            self.project.client("dynamodb").put_item(TableName="Things", Item=item)

    def got(self) -> list[list[str]]:
        return self._notes("got")

    def handled(self) -> list[str]:
        return [key for keys in self._notes("handled") for key in keys]

    def wait_for(self, *keys: str) -> None:
        eventually(lambda: set(keys) <= set(self.handled()), what=f"{keys} are handled")

    def wait_until_got(self, key: str) -> None:
        eventually(lambda: any(key in keys for keys in self.got()), what=f"{key} is there")

    def set(self, flag: str) -> None:
        item = {"name": {"S": flag}, "at": {"N": "0"}}
        self.project.client("dynamodb").put_item(TableName="Notes", Item=item)

    def clear(self, flag: str) -> None:
        key = {"name": {"S": flag}, "at": {"N": "0"}}
        self.project.client("dynamodb").delete_item(TableName="Notes", Key=key)

    def _notes(self, name: str) -> list[list[str]]:
        items = self.project.client("dynamodb").query(
            TableName="Notes",
            KeyConditionExpression="#name = :name",
            ExpressionAttributeNames={"#name": "name"},
            ExpressionAttributeValues={":name": {"S": name}},
            ConsistentRead=True,
        )["Items"]
        return [json.loads(item["value"]["S"]) for item in items]

    def restart(self) -> None:
        self.project.run("down", "--keep")
        self.project.run("up", timeout=600)

    def edit_database(self, edit: Callable[[sqlite3.Connection], None]) -> None:
        """Change what DynamoDB Local has on disk; the engine is down."""
        for path in self.project.state.database.glob("*.db"):
            with closing(sqlite3.connect(path)) as database:
                edit(database)
                database.commit()

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.project.events() if event["event"] == kind]

    def mapping(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.project.endpoint}/_streamdev/mappings") as answer:
            found: list[dict[str, Any]] = json.load(answer)
        assert len(found) == 1
        return found[0]

    def shards(self) -> list[dict[str, Any]]:
        streams = self.project.client("dynamodbstreams")
        arn = streams.list_streams(TableName="Things")["Streams"][0]["StreamArn"]
        description = streams.describe_stream(StreamArn=arn)["StreamDescription"]
        shards: list[dict[str, Any]] = description["Shards"]
        return shards


def roll_shards(database: sqlite3.Connection) -> None:
    """Close each open shard and begin its child."""
    now = round(time.time() * 1000)
    (last,) = database.execute("SELECT COALESCE(MAX(SequenceNumber), 0) FROM us").fetchone()
    open_shards = database.execute(
        "SELECT StreamID, ShardID FROM ss WHERE DeletionDateTime IS NULL"
    ).fetchall()
    for stream, shard in open_shards:
        database.execute(
            "UPDATE ss SET DeletionDateTime = ?, SequenceNumberEnd = ? WHERE ShardID = ?",
            (now, last, shard),
        )
        database.execute(
            "INSERT INTO ss (StreamID, ShardID, CreationDateTime, InitialSequenceNumberStart,"
            " ParentShardID) VALUES (?, ?, ?, ?, ?)",
            (stream, f"shardId-{now:020d}-{secrets.token_hex(4)}", now, last + 1, shard),
        )


def age_records(database: sqlite3.Connection) -> None:
    """Make all records older than what a stream keeps."""
    database.execute("UPDATE us SET CreationDateTime = CreationDateTime - 25 * 3600000")


@pytest.fixture
def things(new_project: Callable[[str], Project], request: pytest.FixtureRequest) -> Things:
    mapping = getattr(request, "param", "batch-size = 10, starting-position = 'TRIM_HORIZON'")
    return Things(new_project("things"), mapping)


def test_a_restart_repeats_and_loses_nothing_until_the_position_is_forgotten(
    things: Things,
) -> None:
    things.put("a", "b")
    things.wait_for("a", "b")
    things.restart()
    things.put("c")
    things.wait_for("c")
    assert things.handled() == ["a", "b", "c"]

    uuid = things.mapping()["uuid"]
    request = urllib.request.Request(
        f"{things.project.endpoint}/_streamdev/mappings/{uuid}/forget", method="POST"
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer) == {"uuid": uuid}
    things.restart()
    eventually(lambda: things.handled() == ["a", "b", "c"] * 2, what="all come again")


@pytest.mark.parametrize("things", ["batch-size = 10, starting-position = 'LATEST'"], indirect=True)
def test_latest_is_not_now_again_after_a_restart(things: Things) -> None:
    things.set("fail-a")
    things.put("a", "b")
    things.wait_until_got("a")
    things.project.run("down", "--keep")
    things.project.run("up", timeout=600)
    things.clear("fail-a")
    things.wait_for("a", "b")
    assert sorted(set(things.handled())) == ["a", "b"]


def test_stopping_the_engine_lets_a_batch_in_flight_finish(things: Things) -> None:
    things.set("hold")
    things.put("a")
    things.wait_until_got("a")
    with things.project.running("down", "--keep") as down:
        eventually(
            lambda: things.events("mapping.state")[-1]["state"] == "Stopping",
            what="the mapping is told to end",
        )
        things.clear("hold")
        down.wait(60)
    things.project.run("up", timeout=600)
    things.put("b")
    things.wait_for("b")
    assert things.handled() == ["a", "b"]
    assert things.got() == [["a"], ["b"]]


def test_a_killed_engine_repeats_what_was_in_flight(things: Things) -> None:
    things.put("a")
    things.wait_for("a")
    things.set("hold")
    things.put("b")
    things.wait_until_got("b")
    things.project.kill()
    things.project.run("up", timeout=600)
    eventually(lambda: things.got().count(["b"]) == 2, what="b comes again")
    things.clear("hold")
    things.wait_for("a", "b")
    assert things.handled() == ["a", "b"]
    assert things.got().count(["b"]) == 2


@ITS_FILES
def test_records_go_on_in_the_next_shard_when_one_is_closed(things: Things) -> None:
    things.put("a")
    things.wait_for("a")
    things.project.run("down", "--keep")
    things.edit_database(roll_shards)
    things.project.run("up", timeout=600)
    things.put("b", "c")
    things.wait_for("b", "c")
    assert things.handled() == ["a", "b", "c"]
    parent, child = things.shards()
    assert child["ParentShardId"] == parent["ShardId"]
    assert set(things.mapping()["position"]) == {parent["ShardId"], child["ShardId"]}
    things.restart()
    things.put("d")
    things.wait_for("d")
    assert things.handled() == ["a", "b", "c", "d"]


@ITS_FILES
def test_a_closed_shard_is_handled_to_its_end_before_its_child(things: Things) -> None:
    things.set("fail-a")
    things.put("a", "b")
    things.wait_until_got("a")
    things.project.run("down", "--keep")
    things.edit_database(roll_shards)
    things.project.run("up", timeout=600)
    things.put("c", "d")
    assert "c" not in things.handled()
    things.clear("fail-a")
    things.wait_for("a", "b", "c", "d")
    assert list(dict.fromkeys(things.handled())) == ["a", "b", "c", "d"]


@ITS_FILES
def test_records_older_than_a_day_are_gone_and_the_log_says_so(things: Things) -> None:
    things.put("a")
    things.wait_for("a")
    things.set("fail-b")
    things.put("b", "c")
    things.wait_until_got("b")
    things.project.run("down", "--keep")
    things.edit_database(age_records)
    things.project.run("up", timeout=600)
    things.clear("fail-b")
    things.put("d")
    things.wait_for("d")
    assert set(things.handled()) == {"a", "d"}
    assert things.events("mapping.trimmed")


def keys_of(records: Sequence[Record]) -> list[str]:
    return [record.event["dynamodb"]["Keys"]["id"]["S"] for record in records]


@ITS_FILES
def test_an_expired_iterator_is_made_anew(things: Things) -> None:
    """DynamoDB Local's iterators hold the time they were made at: this one is of yesterday."""
    things.put("a")
    things.wait_for("a")
    with urllib.request.urlopen(f"{things.project.endpoint}/_streamdev/health") as answer:
        port = int(json.load(answer)["detail"].split()[1].rstrip(","))
    with closing(DynamoDbClient("127.0.0.1", port)) as client:
        stream = Stream(client, things.mapping()["stream_arn"])
        shard = stream.shards()[0].id
        first = stream.read(shard, None).records
        assert keys_of(first) == ["a"]

        tail = stream._tails[shard]
        assert tail.iterator is not None
        head, _, coded = tail.iterator.rpartition("|")
        name, position, made = base64.b64decode(coded).decode().split("|")
        yesterday = f"{name}|{position}|{int(made) - 24 * 3_600_000:030d}"
        tail.iterator = f"{head}|{base64.b64encode(yesterday.encode()).decode()}"

        things.put("b")
        assert keys_of(stream.read(shard, first[-1].sequence).records) == ["b"]


@ITS_FILES
def test_positions_and_database_are_the_owners_alone(things: Things) -> None:
    things.put("a")
    things.wait_for("a")
    positions = list((things.project.state.streams / "positions").iterdir())
    assert positions
    folder: Path = things.project.state.streams / "positions"
    assert folder.stat().st_mode & 0o077 == 0
