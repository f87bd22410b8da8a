"""snapshot: tables and queues to a file and back, without a function being told."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from streamdev.cli.exit_codes import ExitCode
from streamdev.snapshot import file
from tests.support.observing import Observed
from tests.support.project import Project, eventually, pipeline

BIG = "12345678901234567890123456789012345678"
ITEM = {
    "id": {"S": "ann"},
    "big": {"N": BIG},
    "raw": {"B": b"\x00\xff"},
    "all": {
        "M": {
            "empty": {"M": {}},
            "list": {"L": [{"NULL": True}, {"BOOL": False}]},
            "sets": {"L": [{"NS": ["1"]}, {"SS": ["ä"]}, {"BS": [b"\x01"]}]},
        }
    },
}
ATTRIBUTES = {
    "kind": {"DataType": "String", "StringValue": "a"},
    "size": {"DataType": "Number.int", "StringValue": "007"},
    "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}


@pytest.fixture
def observed(project: Project) -> Observed:
    observed = Observed(project)
    observed.deploy()
    return observed


def scanned(observed: Observed, pipeline: str) -> list[dict[str, Any]]:
    items = observed.project.gateway.items.scan(f"{observed.mark}-{pipeline}", ConsistentRead=True)
    return sorted(items, key=repr)


def handled(observed: Observed, pipeline: str) -> list[tuple[str, str]]:
    """What its function has handled, in order."""
    told = observed.run("logs", "-p", pipeline, "--json").json_lines()
    return [(one["event_name"], one["keys"]["id"]) for one in told if one["kind"] == "record"]


def received(project: Project, name: str) -> list[tuple[Any, ...]]:
    """The messages of a queue, and all that a snapshot has to keep of them."""
    client = project.client("sqs")
    url = client.get_queue_url(QueueName=name)["QueueUrl"]
    found = []
    while messages := client.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        MessageAttributeNames=["All"],
        AttributeNames=["MessageGroupId"],
    ).get("Messages", ()):
        for message in messages:
            attributes = message.get("MessageAttributes", {})
            group = message.get("Attributes", {}).get("MessageGroupId")
            found.append((message["Body"], attributes, group))
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found if name.endswith(".fifo") else sorted(found, key=repr)


@pytest.mark.timeout(600)
def test_what_was_saved_comes_back_as_it_was_and_only_others_writes_are_handled(
    observed: Observed,
) -> None:
    project, mark = observed.project, observed.mark
    profiles, blobs = f"{mark}-profiles", f"{mark}-blobs"
    standard, fifo = f"{mark}-q", f"{mark}-q.fifo"
    sqs = project.client("sqs")
    url = sqs.create_queue(QueueName=standard)["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody='{"ä": 1}', MessageAttributes=ATTRIBUTES)
    sqs.receive_message(QueueUrl=url, VisibilityTimeout=600)  # held by someone
    sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=600)
    of_fifo = sqs.create_queue(
        QueueName=fifo, Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    )["QueueUrl"]
    for body in ("1", "2", "3"):
        sqs.send_message(QueueUrl=of_fifo, MessageBody=body, MessageGroupId="g")
    items = project.gateway.items
    items.put(profiles, ITEM)
    items.put(blobs, {"hash": {"B": b"\xfe"}})
    observed.run("load", "--generate", "600", "--seed", "1", "-p", "profiles")
    observed.run("put-item", "id=last", "-p", "profiles", "--wait", "--timeout", "120")
    before = scanned(observed, "profiles"), scanned(observed, "blobs")
    only = ("--table", profiles, "--table", blobs, "--queue", standard, "--queue", fifo)

    saved = observed.run("snapshot", "save", mark, *only, "--json").json()

    assert saved["file"] == f"snapshots/{mark}.snapshot.zip"
    assert saved["tables"][profiles] == {"keys": {"id": "S"}, "items": 602}
    assert saved["queues"] == {standard: {"messages": 2}, fifo: {"messages": 3}}
    assert (project.root / saved["file"]).stat().st_mode & 0o077 == 0
    listed = observed.run("snapshot", "ls", "--json").json()
    assert mark in [one["name"] for one in listed]
    assert f"{mark}  " in observed.run("snapshot", "ls").stdout

    refused = observed.failing("snapshot", "load", mark, *only)
    assert refused.exit_code == ExitCode.USAGE
    assert (
        f"Nothing was loaded, as there is something in table {blobs}, table {profiles}, "
        f"queue {standard} and 1 more."
    ) in refused.stderr
    assert f"./dev.py snapshot load {mark} --replace" in refused.stderr

    # Others write to the same table all the while.
    items.put(profiles, {"id": {"S": "ann"}, "changed": {"BOOL": True}})
    items.delete(profiles, {"id": {"S": "last"}})
    done = threading.Event()
    others: list[str] = []

    def write() -> None:
        while not done.is_set():
            others.append(f"other-{len(others)}")
            items.put(profiles, {"id": {"S": others[-1]}})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        loaded = observed.run("snapshot", "load", mark, *only, "--replace", "--json").json()
    finally:
        done.set()
        writer.join()
    assert loaded["tables"] == {profiles: 602, blobs: 1}
    assert (loaded["queues"], loaded["fired"]) == ({standard: 2, fifo: 3}, False)
    observed.run("put-item", "id=after", "-p", "profiles", "--wait", "--timeout", "120")

    mine = [item for item in scanned(observed, "profiles") if "other" not in item["id"]["S"]]
    assert [item for item in mine if item["id"]["S"] != "after"] == before[0]
    assert scanned(observed, "blobs") == before[1]
    assert received(project, standard) == [("later", {}, None), ('{"ä": 1}', ATTRIBUTES, None)]
    assert received(project, fifo) == [("1", {}, "g"), ("2", {}, "g"), ("3", {}, "g")]
    told = handled(observed, "profiles")
    since = told[told.index(("INSERT", "last")) + 1 :]
    assert [one for one in since if not one[1].startswith("other-")] == [
        ("MODIFY", "ann"),
        ("REMOVE", "last"),
        ("INSERT", "after"),
    ]
    assert len(others) > 10
    assert [key for name, key in since if key.startswith("other-")] == others

    why = observed.run("why", "ann", "-p", "profiles")
    assert "is not told of it: it came by a snapshot" in why.stdout
    assert f"The INSERT came by the snapshot {mark}.snapshot.zip at " in why.stdout
    assert observed.run("why", "after", "-p", "profiles", "--json").json()["ok"]

    observed.run("snapshot", "load", mark, "--table", blobs, "--replace", "--fire-streams")
    assert observed.run("why", "hash=/g==", "-p", "blobs", check=False).stdout.count("REMOVE") == 2
    why = observed.run("why", "hash=/g==", "-p", "blobs", "--json", check=False).json()
    assert why["findings"][0]["check"] == "mapping-disabled"


def test_what_does_not_fit_the_engine_is_told_before_anything_is_written(
    observed: Observed,
) -> None:
    profiles = f"{observed.mark}-profiles"
    folder = observed.project.root / "snapshots"

    def loading(*args: str, exit_code: ExitCode) -> str:
        result = observed.failing("snapshot", "load", *args)
        assert result.exit_code == exit_code, str(result)
        return result.stderr

    def saved(name: str, table: str, keys: list[tuple[str, str]], queue: str = "") -> str:
        with file.new(folder / f"{observed.mark}-{name}.snapshot.zip") as writer:
            writer.table(profiles, [("id", "S")], [{"id": {"S": "1"}}])
            writer.table(table, keys, [{key: {kind: "1"} for key, kind in keys}])
            if queue:
                writer.queue(queue, [{"body": "x"}])
            writer.end()
        return f"{observed.mark}-{name}"

    nowhere = saved("nowhere", f"{observed.mark}-nowhere", [("id", "S")])
    words = loading(nowhere, exit_code=ExitCode.NOT_FOUND)
    assert f"There is no table '{observed.mark}-nowhere' in the engine" in words
    orders = f"{observed.mark}-orders"
    words = loading(saved("key", orders, [("id", "S")]), exit_code=ExitCode.USAGE)
    assert (
        f"The key of the table {orders} is customer:S, at:N; in the snapshot it is id:S." in words
    )
    keys = [("customer", "S"), ("at", "N")]
    words = loading(saved("queue", orders, keys, "q-nowhere"), exit_code=ExitCode.NOT_FOUND)
    assert "There is no queue 'q-nowhere' in the engine" in words
    words = loading(nowhere, "--table", "Nix", exit_code=ExitCode.NOT_FOUND)
    assert "There is no table 'Nix' in the snapshot" in words
    failed = observed.failing("snapshot", "save", "--table", "Nix")
    assert failed.exit_code == ExitCode.NOT_FOUND
    assert scanned(observed, "profiles") == scanned(observed, "orders") == []

    # What DynamoDB refuses shows only when it is written, and then how far it came is told.
    with file.new(folder / f"{observed.mark}-bad.snapshot.zip") as writer:
        items = [{"id": {"S": str(number)}} for number in range(290)]
        writer.table(profiles, [("id", "S")], [*items, items[-1]])
        writer.end()
    words = loading(f"{observed.mark}-bad", exit_code=ExitCode.FAILED)
    assert "Not done: at least 200 of 291 items are loaded." in words
    assert f"./dev.py snapshot load {observed.mark}-bad --replace" in words
    assert "ValidationException" in words
    # A part that fits can be loaded by itself, here by its path.
    path = f"snapshots/{nowhere}.snapshot.zip"
    observed.run("snapshot", "load", path, "--table", profiles, "--replace")
    assert scanned(observed, "profiles") == [{"id": {"S": "1"}}]


def test_an_interrupted_load_says_how_far_it_came_and_can_be_done_again(
    observed: Observed,
) -> None:
    profiles = f"{observed.mark}-profiles"
    path = observed.project.root / "snapshots" / f"{observed.mark}.snapshot.zip"
    with file.new(path) as writer:
        items = ({"id": {"S": str(n)}, "x": {"S": "x" * 2_000}} for n in range(5_000))
        writer.table(profiles, [("id", "S")], items)
        writer.end()

    code, shown = observed.at_a_terminal("snapshot", "load", observed.mark, interrupt_at=" left")

    assert code == ExitCode.INTERRUPTED, shown
    assert "Not done: at least " in shown.replace("\r\n", " ")
    assert 0 < len(scanned(observed, "profiles")) < 5_000
    observed.run("snapshot", "load", observed.mark, "--replace")
    assert len(scanned(observed, "profiles")) == 5_000
    observed.run("put-item", "id=after", "-p", "profiles", "--wait", "--timeout", "120")
    assert handled(observed, "profiles") == [("INSERT", "after")]


HANDLER = """\
def lambda_handler(event, context):
    for record in event["Records"]:
        assert record["dynamodb"]["Keys"]["id"]["S"] != "poison"
