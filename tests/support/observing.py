"""Pipelines for the tests of items and logs, on the shared engine under names of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.support.project import Project, Result, unique
from tests.support.terminal import at_a_terminal

HANDLER = """\
import time


def lambda_handler(event, context):
    failures = []
    for record in event["Records"]:
        number, image = record["dynamodb"]["SequenceNumber"], record["dynamodb"].get("NewImage", {})
        print("handling", record["eventName"], record["dynamodb"]["Keys"])
        mode = image.get("mode", {}).get("S")
        if mode == "fail":
            raise ValueError("asked to fail")
        if mode == "slow":
            time.sleep(3)
        if mode == "report":
            failures.append({"itemIdentifier": number})
    return {"batchItemFailures": failures}
"""

PIPELINES = """\
[pipelines.profiles]
function = {{ name = "{mark}-profiles", source = "lambda_src/{mark}", {function} }}
mapping = {{ batch-size = 1, starting-position = "TRIM_HORIZON", maximum-retry-attempts = 1 }}

[pipelines.profiles.table]
name = "{mark}-profiles"
key = "id:S"
stream = "NEW_AND_OLD_IMAGES"
redact = ["pin"]

[pipelines.orders]
table = {{ name = "{mark}-orders", key = "customer:S", sort-key = "at:N", stream = "NEW_IMAGE" }}
function = {{ name = "{mark}-orders", source = "lambda_src/{mark}", {function} }}

[pipelines.orders.mapping]
batch-size = 10
starting-position = "TRIM_HORIZON"
filter-criteria = [ '{{"dynamodb": {{"NewImage": {{"status": {{"S": ["paid"]}}}}}}}}' ]

[pipelines.blobs]
table = {{ name = "{mark}-blobs", key = "hash:B", stream = "KEYS_ONLY" }}
function = {{ name = "{mark}-blobs", source = "lambda_src/{mark}", {function} }}
mapping = {{ batch-size = 1, starting-position = "TRIM_HORIZON", enabled = false }}
"""
FUNCTION = 'handler = "handler.lambda_handler", runtime = "python3.13", timeout = 30'


@dataclass
class Observed:
    """Three pipelines: ``profiles``, ``orders`` (filtered) and ``blobs`` (mapping disabled)."""

    project: Project

    @cached_property
    def mark(self) -> str:
        """What the names of its tables and functions begin with."""
        return unique("observed")

    @property
    def config(self) -> str:
        """Its pipelines file."""
        return f"{self.mark}.toml"

    def deploy(self) -> None:
        """Bring the pipelines about."""
        self.project.write_handler(self.mark, HANDLER)
        text = PIPELINES.format(mark=self.mark, function=FUNCTION)
        self.project.write_pipelines(text, self.config)
        self.project.run("deploy", "--config", self.config, "profiles", "orders", "blobs")

    def run(self, *args: str, **options: Any) -> Result:
        """Run a command with its pipelines file."""
        return self.project.run(*args, "--config", self.config, **options)

    def failing(self, *args: str, **options: Any) -> Result:
        """Run a command that must end with an error in one or two lines, and no traceback."""
        result = self.run(*args, check=False, **options)
        assert result.exit_code != 0, str(result)
        assert "Traceback" not in result.stderr, str(result)
        assert len(result.stderr.strip().splitlines()) <= 4, str(result)
        return result

    def stored(self, pipeline: str, **key: Any) -> dict[str, Any] | None:
        """What the table holds, as boto3 gives it."""
        return self.project.gateway.items.get(f"{self.mark}-{pipeline}", key)

    def at_a_terminal(self, *args: str, interrupt_at: str | None = None) -> tuple[int, str]:
        """Run a command at a terminal of 60 columns; its exit code and all that was shown.

        Args:
            args: The command.
            interrupt_at: Send Ctrl-C's signal as soon as this was shown.
        """
        steps = [] if interrupt_at is None else [(interrupt_at, None)]
        args = (*args, "--config", self.config)
        return at_a_terminal(self.project, *args, steps=steps, columns=60)
