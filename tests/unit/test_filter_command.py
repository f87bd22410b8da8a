"""``filter test`` without an engine: records made of items, or from a file."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.context import Context
from streamdev.cli.main import run

PIPELINES = """\
[pipelines.orders]
table = {{ name = "Orders", key = "id:S", stream = "{view}" }}
function = {{ source = ".", handler = "handler.lambda_handler", runtime = "python3.13" }}

[pipelines.orders.mapping]
starting-position = "TRIM_HORIZON"
filter-criteria = [
  {{ eventName = ["REMOVE"] }},
  '{{"dynamodb": {{"NewImage": {{"status": {{"S": ["paid"]}}, "total": {{"N": ["5"]}}}}}}}}',
]
"""
RECORD = {
    "eventName": "MODIFY",
    "dynamodb": {"Keys": {"id": {"S": "7"}}, "NewImage": {"id": {"S": "7"}, "n": {"N": "1"}}},
}


class Shell:
    def __init__(self, folder: Path, view: str = "NEW_AND_OLD_IMAGES") -> None:
        self.folder = folder
        (folder / "pipelines.toml").write_text(PIPELINES.format(view=view), encoding="utf-8")

    def __call__(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        out = io.StringIO()
        context = Context(
            environ={}, stdin=io.StringIO(stdin), stdout=out, stderr=out, cwd=self.folder
        )
        return run(["filter", "test", *arguments], context), out.getvalue()

    def document(self, *arguments: str, stdin: str = "") -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self(*arguments, "--json", stdin=stdin)[1])
        return told


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_the_filter_that_matches_and_each_clause_are_shown(shell: Shell) -> None:
    code, text = shell("id=7", "status=paid", "total:=5", "--event", "INSERT")
    assert code == 0
    assert text.splitlines() == [
        "INSERT 7: matches filter 2",
        '  no   eventName is "INSERT", filter 1 wants "REMOVE"',
        '  yes  dynamodb.NewImage.status.S is "paid", filter 2 wants "paid"',
        '  yes  dynamodb.NewImage.total.N is "5", filter 2 wants "5"',
    ]


def test_the_clause_that_decides_is_named_for_each_filter(shell: Shell) -> None:
    code, text = shell("id=7", "status=open", "total:=5", "--event", "MODIFY")
    assert code == 1
    assert text.splitlines()[0] == (
        'MODIFY 7: does not match: eventName is "MODIFY", filter 1 wants "REMOVE"; '
        'dynamodb.NewImage.status.S is "open", filter 2 wants "paid"'
    )
    told = shell.document("id=7", "status=open", "--event", "MODIFY")
    assert (told["matched"], told["records"][0]["matching"]) == (False, [])
    assert [clause["actual"] for clause in told["records"][0]["clauses"]] == [
        ["MODIFY"],
        ["open"],
        [],
    ]


OLD = '{"dynamodb": {"OldImage": {"n": {"N": ["1"]}}}}'
NEW = '{"dynamodb": {"NewImage": {"n": {"N": ["2"]}}}}'


@pytest.mark.parametrize(
    ("view", "pattern", "event", "code"),
    [
        ("NEW_AND_OLD_IMAGES", OLD, ("MODIFY", "--old", '{"id": "7", "n": 1}'), 0),
        ("NEW_AND_OLD_IMAGES", NEW, ("MODIFY", "--old", '{"id": "7", "n": 1}'), 0),
        ("NEW_IMAGE", OLD, ("MODIFY", "--old", '{"id": "7", "n": 1}'), 1),
        ("OLD_IMAGE", NEW, ("INSERT",), 1),
        ("OLD_IMAGE", '{"dynamodb": {"OldImage": {"n": {"N": ["2"]}}}}', ("REMOVE",), 0),
        ("NEW_AND_OLD_IMAGES", NEW, ("REMOVE",), 1),
        ("KEYS_ONLY", '{"dynamodb": {"Keys": {"id": {"S": ["7"]}}}}', ("INSERT",), 0),
        ("KEYS_ONLY", NEW, ("INSERT",), 1),
    ],
)
def test_a_made_record_has_the_images_the_stream_would_have(
    tmp_path: Path, view: str, pattern: str, event: tuple[str, ...], code: int
) -> None:
    shell = Shell(tmp_path, view)
    assert shell("id=7", "n:=2", "--pattern", pattern, "--event", *event)[0] == code


def test_records_come_from_a_file_or_standard_input_and_patterns_from_a_file(shell: Shell) -> None:
    pattern = '{"eventName": ["MODIFY"]}'
    (shell.folder / "pattern.json").write_text(pattern)
    (shell.folder / "criteria.json").write_text(json.dumps({"Filters": [{"Pattern": pattern}]}))
    (shell.folder / "event.json").write_text(json.dumps({"Records": [RECORD, RECORD]}))
    for name in ("pattern.json", "criteria.json"):
        file = str(shell.folder / name)
        told = shell.document("--record", str(shell.folder / "event.json"), "--pattern-file", file)
        assert [record["matching"] for record in told["records"]] == [[1], [1]]
        assert told["records"][0]["keys"] == {"id": "7"}
    # One that does not match is enough for exit code 1.
    several = json.dumps([RECORD, {**RECORD, "eventName": "INSERT"}])
    code, text = shell("--record", "-", "--pattern", pattern, stdin=several)
    assert code == 1
    assert [line for line in text.splitlines() if not line.startswith(" ")] == [
        "MODIFY 7: matches filter 1",
        'INSERT 7: does not match: eventName is "INSERT", filter 1 wants "MODIFY"',
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("id=7", "--event", "INSERT", "--pattern", '{"eventName": "INSERT"}'),
            'Invalid filter pattern definition.\nFilter 1: "eventName" must be an object or',
        ),
        (("id=7", "--event", "INSERT", "--pattern", "{"), "Filter 1: Filter is not valid JSON"),
        (
            ("id=7", "--event", "INSERT", *(["--pattern", '{"a": ["b"]}'] * 6)),
            "Invalid filter criteria.\nThere are 6 filters; 5 are allowed",
        ),
        ((), "Give one thing to test"),
        (("id=7", "--record", "x.json"), "Give one thing to test"),
        (("--record", "missing.json"), "missing.json can't be read: No such file"),
        (("--record", "-"), "Standard input is no JSON"),
        (("name=x", "--event", "INSERT"), "the key 'id' (a string) is missing"),
        (("id=7", "--event", "INSERT", "--old", "{}"), "--old goes with --event MODIFY"),
        (("id=7", "--event", "MODIFY", "--old", '{"id": "8"}'), "--old is another item"),
        (("id=7", "--event", "DELETE"), "'DELETE' is not one of"),
        (
            ("id=7", "--event", "INSERT", "--pattern", "{}", "--pattern-file", "p"),
            "--pattern and --pattern-file both give filters",
        ),
        (("7", "--table", "Orders"), "A table by itself has no filter"),
    ],
)
def test_what_cannot_be_used_is_refused(
    shell: Shell, arguments: tuple[str, ...], words: str
) -> None:
    code, text = shell(*arguments)
    assert code == 2
    assert words in text


@pytest.mark.parametrize(
    "document", ["[]", "5", '{"dynamodb": 1}', '{"dynamodb": {"Keys": {"id": 5}}}', "[[]]"]
)
def test_what_is_no_record_is_refused(shell: Shell, document: str) -> None:
    code, text = shell("--record", "-", stdin=document)
    assert code == 2
    assert "record" in text


def test_without_a_filter_every_record_matches(shell: Shell) -> None:
    text = (shell.folder / "pipelines.toml").read_text()
    (shell.folder / "pipelines.toml").write_text(text[: text.index("filter-criteria")])
    assert shell("id=7", "--event", "INSERT") == (0, "INSERT 7: matches, as there is no filter\n")
