"""The mapping templates of the API where AWS differs from LocalStack, or refuses what it does not.

LocalStack's own template engine renders them, with AWS's ``$util.escapeJavaScript``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import airspeed
import pytest
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).resolve().parents[2] / "lambda_src" / "async_request" / "api"
NAMED = {"\b": "b", "\n": "n", "\t": "t", "\f": "f", "\r": "r", **{c: c for c in "'\"\\/"}}
TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.text("'\"\\/\n$#{}é🍲")


def escape_java_script(text: str) -> str:
    r"""As Apache Commons' ``escapeEcmaScript`` does on AWS: ``\'``, ``\/``, and all but ASCII."""
    data = text.encode("utf-16-be")
    units = (chr(int.from_bytes(data[i : i + 2])) for i in range(0, len(data), 2))
    return "".join(
        f"\\{NAMED[unit]}"
        if unit in NAMED
        else unit
        if " " <= unit <= "~"
        else rf"\u{ord(unit):04X}"
        for unit in units
    )


class Util:
    """``$util``."""

    escapeJavaScript = staticmethod(escape_java_script)  # noqa: N815 (AWS's name)


class Input:
    """``$input`` of a request, or of DynamoDB's answer."""

    def __init__(self, body: str) -> None:
        self.body = body

    def params(self, _name: str) -> str:
        return self.body

    def path(self, path: str) -> Any:
        return json.loads(self.body).get(path.removeprefix("$."), "")


def render(template: str, body: str) -> tuple[Any, dict[str, Any]]:
    """The rendered JSON, and what the template overrides of the response."""
    override: dict[str, Any] = {}
    namespace = {
        "util": Util(),
        "input": Input(body),
        "context": {"requestId": "r1", "responseOverride": override},
        "stageVariables": {"table": "Restaurant"},
    }
    text = airspeed.Template((FOLDER / template).read_text()).merge(namespace)
    return json.loads(text), override


@given(TEXT)
def test_a_body_is_stored_character_by_character_on_aws_too(body: str) -> None:
    assert escape_java_script("it's") == "it\\'s"
    call, _ = render("put_request.vtl", body)
    assert call == {"TableName": "Restaurant", "Item": {"id": {"S": "r1"}, "request": {"S": body}}}


@given(TEXT)
def test_an_id_is_looked_up_as_it_was_asked_for_on_aws_too(request_id: str) -> None:
    call, _ = render("get_request.vtl", request_id)
    assert call["Key"] == {"id": {"S": request_id}}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("com.amazon.coral.validate#ValidationException", 413),
        ("com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException", 429),
        ("com.amazonaws.dynamodb.v20120810#RequestLimitExceeded", 429),
        ("com.amazon.coral.availability#ThrottlingException", 429),
        ("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException", 503),
        ("com.amazon.coral.service#AccessDeniedException", 503),
    ],
)
def test_what_dynamodb_refuses_is_told_by_its_kind(error: str, status: int) -> None:
    told, override = render("refused.vtl", json.dumps({"__type": error, "message": "no"}))
    assert override == {"status": status}
    assert set(told) == {"message"}


def test_an_error_of_dynamodbs_own_is_told_as_unknown() -> None:
    told, override = render("unavailable.vtl", "{}")
    assert told["message"].startswith("It is not known whether")
    assert override == {}
