"""Functions that write to the table that invokes them: loops are stopped, and only loops."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.project import Project, eventually, pipeline, unique

BEGIN = """
import os, uuid
import boto3

table = boto3.resource("dynamodb").Table(os.environ["AWS_LAMBDA_FUNCTION_NAME"])

def lambda_handler(event, context):
    for record in event["Records"]:
        image = record["dynamodb"].get("NewImage")
        if image:
            handle(image)
"""
SAME_ITEM = """
def handle(image):
    table.update_item(
        Key={"id": image["id"]["S"]},
        UpdateExpression="ADD rounds :one",
        ExpressionAttributeValues={":one": 1},
    )
"""
NEW_ITEMS = """
def handle(image):
    table.put_item(Item={"id": str(uuid.uuid4())})
"""
WRITES_BACK_ONCE = """
def handle(image):
    if image.get("seen") != image["n"]:
        table.update_item(
            Key={"id": image["id"]["S"]},
            UpdateExpression="SET seen = n",
        )
"""


class Own:
    """A pipeline of the test's own whose function and table have one name."""

    def __init__(self, project: Project, code: str, mapping: str = "batch-size = 1") -> None:
        self.project, self.name = project, unique("loop")
        project.write_handler(self.name, BEGIN + code)
        mapping += ", starting-position = 'TRIM_HORIZON', maximum-retry-attempts = 0"
        text = pipeline(self.name, table=self.name, source=self.name, mapping=mapping)
        self.config = str(project.write_pipelines(text, f"{self.name}.toml"))
        self.client = project.client("dynamodb")
        project.run("deploy", "--config", self.config)

    def notices(self, kind: str) -> list[dict[str, Any]]:
        entries = self.project.run("logs", "--json", "--config", self.config).json_lines()
        return [e for e in entries if e["kind"] == kind and e.get("function") == self.name]

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.scan(TableName=self.name)["Items"]
        return found

    def mapping(self) -> dict[str, Any]:
        mappings: list[dict[str, Any]] = self.project.gateway.control.mappings()
        return next(mapping for mapping in mappings if mapping["function"] == self.name)


@pytest.mark.parametrize("code", [SAME_ITEM, NEW_ITEMS], ids=["same item", "new items"])
def test_a_loop_is_stopped_after_16_rounds(project: Project, code: str) -> None:
    own = Own(project, code)
    own.client.put_item(TableName=own.name, Item={"id": {"S": "a"}})

    (loop,) = eventually(lambda: own.notices("loop"), what="the loop's end")

    assert (loop["rounds"], loop["table"]) == (16, own.name)
    eventually(lambda: own.mapping()["backlog"] == 0)
    assert own.mapping()["handled"] == 16
    assert own.mapping()["last_result"].startswith("PROBLEM: Stopped a loop")
    (given_up,) = own.notices("discarded")
    assert given_up["reason"] == "RecursiveInvocationDetected"
    if code == SAME_ITEM:
        assert own.items() == [{"id": {"S": "a"}, "rounds": {"N": "16"}}]
        assert '["INSERT", "REMOVE"]' in loop["text"]
    else:
        assert len(own.items()) == 17


def test_a_hot_key_written_from_outside_is_no_loop(project: Project) -> None:
    own = Own(project, WRITES_BACK_ONCE, "batch-size = 2, report-batch-item-failures = true")
    for number in range(1, 101):
        own.client.update_item(
            TableName=own.name,
            Key={"id": {"S": "hot"}},
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )

    def caught_up() -> bool:
        (item,) = own.items()
        return item.get("seen") == {"N": "100"} and own.mapping()["backlog"] == 0

    eventually(caught_up, what="the last write to be seen")
    assert own.notices("loop") == []


def test_the_limit_can_be_set_and_there_may_be_none(own_project: Project) -> None:
    own_project.environ["STREAMDEV_LOOP_LIMIT"] = "3"
    own_project.run("up", timeout=600)
    own = Own(own_project, SAME_ITEM)
    own.client.put_item(TableName=own.name, Item={"id": {"S": "a"}})

    (loop,) = eventually(lambda: own.notices("loop"), what="the loop's end")

    assert loop["rounds"] == 3
    eventually(lambda: own.mapping()["backlog"] == 0)
    assert own.items() == [{"id": {"S": "a"}, "rounds": {"N": "3"}}]

    own_project.run("down")
    own_project.environ["STREAMDEV_LOOP_LIMIT"] = "off"
    own_project.run("up", timeout=600)
    endless = Own(own_project, SAME_ITEM)
    endless.client.put_item(TableName=endless.name, Item={"id": {"S": "a"}})

    # Far beyond where it is stopped by default.
    eventually(lambda: endless.mapping()["handled"] > 40, what="more rounds than any limit")
    assert endless.notices("loop") == []
    assert endless.notices("discarded") == []
