"""What the soak runs: tables that are written to, and functions with mappings of all kinds."""

from __future__ import annotations

import io
import json
import random
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.bench.work import client, make_table
from scripts.soak.accounts import Account, read_notes, reckon

TIMEOUT_S = 2
KEYS = 40
_HANDLER = Path(__file__).with_name("handler.py")


@dataclass(frozen=True)
class Kind:
    """A kind of mapping.

    Attributes:
        parameters: CreateEventSourceMapping's.
        reports: Whether its function reports failed records.
        gives_up: Whether it gives batches up, to S3 (which gets the records themselves).
    """

    parameters: dict[str, Any]
    reports: bool = False
    gives_up: bool = False


KINDS = {
    "plain": Kind({"BatchSize": 10}),
    "parallel": Kind(
        {
            "BatchSize": 20,
            "ParallelizationFactor": 4,
            "MaximumRetryAttempts": 2,
            "BisectBatchOnFunctionError": True,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
        reports=True,
        gives_up=True,
    ),
    "gathering": Kind(
        {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 1, "MaximumRetryAttempts": 0},
        gives_up=True,
    ),
}


@dataclass
class Soaked:
    """One function with its mapping.

    Attributes:
        name: The function's name.
        kind: Of its mapping.
        mapping: Its UUID.
        bucket: The failure destination, where there is one.
    """

    name: str
    kind: Kind
    mapping: str
    bucket: str | None


@dataclass
class Pipeline:
    """A table and its functions.

    Args:
        endpoint: Of the engine.
        folder: Where handlers note.
        seed: Of all chance.
    """

    endpoint: str
    folder: Path
    seed: int
    functions: list[Soaked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dynamodb = client("dynamodb", self.endpoint)
        self.lambda_ = client("lambda", self.endpoint)
        self._s3 = client("s3", self.endpoint)
        self.table = f"soak-{uuid.uuid4().hex[:8]}"
        self.stream = make_table(self.dynamodb, self.table)
        for kind in KINDS:
            self.functions.append(self._make(kind))

    def _make(self, kind_name: str) -> Soaked:
        kind = KINDS[kind_name]
        name = f"{self.table}-{kind_name}"
        variables = {"SOAK_FOLDER": str(self.folder), "SOAK_SEED": str(self.seed)}
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/soak",
            Handler="handler.lambda_handler",
            Code={"ZipFile": _zip()},
            Timeout=TIMEOUT_S,
            Environment={"Variables": variables | ({"SOAK_REPORTS": "1"} if kind.reports else {})},
        )
        self.lambda_.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 1}
        )
        parameters, bucket = dict(kind.parameters), None
        if kind.gives_up:
            bucket = f"{name}-failures"
            self._s3.create_bucket(Bucket=bucket)
            destination = {"Destination": f"arn:aws:s3:::{bucket}"}
            parameters["DestinationConfig"] = {"OnFailure": destination}
        made = self.lambda_.create_event_source_mapping(
            EventSourceArn=self.stream,
            FunctionName=name,
            StartingPosition="TRIM_HORIZON",
            **parameters,
        )
        return Soaked(name, kind, made["UUID"], bucket)

    def write(self, chance: random.Random, number: int) -> None:
        """Change an item: put it or, now and then, delete it."""
        key = {"id": {"S": f"item-{chance.randrange(KEYS)}"}}
        if chance.random() < 0.1:
            self.dynamodb.delete_item(TableName=self.table, Key=key)
        else:
            item = {**key, "n": {"N": str(number)}, "by": {"S": uuid.uuid4().hex}}
            self.dynamodb.put_item(TableName=self.table, Item=item)

    def records(self) -> dict[int, str]:
        """The whole stream: sequence number → key."""
        streams = client("dynamodbstreams", self.endpoint)
        found: dict[int, str] = {}
        shards = streams.describe_stream(StreamArn=self.stream)["StreamDescription"]["Shards"]
        for shard in shards:
            iterator = streams.get_shard_iterator(
                StreamArn=self.stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                answer = streams.get_records(ShardIterator=iterator, Limit=1000)
                for record in answer["Records"]:
                    change = record["dynamodb"]
                    found[int(change["SequenceNumber"])] = change["Keys"]["id"]["S"]
                iterator = answer.get("NextShardIterator") if answer["Records"] else None
        return found

    def given_up(self, function: Soaked) -> set[int]:
        """The sequence numbers of the records in a function's failure destination."""
        if function.bucket is None:
            return set()
        found: set[int] = set()
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=function.bucket)
        for page in pages:
            for entry in page.get("Contents", []):
                body = self._s3.get_object(Bucket=function.bucket, Key=entry["Key"])["Body"].read()
                payload = json.loads(body)["payload"]
                event = json.loads(payload) if isinstance(payload, str) else payload
                found |= {int(r["dynamodb"]["SequenceNumber"]) for r in event["Records"]}
        return found

    def account(self, function: Soaked, records: dict[int, str]) -> Account:
        """The reckoning of one function, as things stand."""
        notes = read_notes(self.folder / f"{function.name}.jsonl")
        return reckon(records, notes, self.given_up(function))

    def settle(self, function: Soaked, records: dict[int, str], deadline: float) -> Account:
        """Wait until a function has seen every record; its account then, or at the deadline."""

        def is_settled() -> bool:
            notes = read_notes(self.folder / f"{function.name}.jsonl")
            seen = {s for note in notes if note.phase == "done" for s in note.sequences}
            return seen.union(self.given_up(function)).issuperset(records)

        wait_until(is_settled, deadline)
        return self.account(function, records)


def wait_until(condition: Callable[[], bool], deadline: float) -> bool:
    """Wait for a condition until a time of the monotonic clock; tell whether it came."""
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return held


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.write(_HANDLER, "handler.py")
    return data.getvalue()
