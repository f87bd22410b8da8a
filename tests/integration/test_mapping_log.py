"""What a mapping does is in the engine's log, and what it gives up is on disk, whole."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.conformance import answers
from tests.conformance.world import Function, Mapping, Table, World
from tests.support.project import Project, eventually, unique

pytestmark = pytest.mark.only_on(
    "host",
    because="its functions write to files of this machine what they get; test_logs.py and "
    "test_user_profile.py show on both engines what the log and the stored batches tell",
)

GOOD, BAD = ("a", "b", "c"), "bad"


class Scene:
    """A table and a function in the session's engine, and what the log tells of them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.world = World(project.endpoint)
        self.table: Table = self.world.table()
        self._since = datetime.now(UTC)

    def mapped(self, answer: str, **parameters: Any) -> tuple[Function, Mapping]:
        function = self.world.function(answer)
        return function, self.world.mapping(self.table, function, **parameters)

    def events(self, mapping: Mapping, *kinds: str) -> list[dict[str, Any]]:
        found = [
            event
            for event in self.project.events(self._since)
            if event.get("mapping") == mapping.uuid
        ]
        return [event for event in found if not kinds or event["event"] in kinds]

    def event(self, mapping: Mapping, kind: str) -> dict[str, Any]:
        return eventually(lambda: self.events(mapping, kind), what=kind)[0]

    def writes(self) -> list[dict[str, Any]]:
        return [
            event
            for event in self.project.events(self._since)
            if event["event"] == "write" and event["table"] == self.table.name
        ]


@pytest.fixture
def scene(project: Project) -> Iterator[Scene]:
    scene = Scene(project)
    yield scene
    scene.world.close()


def test_the_way_of_a_record_is_told(scene: Scene) -> None:
    function, mapping = scene.mapped(answers.NOTHING, BatchSize=1)
    scene.table.put("a", name="one")
    function.wait_for("a")
    eventually(lambda: scene.events(mapping, "invocation.end"))

    received, start, end = scene.events(
        mapping, "mapping.received", "invocation.start", "invocation.end"
    )
    assert received["table"] == scene.table.name
    assert (received["count"], received["first"]) == (1, received["last"])
    assert start["records"][0]["new"] == {"id": {"S": "a"}, "name": {"S": "one"}}
    assert start["records"][0]["sequence_number"] == received["first"]
    assert (end["outcome"], end["request_id"]) == ("ok", start["request_id"])


def test_a_filtered_record_names_the_clause(scene: Scene) -> None:
    pattern = {"dynamodb": {"NewImage": {"status": {"S": ["active"]}}}}
    criteria = {"Filters": [{"Pattern": json.dumps(pattern)}]}
    function, mapping = scene.mapped(answers.NOTHING, FilterCriteria=criteria)
    scene.table.put("a", status="closed")
    scene.table.put("b", status="active")
    function.wait_for("b")

    filtered = scene.events(mapping, "mapping.filtered")
    assert [event["keys"] for event in filtered] == [{"id": {"S": "a"}}]
    assert "dynamodb.NewImage.status.S" in filtered[0]["reason"]
    assert "closed" in filtered[0]["reason"]


def test_retries_and_the_end_of_them_are_told(scene: Scene) -> None:
    scene.table.put_all([*GOOD, BAD])
    _, mapping = scene.mapped(answers.FAIL_ON_BAD, MaximumRetryAttempts=1)
    discarded = scene.event(mapping, "mapping.discarded")

    retry = scene.event(mapping, "mapping.retry")
    assert (retry["attempt"], retry["count"]) == (2, 4)
    assert retry["wait_ms"] > 0
    assert discarded["reason"] == "RetryAttemptsExhausted"
    assert discarded["count"] == 4
    assert len(discarded["event_ids"]) == 4
    assert int(discarded["first"]) < int(discarded["last"])


def test_splits_are_told(scene: Scene) -> None:
    scene.table.put_all([*GOOD, BAD])
    _, mapping = scene.mapped(
        answers.FAIL_ON_BAD, MaximumRetryAttempts=0, BisectBatchOnFunctionError=True
    )
    discarded = scene.event(mapping, "mapping.discarded")
    splits = [
        (event["count"], event["left"], event["right"])
        for event in scene.events(mapping, "mapping.bisect")
    ]
    assert splits == [(4, 2, 2), (2, 1, 1)]
    assert discarded["count"] == 1


