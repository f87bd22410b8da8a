"""Tables, functions and mappings for the tests, made through AWS's API and nothing else."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.conformance import answers

T = TypeVar("T")
ROLE = "arn:aws:iam::000000000000:role/conformance"
# Emulators that poll may look only every ten seconds.
PATIENCE = 25.0


def until(condition: Callable[[], T], what: str, timeout: float = PATIENCE) -> T:
    """Wait until ``condition`` gives something true, and return that."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:.0f} s: {what}")
        time.sleep(0.03)
    return value


def unique(prefix: str) -> str:
    """A name nothing else has."""
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


class Table:
    """A table with the string key ``id``.

    Attributes:
        name: Its name.
        stream: The ARN of its stream.
    """

    def __init__(self, dynamodb: Any, name: str, view: str) -> None:
        self._dynamodb = dynamodb
        self._view = view
        self.name = name
        self.stream = ""
        self.create()

    def create(self) -> None:
        """Create it (again)."""
        self._dynamodb.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": self._view},
        )
        until(lambda: self._description()["TableStatus"] == "ACTIVE", "the table is active")
        self.stream = str(self._description()["LatestStreamArn"])

    def delete(self) -> None:
        """Delete it and wait until it is gone."""
        self._dynamodb.delete_table(TableName=self.name)
        until(self._is_gone, f"table {self.name} is gone")

    def put(self, key: str, **attributes: Any) -> None:
        """Put an item; attributes are strings or DynamoDB JSON."""
        item = {n: {"S": v} if isinstance(v, str) else v for n, v in attributes.items()}
        self._dynamodb.put_item(TableName=self.name, Item={"id": {"S": key}, **item})

    def put_all(self, keys: Iterable[str]) -> None:
        """Put one item after the other."""
        for key in keys:
            self.put(key)

    def write_batches(self, keys: Iterable[str], **attributes: Any) -> None:
        """Put items with BatchWriteItem, 25 at a time."""
        requests = [{"PutRequest": {"Item": {"id": {"S": k}, **attributes}}} for k in keys]
        for first in range(0, len(requests), 25):
            some = requests[first : first + 25]
            while some:
                answer = self._dynamodb.batch_write_item(RequestItems={self.name: some})
                some = answer.get("UnprocessedItems", {}).get(self.name, [])

    def remove(self, key: str) -> None:
        """Delete an item."""
        self._dynamodb.delete_item(TableName=self.name, Key={"id": {"S": key}})

    def _description(self) -> dict[str, Any]:
        described = self._dynamodb.describe_table(TableName=self.name)
        return dict(described["Table"])

    def _is_gone(self) -> bool:
        try:
            self._description()
        except self._dynamodb.exceptions.ResourceNotFoundException:
            return True
        return False


class Call:
    """One invocation of a function, as it noted it.

    Attributes:
        event: What it got.
        started: When, seconds since the epoch.
        ended: When it returned or raised; ``None`` if it did neither (yet).
        fields: All that it noted at the start.
    """

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.event: dict[str, Any] = fields["event"]
        self.started: float = fields["at"]
        self.ended: float | None = None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The event's records."""
        return list(self.event.get("Records", []))

    @property
    def ids(self) -> list[str]:
        """The keys of its records, in order."""
        return [record["dynamodb"]["Keys"]["id"]["S"] for record in self.records]


class Function:
    """A function that notes what it gets.

    Attributes:
        name: Its name.
        folder: Where it notes, and where flags are set for it.
    """

    def __init__(self, lambda_: Any, answer: str, settings: dict[str, Any]) -> None:
        self._lambda = lambda_
        self._settings = settings
        self.name = unique("conformance")
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.arn = ""
        self.create(answer)

    def create(self, answer: str) -> None:
        """Create it (again) and wait until it is active."""
        settings = {"Runtime": "python3.13", "Timeout": 30, **self._settings}
        variables = {"NOTES": str(self.folder), **settings.pop("variables", {})}
        created = self._lambda.create_function(
            FunctionName=self.name,
            Role=ROLE,
            Handler="recorder.lambda_handler",
            Code={"ZipFile": package(answer)},
            Environment={"Variables": variables},
            **settings,
        )
        self.arn = created["FunctionArn"]
        self.wait_until_active()

    def wait_until_active(self) -> None:
        """Wait until the last change of it is in effect."""

        def is_active() -> bool:
            got = self._lambda.get_function(FunctionName=self.name)["Configuration"]
            updated = got.get("LastUpdateStatus", "Successful") == "Successful"
            return bool(got.get("State", "Active") == "Active" and updated)

        until(is_active, f"{self.name} is active")

    def update_code(self, answer: str) -> None:
        """Give it another ``answer.py``."""
        self._lambda.update_function_code(FunctionName=self.name, ZipFile=package(answer))
        self.wait_until_active()

    def set(self, flag: str) -> None:
        """Set a flag."""
        (self.folder / flag).touch()

    def clear(self, flag: str) -> None:
        """Clear a flag."""
        (self.folder / flag).unlink(missing_ok=True)

    def calls(self) -> list[Call]:
        """All calls so far, in the order they began."""
        notes = self.folder / "notes.jsonl"
        if not notes.exists():
            return []
        calls: dict[str, Call] = {}
        # The last line may be on its way.
        for line in notes.read_bytes().split(b"\n")[:-1]:
            fields = json.loads(line)
            if fields["phase"] == "start":
                calls[fields["call"]] = Call(fields)
            else:
                calls[fields["call"]].ended = fields["at"]
        return list(calls.values())

    def records(self) -> list[dict[str, Any]]:
        """The records of all calls, in order."""
        return [record for call in self.calls() for record in call.records]

    def ids(self) -> list[str]:
        """The keys of all records it got, in order, with repetitions."""
        return [key for call in self.calls() for key in call.ids]

    def wait_for(self, *keys: str, timeout: float = PATIENCE) -> list[Call]:
        """Wait until it has got all of these keys and answered; return its calls."""

        def has_all() -> bool:
            calls = self.calls()
            got = {key for call in calls for key in call.ids}
            return got.issuperset(keys) and all(call.ended for call in calls)

        shown = ", ".join(keys[:5])
        until(has_all, f"the function got {len(keys)} records ({shown}...)", timeout)
        return self.calls()


