"""put-item, get-item, update-item, delete-item and scan against a real engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import boto3
import pytest

from streamdev.cli.exit_codes import ExitCode
from tests.support.observing import Observed
from tests.support.project import Project, create_project, unique


@pytest.fixture(scope="module")
def observed(project: Project) -> Observed:
    observed = Observed(project)
    observed.deploy()
    return observed


# One item.


def test_arguments_become_an_item_of_every_type(observed: Observed) -> None:
    observed.run(
        *("put-item", "id=types", "name=John Doe", "empty=", "age:=42"),
        *("big:=12345678901234567890123456789012345678", "fraction:=0.1", "yes:=true"),
        *("none:=null", 'map:={"list": [1, "two", null]}', "tags:SS=b,a", "primes:NS=2,3.5"),
        *("raw:B=AAEC", "parts:BS=AAEC,/w=="),
    )
    stored = observed.stored("profiles", id={"S": "types"}) or {}
    sets = {name: sorted(stored.pop(name).popitem()[1]) for name in ("tags", "primes", "parts")}
    assert sets == {"tags": ["a", "b"], "primes": ["2", "3.5"], "parts": [b"\x00\x01\x02", b"\xff"]}
    assert stored == {
        "id": {"S": "types"},
        "name": {"S": "John Doe"},
        "empty": {"S": ""},
        "age": {"N": "42"},
        "big": {"N": "12345678901234567890123456789012345678"},
        "fraction": {"N": "0.1"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "map": {"M": {"list": {"L": [{"N": "1"}, {"S": "two"}, {"NULL": True}]}}},
        "raw": {"B": b"\x00\x01\x02"},
    }
    shown = observed.run("get-item", "types", "--json").stdout
    assert '"big": 12345678901234567890123456789012345678' in shown
    assert sorted(json.loads(shown)["tags"]) == ["a", "b"]
    typed = observed.run("get-item", "id=types", "--dynamodb-json").json()
    assert typed["raw"] == {"B": "AAEC"}
    assert set(typed["tags"]) == {"SS"}


def test_an_item_as_a_document(observed: Observed) -> None:
    observed.run("put-item", "--item", '{"id": {"S": "doc"}, "n": {"N": "1"}}')
    assert observed.stored("profiles", id={"S": "doc"}) == {"id": {"S": "doc"}, "n": {"N": "1"}}
    observed.run("put-item", "--item", '{"id": "doc", "n": 2.50}')
    assert observed.stored("profiles", id={"S": "doc"}) == {"id": {"S": "doc"}, "n": {"N": "2.5"}}


def test_what_a_write_did_is_told(observed: Observed) -> None:
    def change(*args: str) -> str:
        told: str = observed.run(*args, "--json").json()["change"]
        return told

    assert change("put-item", "id=told", "n:=1") == "created"
    assert change("put-item", "id=told", "n:=2") == "replaced"
    assert change("put-item", "id=told", "n:=2.0") == "unchanged"
    assert change("update-item", "told", "m:=1") == "updated"
    assert change("update-item", "told", "m:=1") == "unchanged"
    assert change("delete-item", "told") == "deleted"
    assert change("delete-item", "told") == "unchanged"


def test_an_update_sets_and_removes_and_leaves_the_rest(observed: Observed) -> None:
    observed.run("put-item", "id=up", "name=John", "age:=42", "kept=yes")
    observed.run("update-item", "id=up", "name=Jane", "size:=1", "--remove", "age")
    assert observed.stored("profiles", id={"S": "up"}) == {
        "id": {"S": "up"},
        "name": {"S": "Jane"},
        "size": {"N": "1"},
        "kept": {"S": "yes"},
    }


def test_an_update_makes_the_item_as_dynamodb_does(observed: Observed) -> None:
    observed.run("update-item", "id=made", "--remove", "nothing")
    assert observed.stored("profiles", id={"S": "made"}) == {"id": {"S": "made"}}


def test_keys_take_the_tables_types(observed: Observed) -> None:
    observed.run("put-item", "-p", "orders", "customer=ann", "at=5", "note=x")
    assert observed.stored("orders", customer={"S": "ann"}, at={"N": "5"}) is not None
    assert observed.run("get-item", "-p", "orders", "ann", "5", "--json").json()["note"] == "x"
    observed.run("update-item", "-p", "orders", "ann", "5", "note=y")
    assert observed.run("get-item", "-p", "orders", "at=5", "customer=ann", "--json").json() == {
        "customer": "ann",
        "at": 5,
        "note": "y",
    }
    observed.run("put-item", "-p", "blobs", "hash=AAEC", "n:=1")
    assert observed.stored("blobs", hash={"B": b"\x00\x01\x02"}) is not None
    observed.run("delete-item", "-p", "blobs", "AAEC")
    assert observed.stored("blobs", hash={"B": b"\x00\x01\x02"}) is None


def test_a_table_by_its_own_name(observed: Observed) -> None:
    table = f"{observed.mark}-orders"
    observed.run("put-item", "--table", table, "customer=bob", "at=1")
    assert observed.run("get-item", "--table", table, "bob", "1", "--json").json()["at"] == 1


def test_people_see_a_table(observed: Observed) -> None:
    observed.run("put-item", "id=seen", "name=John Doe", "age:=42")
    heading, _, *rows = observed.run("get-item", "seen").stdout.splitlines()
    assert heading.split() == ["attribute", "type", "value"]
    assert rows[0].split() == ["id", "S", '"seen"'], "the key comes first"
    assert sorted(row.rstrip().split(maxsplit=2) for row in rows[1:]) == [
        ["age", "N", "42"],
        ["name", "S", '"John Doe"'],
    ]


def test_a_missing_item_is_not_found(observed: Observed) -> None:
    result = observed.failing("get-item", "nobody")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "There is no item nobody" in result.stderr


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["put-item"], "Give one item"),
        (["put-item", "name=x"], "the key 'id' (a string) is missing"),
        (["put-item", "id="], "the key 'id' is empty"),
        (["put-item", "id:=5"], "the key 'id' is a string (S) in this table, not N"),
        (["put-item", "id=1", "n:=" + "1" * 39], "39 significant digits"),
        (["put-item", "id=1", "x:SS="], "a set can't be empty"),
        (["put-item", "--item", "{"], "no valid JSON"),
        (["put-item", "--item", "[]"], "an item is a JSON object"),
        (["put-item", "-p", "orders", "customer=a", "at=x"], "at: 'x' is no number"),
        (["put-item", "-p", "order", "a=b"], "Did you mean 'orders'?"),
        (["put-item", "-p", "orders", "--table", "x", "a=b"], "both name a table"),
        (["put-item", "--file", "nowhere.jsonl"], "nowhere.jsonl can't be read"),
        (["put-item", "--file", "x", "--wait"], "--wait goes with a single item"),
        (["get-item", "-p", "orders", "ann"], "The key 'at' (a number) is missing"),
        (["update-item", "id=1"], "There is nothing to change"),
        (["update-item", "1", "--remove", "id"], "part of the key"),
        (["scan", "--limit", "0"], "'--limit'"),
    ],
)
def test_wrong_input_is_refused(observed: Observed, args: list[str], reason: str) -> None:
    result = observed.failing(*args)
    assert result.exit_code == ExitCode.USAGE
    assert reason in result.stderr


def test_an_item_over_400_kb_is_refused(observed: Observed) -> None:
    result = observed.failing("put-item", "-", stdin=json.dumps({"id": "x", "y": "z" * 409_600}))
    assert "DynamoDB takes up to 409,600 (400 KB)" in result.stderr


def test_an_unknown_table_is_not_found(observed: Observed) -> None:
    result = observed.failing("scan", "--table", f"{observed.mark}-order")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert f"Did you mean '{observed.mark}-orders'?" in result.stderr


def test_a_table_that_is_not_deployed_is_told_so(observed: Observed) -> None:
    text = (observed.project.root / observed.config).read_text()
    observed.project.write_pipelines(text.replace("-profiles", "-missing"), "missing.toml")
    result = observed.project.run("put-item", "id=1", "--config", "missing.toml", check=False)
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "./dev.py deploy" in result.stderr


def test_without_an_engine_nothing_is_written(tmp_path: Path, observed: Observed) -> None:
    alone = create_project(tmp_path / "alone", 1)
    text = (observed.project.root / observed.config).read_text()
    alone.write_pipelines(text)
    alone.write_handler(observed.mark, "def lambda_handler(event, context): ...\n")
    for command in (["put-item", "id=1"], ["scan"], ["logs"], ["put-item", "-"]):
        result = alone.run(*command, check=False)
        assert result.exit_code == ExitCode.ENGINE_NOT_RUNNING, str(result)
        assert "up" in result.stderr


# Many items.


def test_a_file_is_written_and_refused_lines_are_named(observed: Observed) -> None:
    mark = unique("file")
    lines = [json.dumps({"id": f"{mark}-{number}", "n": number}) for number in range(60)]
    lines[3] = '{"id": "broken"'
    lines[4] = '{"n": 1}'
    lines[5] = json.dumps({"id": {"S": f"{mark}-5"}, "tags": {"SS": ["a"]}})
    lines[6] = ""
    lines[7] = json.dumps({"id": f"{mark}-7", "text": "é" * 250_000})
    path = observed.project.root / f"{mark}.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    result = observed.run("put-item", "--file", path.name, "--json", check=False)
    assert result.exit_code == ExitCode.FAILED
    told = result.json()
    assert told["written"] == 56
    assert [refused["line"] for refused in told["refused"]] == [4, 5, 8]
    assert "line 4: no valid JSON" in result.stderr
    assert "line 5: the key 'id' (a string) is missing" in result.stderr
    assert "line 8: the item has 500," in result.stderr
    assert observed.stored("profiles", id={"S": f"{mark}-59"}) is not None
    assert observed.stored("profiles", id={"S": f"{mark}-5"}) == {
        "id": {"S": f"{mark}-5"},
        "tags": {"SS": ["a"]},
    }


def test_the_last_of_several_lines_with_one_key_stays(observed: Observed) -> None:
    lines = "\n".join(json.dumps({"id": "again", "n": number}) for number in range(40))
    observed.run("put-item", "-", stdin=lines)
    assert observed.stored("profiles", id={"S": "again"}) == {
        "id": {"S": "again"},
        "n": {"N": "39"},
    }


def test_a_json_array_is_told_from_json_lines(observed: Observed) -> None:
    result = observed.failing("put-item", "-", stdin='[{"id": "1"}]')
    assert result.exit_code == ExitCode.USAGE
    assert "is a JSON array" in result.stderr


def test_a_table_can_be_copied_line_by_line(observed: Observed) -> None:
    table = unique("copy")
    observed.project.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    items: list[dict[str, Any]] = [
        {"id": {"S": str(number)}, "set": {"NS": ["1", "2"]}, "raw": {"B": b"\xff"}}
        for number in range(30)
    ]
    for item in items:
        observed.project.gateway.items.put(table, item)
    lines = observed.run("scan", "--table", table, "--lines", "--dynamodb-json").stdout
    assert len(lines.splitlines()) == 30
    observed.project.client("dynamodb").delete_item(TableName=table, Key={"id": {"S": "7"}})
    observed.run("put-item", "-", "--table", table, stdin=lines)
    assert observed.project.gateway.items.get(table, {"id": {"S": "7"}}) == items[7]


def test_scan_shows_all_or_as_many_as_wanted(observed: Observed) -> None:
    table = f"{observed.mark}-blobs"
    for number in range(3):
        observed.project.gateway.items.put(table, {"hash": {"B": bytes([number])}})
    found = observed.run("scan", "-p", "blobs", "--json").json()
    assert {"AA==", "AQ==", "Ag=="} <= {item["hash"] for item in found}
    assert len(observed.run("scan", "-p", "blobs", "--limit", "2", "--json").json()) == 2
    assert len(observed.run("scan", "-p", "blobs", "--limit", "2", "--lines").json_lines()) == 2
    people = observed.run("scan", "-p", "blobs")
    assert "hash" in people.stdout
    assert "items of" in people.stderr


def test_scan_of_an_empty_table(observed: Observed) -> None:
    table = unique("empty")
    observed.project.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    assert observed.run("scan", "--table", table, "--json").json() == []
    assert observed.run("scan", "--table", table, "--lines").stdout == ""


# --wait.


def test_waiting_until_a_record_was_handled(observed: Observed) -> None:
    key = unique("wait")
    told = observed.run("put-item", f"id={key}", "pin=1234", "--wait", "--json").json()
    assert (told["outcome"], told["event_name"]) == ("ok", "INSERT")
    assert (told["pipeline"], told["key"]) == ("profiles", {"id": key})
    assert told["attempt"] == 1
    assert told["handled_after_ms"] > 0
    people = observed.run("update-item", f"id={key}", "text=" + "x" * 3000, "--wait").stdout
    assert people.startswith(f"MODIFY {key} by profiles  ok  ")
    assert observed.run("delete-item", key, "--wait").stdout.startswith(f"REMOVE {key}")


def test_waiting_for_a_record_that_fails(observed: Observed) -> None:
    key = unique("fail")
    result = observed.run("put-item", f"id={key}", "mode=fail", "--wait", check=False)
    assert result.exit_code == ExitCode.FAILED
    assert "ValueError: asked to fail" in result.stdout


def test_waiting_for_a_record_that_a_filter_keeps_out(observed: Observed) -> None:
    customer = unique("open")
    told = observed.run(
        "put-item",
        "-p",
        "orders",
        f"customer={customer}",
        "at=1",
        "status=open",
        "--wait",
        "--json",
    ).json()
    assert told["outcome"] == "filtered"
    assert 'status.S is "open", filter 1 wants "paid"' in told["reason"]


def test_waiting_for_a_write_that_changes_nothing(observed: Observed) -> None:
    key = unique("same")
    observed.run("put-item", f"id={key}", "n:=1")
    told = observed.run("put-item", f"id={key}", "n:=1.0", "--wait", "--json").json()
    assert (told["change"], told["outcome"]) == ("unchanged", "unchanged")


def test_waiting_too_briefly(observed: Observed) -> None:
    key = unique("slow")
    result = observed.failing("put-item", f"id={key}", "mode=slow", "--wait", "--timeout", "0.5")
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "was not handled within 0.5 s" in result.stderr
    assert f"Find out why: ./dev.py why {key}" in result.stderr


def test_waiting_for_a_mapping_that_is_disabled(observed: Observed) -> None:
    result = observed.failing(
        "put-item", "-p", "blobs", "hash=/w==", f"mark={unique('x')}", "--wait", "--timeout", "1"
    )
    assert result.exit_code == ExitCode.TIMED_OUT
    assert "its event source mapping is Disabled" in result.stderr


# At a terminal.


def write_lines(observed: Observed, mark: str, count: int) -> str:
    path = observed.project.root / f"{mark}.jsonl"
    lines = (json.dumps({"id": f"{mark}-{number}"}) for number in range(count))
    path.write_text("\n".join(lines), encoding="utf-8")
    return path.name


def test_progress_is_shown_at_a_terminal(observed: Observed) -> None:
    name = write_lines(observed, unique("many"), 2_000)
    exit_code, shown = observed.at_a_terminal("put-item", "-p", "profiles", "--file", name)
    assert exit_code == ExitCode.OK
    assert re.search(r"[\d,]+ items.*━", shown)
    assert "2,000 items written to" in shown


def test_an_interrupted_file_says_how_far_it_came(observed: Observed) -> None:
    name = write_lines(observed, unique("cut"), 50_000)
    exit_code, shown = observed.at_a_terminal(
        "put-item", "-p", "profiles", "--file", name, interrupt_at="━"
    )
    assert exit_code == ExitCode.INTERRUPTED
    assert re.search(r"Interrupted at line [\d,]+: [\d,]+ items are written", shown)
    assert "Traceback" not in shown


def test_logs_are_coloured_at_a_terminal_and_not_torn(observed: Observed) -> None:
    key, text = unique("colour"), "x" * 100
    observed.run("put-item", f"id={key}", f"text={text}", "--wait")
    _, shown = observed.at_a_terminal("logs", "-p", "profiles")
    assert "\x1b[" in shown
    # A line longer than the terminal is left to the terminal, so that it can be copied whole.
    assert text in shown
    _, plain = observed.at_a_terminal("logs", "-p", "profiles", "--no-color")
    assert "\x1b[3" not in plain


# Accounts and regions.


def test_accounts_and_regions_do_not_share_tables_or_streams(project: Project) -> None:
    name = unique("apart")
    places = [("000000000000", "us-east-1"), ("000000000000", "eu-west-1")]
    places.append(("111111111111", "us-east-1"))
    session = boto3.session.Session()

    def client(service: Any, account: str, region: str) -> Any:
        # LocalStack takes an access key of twelve digits for the account.
        return session.client(
            service,
            endpoint_url=project.endpoint,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key="local",
        )

    tables = {place: client("dynamodb", *place) for place in places}
    for place, table in tables.items():
        table.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )
        table.put_item(TableName=name, Item={"id": {"S": "-".join(place)}})
    try:
        for place, table in tables.items():
            (item,) = table.scan(TableName=name)["Items"]
            assert item == {"id": {"S": "-".join(place)}}
            assert "Item" not in table.get_item(TableName=name, Key={"id": {"S": "other"}})
            streams = client("dynamodbstreams", *place)
            (stream,) = streams.list_streams(TableName=name)["Streams"]
            assert stream["StreamArn"].split(":")[3:5] == [place[1], place[0]]
    finally:
        for table in tables.values():
            table.delete_table(TableName=name)
