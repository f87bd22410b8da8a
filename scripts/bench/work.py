"""The work each subject does: the same calls, through the same client, for every one."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

_HANDLER = Path(__file__).with_name("handler.py")
_DEADLINE = 300.0
# Asking takes the machine's time as well, so it is not done too often: what is measured is
# told by the handler's own clock.
_PAUSE = 0.25
_TELLER = "bench-teller"
# Seconds between single puts: one change at a time is measured.
SPACE = 0.05


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
        _make_function(self.lambda_, _TELLER, "tell")
        for function in self.functions:
            _make_function(self.lambda_, function, "lambda_handler")
            self.lambda_.create_event_source_mapping(
                EventSourceArn=stream,
                FunctionName=function,
                StartingPosition="TRIM_HORIZON",
                BatchSize=batch_size,
            )
        # One record all the way, so that environments are up before anything is timed.
        timed_puts(self.dynamodb, name, 1)
        _wait_for([self], [1] * functions)

    def single_puts(self, count: int) -> list[Latency]:
        """Put items one by one with a pause between, and tell how long each took."""
        before = _counts([self])
        sent = timed_puts(self.dynamodb, self.table, count)
        _wait_for([self], [had + count for had in before])
        arrived = _tell([self], "arrivals")[0]
        return [
            Latency((end - start) / 1e6, (arrived[key] - start) / 1e6)
            for key, (start, end) in sent.items()
        ]


def bulk(pipelines: Sequence[Pipeline], count: int) -> float:
    """Write ``count`` items to each pipeline by batch, to all of them at once.

    Returns:
        Seconds until every function was handed the last of its records.
    """
    before = _counts(pipelines)
    start = time.time_ns()
    write_batches([(pipeline.dynamodb, pipeline.table) for pipeline in pipelines], count)
    _wait_for(pipelines, [had + count for had in before])
    return float(max(_tell(pipelines, "last")) - start) / 1e9


def clear(pipelines: Iterable[Pipeline]) -> None:
    """Have the functions forget their notes."""
    _tell(list(pipelines), "clear")


def _counts(pipelines: Sequence[Pipeline]) -> list[int]:
    counts: list[int] = _tell(pipelines, "count")
    return counts


def _wait_for(pipelines: Sequence[Pipeline], counts: list[int]) -> None:
    """Until each function got so many records."""

    def came() -> bool:
        return all(has >= want for has, want in zip(_counts(pipelines), counts, strict=True))

    tables = f"{pipelines[0].table}{' and others' if len(pipelines) > 1 else ''}"
    _until(came, f"the functions of {tables} got {max(counts):,} records each")


def _tell(pipelines: Sequence[Pipeline], what: str) -> Any:
    """Ask for the functions' notes, a list with each one's: the handler's ``tell``.

    A function of its own tells, so that asking starts no second environment of those that
    are at work.
    """
    names = [name for pipeline in pipelines for name in pipeline.functions]
    payload = json.dumps({"tell": what, "of": names})
    answer = pipelines[0].lambda_.invoke(FunctionName=_TELLER, Payload=payload)
    told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise OSError(f"{_TELLER} failed: {told}")
    return told


def _make_function(lambda_: Any, name: str, handler: str) -> None:
    """Make a function of ``handler.py``, if it is not there, and wait until it is active."""
    try:
        lambda_.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role="arn:aws:iam::000000000000:role/bench",
            Handler=f"handler.{handler}",
            Code={"ZipFile": _zip()},
            Timeout=60,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceConflictException":
            raise

    def active() -> bool:
        answer = lambda_.get_function(FunctionName=name)
        return bool(answer["Configuration"]["State"] == "Active")

    _until(active, f"function {name} is active", pause=0.02)


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


def timed_puts(dynamodb: Any, table: str, count: int) -> dict[str, tuple[int, int]]:
    """Put items of about 100 bytes one by one; by key, when each call began and returned (ns)."""
    sent: dict[str, tuple[int, int]] = {}
    # New items each time: putting an item as it is makes no record.
    run = uuid.uuid4().hex[:6]
    for n in range(count):
        key = f"single-{run}-{n}"
        start = time.time_ns()
        dynamodb.put_item(TableName=table, Item=_item(key))
        sent[key] = (start, time.time_ns())
        time.sleep(SPACE)
    return sent


def write_batches(tables: Iterable[tuple[Any, str]], count: int, threads: int = 4) -> None:
    """Write ``count`` items to each table (a client and a name), 25 at a time, in turn."""
    run = uuid.uuid4().hex[:6]

    def write(work: tuple[int, tuple[Any, str]]) -> None:
        first, (dynamodb, table) = work
        keys = range(first, min(first + 25, count))
        requests = [{"PutRequest": {"Item": _item(f"bulk-{run}-{n}")}} for n in keys]
        while requests:
            answer = dynamodb.batch_write_item(RequestItems={table: requests})
            requests = answer.get("UnprocessedItems", {}).get(table, [])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, product(range(0, count, 25), tables)))


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


def _until(condition: Callable[[], bool], what: str, pause: float = _PAUSE) -> None:
    deadline = time.monotonic() + _DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {_DEADLINE:.0f} s: {what}")
        time.sleep(pause)