class Mapping:
    """An event source mapping."""

    def __init__(self, lambda_: Any, uuid_: str) -> None:
        self._lambda = lambda_
        self.uuid = uuid_

    def get(self) -> dict[str, Any]:
        """Its configuration now."""
        return dict(self._lambda.get_event_source_mapping(UUID=self.uuid))

    def wait_for_state(self, state: str) -> None:
        """Wait until it is in a state."""
        until(lambda: self.get()["State"] == state, f"the mapping is {state}")

    def update(self, *, state: str = "Enabled", **parameters: Any) -> None:
        """Change it and wait for the state."""
        self._lambda.update_event_source_mapping(UUID=self.uuid, **parameters)
        self.wait_for_state(state)

    def delete(self) -> None:
        """Delete it and wait until it is gone."""
        self._lambda.delete_event_source_mapping(UUID=self.uuid)
        until(self._is_gone, "the mapping is gone")

    def _is_gone(self) -> bool:
        try:
            self.get()
        except self._lambda.exceptions.ResourceNotFoundException:
            return True
        return False


def package(answer: str) -> bytes:
    """The zip of a function."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.write(Path(__file__).with_name("recorder.py"), "recorder.py")
        archive.writestr("answer.py", answer)
    return data.getvalue()


class World:
    """Makes everything, and takes it away again.

    Args:
        endpoint: Of the subject.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.dynamodb = self.client("dynamodb")
        self.lambda_ = self.client("lambda")
        self._tables: list[Table] = []
        self._functions: list[Function] = []
        self._mappings: list[Mapping] = []

    def client(self, service: str) -> Any:
        """A client with dummy credentials that does not try again."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                retries={"total_max_attempts": 1},
                s3={"addressing_style": "path"},
                # What is out of range is for the subject to refuse.
                parameter_validation=False,
            ),
        )

    def table(self, view: str = "NEW_AND_OLD_IMAGES") -> Table:
        """A new table."""
        table = Table(self.dynamodb, unique("conformance"), view)
        self._tables.append(table)
        return table

    def function(self, answer: str = answers.NOTHING, **settings: Any) -> Function:
        """A new function; ``settings`` are CreateFunction's, and ``variables``."""
        function = Function(self.lambda_, answer, settings)
        self._functions.append(function)
        return function

    def create_mapping(self, **request: Any) -> Mapping:
        """CreateEventSourceMapping with exactly these parameters."""
        made = self.lambda_.create_event_source_mapping(**request)
        mapping = Mapping(self.lambda_, made["UUID"])
        self._mappings.append(mapping)
        return mapping

    def mapping(self, table: Table, function: Function | str, **parameters: Any) -> Mapping:
        """A mapping from TRIM_HORIZON on, in its state (Enabled, if not told otherwise)."""
        name = function if isinstance(function, str) else function.name
        request = {"StartingPosition": "TRIM_HORIZON", **parameters}
        mapping = self.create_mapping(EventSourceArn=table.stream, FunctionName=name, **request)
        mapping.wait_for_state("Enabled" if request.get("Enabled", True) else "Disabled")
        return mapping

    def close(self) -> None:
        """Delete all that was made; what a subject can't delete stays."""
        for mapping in self._mappings:
            with suppress(ClientError, BotoCoreError):
                self.lambda_.delete_event_source_mapping(UUID=mapping.uuid)
        for function in self._functions:
            with suppress(ClientError, BotoCoreError):
                self.lambda_.delete_function(FunctionName=function.name)
            shutil.rmtree(function.folder, ignore_errors=True)
        for table in self._tables:
            with suppress(ClientError, BotoCoreError):
                self.dynamodb.delete_table(TableName=table.name)