"""


@pytest.fixture
def letters(own_project: Project) -> Project:
    """A project whose mapping is off; its failure destination is a queue."""
    own_project.write_handler("things", HANDLER)
    write_pipelines(own_project, enabled=False)
    own_project.run("up", timeout=600)
    return own_project


def write_pipelines(project: Project, *, enabled: bool) -> None:
    mapping = (
        "batch-size = 1, starting-position = 'TRIM_HORIZON', maximum-retry-attempts = 0, "
        f"on-failure = {{ sqs = 'failed' }}, enabled = {str(enabled).lower()}"
    )
    project.write_pipelines(pipeline("things", table="Things", source="things", mapping=mapping))


def told(project: Project) -> list[tuple[str, str]]:
    lines = project.run("logs", "--json").json_lines()
    return [(one["event_name"], one["keys"]["id"]) for one in lines if one["kind"] == "record"]


@pytest.mark.timeout(900)
def test_it_survives_down_and_what_is_not_to_be_told_stays_untold_after_a_restart(
    letters: Project,
) -> None:
    letters.run("put-item", "id=before")
    letters.run("snapshot", "save", "base")
    letters.run("snapshot", "load", "base", "--replace")
    letters.run("put-item", "id=after")
    letters.run("down", "--keep")
    write_pipelines(letters, enabled=True)
    letters.run("up", timeout=600)
    expected = [("INSERT", "before"), ("INSERT", "after")]
    eventually(lambda: told(letters) == expected, timeout=120, what="both to be handled")
    letters.run("put-item", "id=poison")
    eventually(lambda: letters.run("dlq", "ls", "--json").json(), timeout=120, what="a dead letter")
    items = letters.run("scan", "--json").json()
    assert len(items) == 3

    down = letters.run("down", "--save")
    assert "Saved 3 items of 1 table, 1 message of 1 queue, 1 failed batch in" in down.stderr
    assert "Bring its data back: ./dev.py up --restore" in down.stderr
    assert "Wiping" not in down.stderr
    up = letters.run("up", "--restore", "--json", timeout=600).json()

    assert up["restored"]["tables"] == {"Things": 3}
    assert sorted(map(json.dumps, letters.run("scan", "--json").json())) == sorted(
        map(json.dumps, items)
    )
    letters.run("put-item", "id=next", "--wait", "--timeout", "120")
    assert told(letters) == [("INSERT", "next")]
    # The dead letter is there with its records, so it can be sent through the mended function.
    letters.write_handler("things", HANDLER.replace("poison", "nothing"))
    letters.run("deploy")
    assert "handled  1 record(s)" in letters.run("dlq", "redrive", "--all").stdout
    again = letters.run("up", "--restore", check=False)
    assert again.exit_code == ExitCode.USAGE
    assert "Nothing was loaded, as there is something in table Things." in again.stderr
    assert "--save for a snapshot" in letters.run("down").stderr
    assert Path(letters.root / "snapshots").is_dir()
