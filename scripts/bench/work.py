"""The work each subject does: the same calls, through the same client, for every one."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

_HANDLER = Path(__file__).with_name("handler.py")
_DEADLINE = 300.0


@dataclass(frozen=True)
class Latency:
    """One single put: milliseconds, from the start of the call.

    Attributes:
        put: Until the call returned.
        handled: Until the handler was entered.
    """

    put: float
    handled: float


def client(service: str, endpoint: str, *, attempts: int = 1) -> Any:
    """A boto3 client for ``endpoint`` with dummy credentials; ``attempts`` tries a call."""
    make: Any = boto3.client  # its type is a literal name a service
    return make(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": attempts}, max_pool_connections=20),
    )


class Pipeline:
    """A table, a function and a mapping of their own, made through the AWS API."""

    def __init__(self, endpoint: str, *, batch_size: int, functions: int = 1) -> None:
        self.dynamodb = client("dynamodb", endpoint)
        self.lambda_ = client("lambda", endpoint)
        name = f"bench-{uuid.uuid4().hex[:8]}"
        self.table = name
        self.functions = [f"{name}-{n}" for n in range(functions)]
        stream = make_table(self.dynamodb, name)
        for function in self.functions:
            self.lambda_.create_function(
                FunctionName=function,
                Runtime="python3.13",
                Role="arn:aws:iam::000000000000:role/bench",
                Handler="handler.lambda_handler",
                Code={"ZipFile": _zip()},
                Timeout=60,
            )
            _until(lambda f=function: self._active(f), f"function {function} is active")
            self.lambda_.create_event_source_mapping(
                EventSourceArn=stream,
                FunctionName=function,
                StartingPosition="TRIM_HORIZON",
                BatchSize=batch_size,
            )
        self._warm()

    def _active(self, function: str) -> bool:
        answer = self.lambda_.get_function(FunctionName=function)
        return bool(answer["Configuration"]["State"] == "Active")

    def _warm(self) -> None:
        """One record all the way, so that environments are up before anything is timed."""
        self.put("warm")
        for function in self.functions:
            _until(lambda f=function: self.count(f) >= 1, f"{function} got its first record")

    def put(self, key: str) -> None:
        """Write one item of about 100 bytes."""
        self.dynamodb.put_item(TableName=self.table, Item=_item(key))

    def tell(self, what: str, function: str | None = None) -> Any:
        """Ask a function for its notes: ``count`` or ``all``; or ``clear`` them."""
        answer = self.lambda_.invoke(
            FunctionName=function or self.functions[0], Payload=json.dumps({"tell": what})
        )
        return json.loads(answer["Payload"].read())

    def count(self, function: str | None = None) -> int:
        """How many records the function has got."""
        return int(self.tell("count", function))

    def clear(self) -> None:
        """Have the functions forget their notes."""
        for function in self.functions:
            self.tell("clear", function)

    def arrivals(self) -> dict[str, int]:
        """Key → first arrival, nanoseconds since the epoch."""
        found: dict[str, int] = {}
        for line in self.tell("all"):
            key, at = line.split()
            found.setdefault(key, int(at))
        return found

    def single_puts(self, count: int, pause: float = 0.05) -> list[Latency]:
        """Put items one by one with a pause between, and tell how long each took."""
        sent: dict[str, tuple[int, int]] = {}
        # New items each time: putting an item as it is makes no record.
        run = uuid.uuid4().hex[:6]
        before = self.count()
        for n in range(count):
            start = time.time_ns()
            self.put(f"single-{run}-{n}")
            sent[f"single-{run}-{n}"] = (start, time.time_ns())
            time.sleep(pause)  # spaced on purpose: this measures one change at a time
        _until(lambda: self.count() >= before + count, f"{count} single puts are handled")
        arrived = self.arrivals()
        return [
            Latency((end - start) / 1e6, (arrived[key] - start) / 1e6)
            for key, (start, end) in sent.items()
        ]

    def bulk(self, count: int) -> tuple[float, float]:
        """Write ``count`` items by batch; seconds until written and until handled."""
        before = self.count()
        start = time.time_ns()
        write_batches(self.dynamodb, self.table, count)
        written = time.time_ns()
        for function in self.functions:
            _until(lambda f=function: self.count(f) >= before + count, f"{count} are handled")
        last = max(self.arrivals().values())
        return (written - start) / 1e9, (last - start) / 1e9


def make_table(dynamodb: Any, name: str) -> str:
    """Create a table with a stream; its stream's ARN."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return str(dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"])


def write_batches(dynamodb: Any, table: str, count: int, threads: int = 4) -> None:
    """Write ``count`` items in batches of 25 from ``threads`` threads."""
    run = uuid.uuid4().hex[:6]

    def write(first: int) -> None:
        keys = range(first, min(first + 25, count))
        requests = [{"PutRequest": {"Item": _item(f"bulk-{run}-{n}")}} for n in keys]
        while requests:
            answer = dynamodb.batch_write_item(RequestItems={table: requests})
            requests = answer.get("UnprocessedItems", {}).get(table, [])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(0, count, 25)))


def _item(key: str) -> dict[str, Any]:
    return {
        "id": {"S": key},
        "name": {"S": "John Doe"},
        "age": {"N": "42"},
        "note": {"S": "x" * 60},
    }


def _zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("handler.py", _HANDLER.read_text())
    return data.getvalue()


def _until(condition: Any, what: str) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {_DEADLINE:.0f} s: {what}")
        time.sleep(0.02)
