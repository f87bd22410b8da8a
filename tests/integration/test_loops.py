"""Functions that write to the table that invokes them: loops are stopped, and only loops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamdev.testing.pipeline import TestedPipeline
from tests.support.project import Project, eventually, unique

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


PIPELINE = """\
[pipelines.loop]
table = {{ name = "loop", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }}

[pipelines.loop.function]
source = "lambda_src/{name}"
handler = "handler.lambda_handler"
runtime = "python3.13"

[pipelines.loop.mapping]
batch-size = {batch_size}
starting-position = "TRIM_HORIZON"
maximum-retry-attempts = 0
report-batch-item-failures = true
"""


class Looping:
    """A pipeline of the test's own whose function and table have one name."""

    def __init__(
        self,
        project: Project,
        pipelines: Callable[..., TestedPipeline],
        code: str,
        batch_size: int = 1,
    ) -> None:
        self.project = project
        name = unique("loop")
        project.write_handler(name, BEGIN + code)
        text = PIPELINE.format(name=name, batch_size=batch_size)
        self.pipeline = pipelines(config=project.write_pipelines(text, f"{name}.toml"))
        assert self.pipeline.table == self.pipeline.function

    def notices(self, kind: str) -> list[dict[str, Any]]:
        entries = self.project.run("logs", "--json").json_lines()
        return [
            entry
            for entry in entries
            if entry["kind"] == kind and entry.get("function") == self.pipeline.function
        ]

    def mapping(self) -> dict[str, Any]:
        mappings: list[dict[str, Any]] = self.project.gateway.control.mappings()
        return next(m for m in mappings if m["function"] == self.pipeline.function)


@pytest.mark.parametrize("code", [SAME_ITEM, NEW_ITEMS], ids=["same item", "new items"])
def test_a_loop_is_stopped_after_16_rounds(
    project: Project, streamdev_pipelines: Callable[..., TestedPipeline], code: str
) -> None:
    own = Looping(project, streamdev_pipelines, code)
    own.pipeline.put(id="a")

    (loop,) = eventually(lambda: own.notices("loop"), what="the loop's end")

    assert (loop["rounds"], loop["table"]) == (16, own.pipeline.table)
    eventually(lambda: own.mapping()["backlog"] == 0)
    assert own.mapping()["handled"] == 16
    assert own.mapping()["last_result"].startswith("PROBLEM: Stopped a loop")
    (given_up,) = own.notices("discarded")
    assert given_up["reason"] == "RecursiveInvocationDetected"
    assert [record.outcome for record in own.pipeline.records()] == ["ok"] * 16
    if code == SAME_ITEM:
        assert own.pipeline.items() == [{"id": "a", "rounds": 16}]
        assert '["INSERT", "REMOVE"]' in loop["text"]
    else:
        assert len(own.pipeline.items()) == 17


def test_a_hot_key_written_from_outside_is_no_loop(
    project: Project, streamdev_pipelines: Callable[..., TestedPipeline]
) -> None:
    own = Looping(project, streamdev_pipelines, WRITES_BACK_ONCE, batch_size=2)
    client = project.client("dynamodb")
    for number in range(1, 101):
        client.update_item(
            TableName=own.pipeline.table,
            Key={"id": {"S": "hot"}},
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )

    def caught_up() -> bool:
        item = own.pipeline.get("hot") or {}
        return item.get("seen") == 100 and own.mapping()["backlog"] == 0

    eventually(caught_up, what="the last write to be seen")
    assert own.notices("loop") == []