def test_a_batch_given_up_is_stored_whole_for_its_owner_alone(scene: Scene) -> None:
    scene.table.put(BAD, name="poison", tags={"L": [{"S": "x"}]})
    _, mapping = scene.mapped(answers.FAIL_ON_BAD, MaximumRetryAttempts=0)
    name = scene.event(mapping, "mapping.discarded")["batch"]

    batch = scene.project.gateway.control.batch(name)
    image = batch["payload"]["Records"][0]["dynamodb"]["NewImage"]
    assert image == {"id": {"S": BAD}, "name": {"S": "poison"}, "tags": {"L": [{"S": "x"}]}}
    assert batch["error"]["errorType"] == "ValueError"
    assert batch["condition"] == "RetryAttemptsExhausted"
    assert batch["message"]["DDBStreamBatchInfo"]["batchSize"] == 1
    path = scene.project.state.streams / "batches" / name
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_destination_that_is_down_gets_its_message_when_it_is_up(scene: Scene) -> None:
    sqs = scene.project.client("sqs")
    name = unique("failed")
    arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
    scene.table.put(BAD)
    function, mapping = scene.mapped(
        answers.FAIL_ON_BAD,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    refused = scene.event(mapping, "mapping.destination")
    assert not refused["ok"]
    assert refused["arn"] == arn
    assert refused["error"]
    # The mapping goes on meanwhile.
    scene.table.put("a")
    function.wait_for("a")

    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    received = eventually(
        lambda: sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"),
        what="the message arrives",
    )
    assert json.loads(received[0]["Body"])["requestContext"]["condition"] == (
        "RetryAttemptsExhausted"
    )
    name = scene.event(mapping, "mapping.discarded")["batch"]
    control = scene.project.gateway.control
    eventually(lambda: control.batch(name)["delivered"], what="it is noted")
    eventually(lambda: any(event["ok"] for event in scene.events(mapping, "mapping.destination")))
    sqs.delete_queue(QueueUrl=url)


def test_the_control_endpoint_tells_where_mappings_stand(scene: Scene) -> None:
    function, mapping = scene.mapped(answers.NOTHING, BatchSize=10)
    scene.table.put_all(GOOD)
    function.wait_for(*GOOD)

    def shown() -> dict[str, Any]:
        with urllib.request.urlopen(f"{scene.project.endpoint}/_streamdev/mappings") as answer:
            found = [one for one in json.load(answer) if one["uuid"] == mapping.uuid]
        return found[0] if found and found[0]["handled"] == 3 else {}

    entry = eventually(shown, what="three records are handled")
    assert entry["function"] == function.name
    assert entry["table"] == scene.table.name
    assert entry["state"] == "Enabled"
    assert (entry["backlog"], entry["in_flight"], entry["failed"]) == (0, 0, 0)
    assert entry["last_result"] == "OK"
    assert entry["last_invocation"].endswith("Z")
    last = scene.events(mapping, "mapping.received")[-1]["last"]
    assert list(entry["position"].values()) == [last]


def test_the_control_endpoint_tells_what_a_mapping_waits_for(scene: Scene) -> None:
    scene.table.put_all([*GOOD, BAD])
    _, failing = scene.mapped(answers.FAIL_ON_BAD)
    _, gathering = scene.mapped(answers.NOTHING, MaximumBatchingWindowInSeconds=300)

    def entry(mapping: Mapping) -> dict[str, Any]:
        with urllib.request.urlopen(f"{scene.project.endpoint}/_streamdev/mappings") as answer:
            return next(one for one in json.load(answer) if one["uuid"] == mapping.uuid)

    eventually(lambda: entry(failing)["retry"], what="it is tried again")
    retry = entry(failing)["retry"]
    assert retry["reason"] == "ValueError: a bad record"
    assert retry["attempt"] >= 2
    assert retry["count"] == 4
    assert entry(failing)["last_result"] == "PROBLEM: Function call failed"

    eventually(lambda: entry(gathering)["waiting"] == 4, what="four records wait")
    assert entry(gathering)["due"].endswith("Z")
    assert entry(gathering)["retry"] is None


def test_writes_are_told_with_their_keys(scene: Scene) -> None:
    client = scene.world.dynamodb
    scene.table.put("a")
    scene.table.write_batches(["b", "c"])
    client.update_item(
        TableName=scene.table.name,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "1"}},
    )
    put = {"TableName": scene.table.name, "Item": {"id": {"S": "d"}}}
    client.transact_write_items(TransactItems=[{"Put": put}])
    client.execute_statement(Statement=f"INSERT INTO \"{scene.table.name}\" VALUE {{'id': 'e'}}")
    scene.table.remove("a")

    eventually(lambda: len(scene.writes()) == 6, what="six writes")
    told = scene.writes()
    assert [(event["operation"], event["keys"]) for event in told] == [
        ("PutItem", [{"id": {"S": "a"}}]),
        ("BatchWriteItem", [{"id": {"S": "b"}}, {"id": {"S": "c"}}]),
        ("UpdateItem", [{"id": {"S": "a"}}]),
        ("TransactWriteItems", [{"id": {"S": "d"}}]),
        ("ExecuteStatement", []),
        ("DeleteItem", [{"id": {"S": "a"}}]),
    ]


def test_refused_writes_are_not_told_and_errors_read_as_on_aws(scene: Scene) -> None:
    client = scene.world.dynamodb
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(
            TableName=scene.table.name,
            Item={"id": {"S": "a"}},
            ConditionExpression="attribute_exists(id)",
        )
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.put_item(TableName=unique("missing"), Item={"id": {"S": "a"}})
    scene.table.put("b")
    told = eventually(scene.writes, what="the write that was not refused")
    assert [event["keys"] for event in told] == [[{"id": {"S": "b"}}]]
