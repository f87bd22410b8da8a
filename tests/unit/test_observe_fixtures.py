"""Recorded batches as files, and how outcomes are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamdev.errors import InvalidInputError
from streamdev.observe import fixtures
from streamdev.observe.batches import Batch, batches
from streamdev.observe.fixtures import Fixture, differences, file_name, fixture_of
from streamdev.semantics.masking import Masks
from streamdev.semantics.outcome import Failure, Kind, Outcome
from tests.support import observed
from tests.support.streams import record


def batch(**end: Any) -> Batch:
    (found,) = batches(observed.invocation([observed.record(new={})], **end))
    return found


def fixture(*masked: str, message: str = "no", **image: Any) -> Fixture:
    error = {"type": "ValueError", "message": message, "trace": ["File x"]}
    event = {"Records": [record(1, created=1795225702.5, **image).event]}
    failed = batch(outcome="error", error=error)
    return fixture_of(failed, event, "user-profile", Masks(masked))


def test_a_fixture_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = fixture(name={"S": 'é\u2028 "\ud800'}, n={"N": "1.50"})
    path = tmp_path / "new folder" / "a.json"
    fixtures.write(written, path)
    read = fixtures.read(path)
    assert read.event == written.event
    assert list(differences(written.outcome, read.outcome)) == []
    assert [path.name for path in path.parent.iterdir()] == ["a.json"]
    assert json.loads(path.read_bytes())["outcome"]["error"] == {
        "type": "ValueError",
        "message": "no",
    }


def test_what_is_masked_is_nowhere_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    made = fixture("email", "pin", message="bad address x@y.org", email={"S": "x@y.org"})
    fixtures.write(made, path)
    assert "x@y.org" not in path.read_text()
    assert made.masked == ("email",)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"Records": []}',
        '{"version": 2, "pipeline": "p", "event": {}, "outcome": {"kind": "ok"}}',
        '{"version": 1, "pipeline": "p", "event": {}, "outcome": {"kind": "well"}}',
        '{"version": 1, "pipeline": "p", "event": [], "outcome": {"kind": "ok"}}',
        '{"version": 1, "pipeline": "p", "event": {}, "outcome": null}',
    ],
)
def test_what_is_no_fixture_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(content)
    with pytest.raises(InvalidInputError, match=r"odd\.json"):
        fixtures.read(path)


def test_a_file_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InvalidInputError, match="can't be written"):
        fixtures.write(fixture(), tmp_path / "taken" / "a.json")


def test_a_batch_has_one_name_whatever_came_of_it() -> None:
    assert file_name(batch()) == file_name(batch(outcome="timeout", request_id="another"))
    assert file_name(batch()).startswith("20261120T120000-insert-")
    several = [observed.record("1", "INSERT"), observed.record("2", "REMOVE", sequence_number="2")]
    (mixed,) = batches(observed.invocation(several))
    assert file_name(mixed).startswith("20261120T120000-mixed-2-")


def outcome(kind: Kind, message: str = "", *failures: str, error: str = "ValueError") -> Outcome:
    failure = Failure(error, message) if kind not in ("ok", "partial") else None
    return Outcome(kind, failure, failures, duration_ms=float(len(message)))


CRASHED = "RequestId: {} Error: Runtime exited with error: exit status 3"
LONG = "x" * 100


@pytest.mark.parametrize(
    ("recorded", "now"),
    [
        (outcome("ok"), outcome("ok")),
        (outcome("error", "no"), outcome("error", "no")),
        (outcome("partial", "", "2", "1"), outcome("partial", "", "1", "2")),
        (
            outcome("crash", CRASHED.format("39fe3309-c306-4bb9-870b-73206d12a98b")),
            outcome("crash", CRASHED.format("2e5f472f-7f52-4292-86b9-8b7a9308a48b")),
        ),
        (outcome("error", f"{'0a' * 16} at 0x7f01"), outcome("error", f"{'1b' * 16} at 0xff")),
        (outcome("error", f"{LONG}... (cut, 900 bytes)"), outcome("error", LONG * 9)),
    ],
    ids=["ok", "error", "order of failures", "request id", "event id and address", "cut"],
)
def test_outcomes_that_are_the_same(recorded: Outcome, now: Outcome) -> None:
    assert list(differences(recorded, now)) == []


@pytest.mark.parametrize(
    ("recorded", "now", "told"),
    [
        (outcome("ok"), outcome("error", "no"), "ok → error ValueError: no"),
        (outcome("error", "no"), outcome("ok"), "error ValueError: no → ok"),
        (
            outcome("error", "no"),
            outcome("error", "no", error="KeyError"),
            "error ValueError: no → error KeyError: no",
        ),
        (outcome("error", "a 1"), outcome("error", "a 2"), "message 'a 1' → 'a 2'"),
        (
            outcome("partial", "", "007"),
            outcome("partial", "", "007", "010"),
            "failed records 7 → 7, 10",
        ),
    ],
)
def test_a_difference_is_told(recorded: Outcome, now: Outcome, told: str) -> None:
    assert list(differences(recorded, now)) == [told]
