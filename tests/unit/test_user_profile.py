"""The user profile handler's own logic, with the libraries it runs with."""

from __future__ import annotations

import ast
import base64
import importlib
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from hypothesis import given
from hypothesis import strategies as st

SOURCE = Path(__file__).resolve().parents[2] / "lambda_src" / "user_profile"
MODULES = sorted(path.stem for path in SOURCE.glob("*.py"))


def load(name: str) -> ModuleType:
    """A module of the handler's folder, which is not on the path of anything else."""
    sys.path.insert(0, str(SOURCE))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SOURCE))


@pytest.fixture(scope="module", autouse=True)
def _forget_modules() -> Iterator[None]:
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


profiles, notifications, batches = load("profiles"), load("notifications"), load("batches")


def event(number: int = 1, name: str = "INSERT", **images: dict[str, Any] | None) -> dict[str, Any]:
    change: dict[str, Any] = {
        "Keys": {"id": {"S": "1"}},
        "SequenceNumber": str(number),
        "ApproximateCreationDateTime": 1795225680.0,
    }
    change |= {image: value for image, value in images.items() if value is not None}
    return {"eventID": f"{number:032x}", "eventName": name, "dynamodb": change}


def change_to(**profile: dict[str, Any]) -> Any:
    image = {"id": {"S": "1"}, **profile}
    return profiles.Change.of(DynamoDBRecord(event(NewImage=image)))


@pytest.mark.parametrize(
    ("attribute", "value", "problem"),
    [
        ("age", {"N": "151"}, "age: Input should be less than or equal to 150"),
        ("age", {"N": "41.5"}, "age: Input should be a valid integer"),
        ("age", {"S": "old"}, "age: Input should be a valid integer"),
        ("name", {"S": ""}, "name: String should have at least 1 character"),
        ("name", {"N": "1"}, "name: Input should be a valid string"),
        ("email", {"S": "nobody"}, "email: String should match pattern"),
        ("version", {"N": "-1"}, "version: Input should be greater than or equal to 0"),
    ],
)
def test_what_may_not_be_is_named(attribute: str, value: dict[str, str], problem: str) -> None:
    (found,) = change_to(**{attribute: value}).problems
    assert found.startswith(problem)


def test_other_attributes_are_free() -> None:
    change = change_to(
        name={"S": "John Doe"},
        age={"N": "42"},
        email={"S": "john@example.com"},
        nickname={"SS": ["J", "JD"]},
        address={"M": {"city": {"S": "Oslo"}}},
    )
    assert change.problems == ()
    assert change.kind == "created"


def test_a_deleted_profile_is_not_checked() -> None:
    record = event(name="REMOVE", OldImage={"id": {"S": "1"}, "age": {"N": "999"}})
    change = profiles.Change.of(DynamoDBRecord(record))
    assert (change.kind, change.problems, change.version) == ("deleted", (), None)


@pytest.mark.parametrize(
    ("value", "version"),
    [({"N": "3"}, 3), ({"N": "3.0"}, 3), ({"N": "3.5"}, None), ({"S": "3"}, None)],
)
def test_a_version_is_a_whole_number(value: dict[str, str], version: int | None) -> None:
    assert change_to(version=value).version == version


def test_a_message_says_what_changed_digit_for_digit() -> None:
    record = event(
        7,
        "MODIFY",
        OldImage={"id": {"S": "1"}, "n": {"N": "1"}, "gone": {"B": "AAE="}},
        NewImage={"id": {"S": "1"}, "n": {"N": "1.10"}, "tags": {"SS": ["b", "a"]}},
    )
    told = json.loads(
        notifications.message("profile.updated", profiles.Change.of(DynamoDBRecord(record)))
    )
    assert told == {
        "event": "profile.updated",
        "id": "1",
        "version": None,
        "eventId": f"{7:032x}",
        "sequenceNumber": "7",
        "changes": {"n": [1, "1.10"], "gone": ["AAE=", None], "tags": [None, ["a", "b"]]},
    }


def test_a_message_that_sns_would_refuse_names_the_attributes_alone() -> None:
    change = change_to(photo={"S": "x" * 300_000})
    told = json.loads(notifications.message("profile.created", change))
    assert told["changed"] == ["id", "photo"]
    assert "changes" not in told


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "id"),
        st.one_of(
            st.text().map(lambda text: {"S": text}),
            st.integers().filter(lambda n: len(str(abs(n))) <= 38).map(lambda n: {"N": str(n)}),
            st.booleans().map(lambda value: {"BOOL": value}),
            st.just({"NULL": True}),
            st.binary().map(lambda data: {"B": base64.b64encode(data).decode()}),
            st.lists(st.text().map(lambda text: {"S": text})).map(lambda some: {"L": some}),
        ),
        max_size=6,
    )
)
def test_any_item_is_told_of_or_rejected_but_never_a_failure(image: dict[str, Any]) -> None:
    change = change_to(**image)
    assert isinstance(change.problems, tuple)
    assert json.loads(notifications.message("profile.created", change))["id"] == "1"
    assert change.version is None or isinstance(change.version, int)
    assert not isinstance(change.version, Decimal)


def work(numbers: list[int], poison: set[int]) -> tuple[list[int], Any]:
    handled: list[int] = []

    def handle(record: DynamoDBRecord) -> None:
        number = int(record["eventID"], 16)
        if number in poison:
            raise ValueError(f"record {number}")
        handled.append(number)

    processor = batches.StreamProcessor()
    with processor([event(number) for number in numbers], handle):
        processor.process()
    return handled, processor.response()


def test_a_failure_in_the_middle_ends_the_batch_there() -> None:
    handled, answer = work([1, 2, 3, 4], {3})
    assert handled == [1, 2]
    assert answer == {"batchItemFailures": [{"itemIdentifier": "3"}]}


def test_a_batch_without_failure_reports_none() -> None:
    assert work([1, 2], set()) == ([1, 2], {"batchItemFailures": []})


def test_a_failure_of_the_first_is_the_invocations_own() -> None:
    with pytest.raises(ValueError, match="record 1"):
        work([1, 2], {1})


@pytest.mark.parametrize("folder", sorted(path.name for path in SOURCE.parent.iterdir()))
def test_the_handlers_are_ordinary_aws_code(folder: str) -> None:
    sources = sorted((SOURCE.parent / folder).glob("*.py"))
    assert sources
    known = {"aws_lambda_powertools", "boto3", "botocore", "pydantic", "mypy_boto3_sns"}
    known |= {"mypy_boto3_dynamodb", "typing", *sys.stdlib_module_names}
    known |= {path.stem for path in sources}
    for path in sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        roots = {module.partition(".")[0] for module in imported}
        assert not roots & {"streamdev", "localstack"}
        assert roots <= known, path


def test_a_rejection_says_why() -> None:
    told = json.loads(notifications.message("profile.rejected", change_to(age={"N": "151"})))
    assert told["problems"] == ["age: Input should be less than or equal to 150"]
