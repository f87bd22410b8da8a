"""Functions that write to the table that invokes them: loops are stopped, and only loops."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamdev.testing.pipeline import TestedPipeline
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


Pipelines = Callable[..., TestedPipeline]


def written(project: Project, code: str, mapping: str = "batch-size = 1") -> Path:
    """A pipelines file with one pipeline, whose function and table have one name."""
    name = unique("loop")
    project.write_handler(name, BEGIN + code)
    mapping += ", starting-position = 'TRIM_HORIZON', maximum-retry-attempts = 0"
    text = pipeline(name, table=name, source=name, mapping=mapping)
    return project.write_pipelines(text, f"{name}.toml")


def notices(project: Project, function: str, kind: str) -> list[dict[str, Any]]:
    entries = project.run("logs", "--json").json_lines()
    return [e for e in entries if e["kind"] == kind and e.get("function") == function]


def mapping_of(project: Project, function: str) -> dict[str, Any]:
    mappings: list[dict[str, Any]] = project.gateway.control.mappings()
    return next(mapping for mapping in mappings if mapping["function"] == function)


@pytest.mark.parametrize("code", [SAME_ITEM, NEW_ITEMS], ids=["same item", "new items"])
def test_a_loop_is_stopped_after_16_rounds(
    project: Project, streamdev_pipelines: Pipelines, code: str
) -> None:
    own = streamdev_pipelines(config=written(project, code))
    own.put(id="a")

    (loop,) = eventually(lambda: notices(project, own.function, "loop"), what="the loop's end")

    assert (loop["rounds"], loop["table"]) == (16, own.table)
    eventually(lambda: mapping_of(project, own.function)["backlog"] == 0)
    mapping = mapping_of(project, own.function)
    assert mapping["handled"] == 16
    assert mapping["last_result"].startswith("PROBLEM: Stopped a loop")
    (given_up,) = notices(project, own.function, "discarded")
    assert given_up["reason"] == "RecursiveInvocationDetected"
    if code == SAME_ITEM:
        assert own.items() == [{"id": "a", "rounds": 16}]
        assert '["INSERT", "REMOVE"]' in loop["text"]
    else:
        assert len(own.items()) == 17


def test_a_hot_key_written_from_outside_is_no_loop(
    project: Project, streamdev_pipelines: Pipelines
) -> None:
    batches = "batch-size = 2, report-batch-item-failures = true"
    own = streamdev_pipelines(config=written(project, WRITES_BACK_ONCE, batches))
    for number in range(1, 101):
        own.engine.client("dynamodb").update_item(
            TableName=own.table,
            Key={"id": {"S": "hot"}},
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )

    def caught_up() -> bool:
        item = own.get("hot") or {}
        return item.get("seen") == 100 and mapping_of(project, own.function)["backlog"] == 0

    eventually(caught_up, what="the last write to be seen")
    assert notices(project, own.function, "loop") == []


def test_the_limit_can_be_set_and_there_may_be_none(own_project: Project) -> None:
    own_project.environ["STREAMDEV_LOOP_LIMIT"] = "3"
    own_project.run("up", timeout=600)
    config = written(own_project, SAME_ITEM)
    name = config.stem
    own_project.run("deploy", "--config", str(config))
    own_project.run("put-item", "id=a", "--config", str(config))

    (loop,) = eventually(lambda: notices(own_project, name, "loop"), what="the loop's end")

    assert loop["rounds"] == 3
    eventually(lambda: mapping_of(own_project, name)["backlog"] == 0)
    items = own_project.client("dynamodb").scan(TableName=name)["Items"]
    assert items == [{"id": {"S": "a"}, "rounds": {"N": "3"}}]

    own_project.run("down")
    own_project.environ["STREAMDEV_LOOP_LIMIT"] = "off"
    own_project.run("up", timeout=600)
    own_project.run("deploy", "--config", str(config))
    own_project.run("put-item", "id=a", "--config", str(config))

    # Far beyond where it is stopped by default.
    eventually(lambda: mapping_of(own_project, name)["handled"] > 40, what="no end of rounds")
    assert notices(own_project, name, "loop") == []
    assert notices(own_project, name, "discarded") == []
