"""stream tail: the raw stream, whatever the functions do with it."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from streamdev.cli.exit_codes import ExitCode
from tests.support.observing import Observed
from tests.support.project import Project, eventually, unique


@pytest.fixture(scope="module")
def observed(project: Project) -> Observed:
    observed = Observed(project)
    observed.deploy()
    return observed


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line, which has to come within the test's time."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_what_the_stream_holds_is_shown_and_the_command_ends(observed: Observed) -> None:
    key = unique("raw")
    observed.run("put-item", f"id={key}", "name=John", 'address:={"city": "Oslo"}')
    observed.run("put-item", f"id={key}", "name=Jane", 'address:={"city": "Oslo"}')
    observed.run("delete-item", key)

    told = observed.run("stream", "tail", "--json").json_lines()
    mine = [one for one in told if one["dynamodb"]["Keys"]["id"]["S"] == key]
    assert [one["eventName"] for one in mine] == ["INSERT", "MODIFY", "REMOVE"]
    assert mine[1]["dynamodb"]["OldImage"]["name"] == {"S": "John"}
    assert mine[1]["eventSourceARN"].split("/")[1] == f"{observed.mark}-profiles"

    def handled() -> bool:
        logged = observed.run("logs", "--json", "-p", "profiles").json_lines()
        return {one["eventID"] for one in mine} <= {one.get("event_id") for one in logged}

    eventually(handled, what="the function to have got the same records")

    people = observed.run("stream", "tail", "--since", "10m").stdout.splitlines()
    at = next(n for n, line in enumerate(people) if f"MODIFY  {key}" in line)
    assert "in shard …" in people[at]
    assert people[at + 1].strip() == '~ name  "John" → "Jane"'
    assert observed.run("stream", "tail", "--since", "2099-01-01T00:00").stdout == ""


def test_following_shows_what_is_written_next_and_nothing_older(observed: Observed) -> None:
    # A disabled mapping: nothing of it is handled, and still it is in the stream.
    table = f"{observed.mark}-blobs"
    observed.run("put-item", "-p", "blobs", "hash=AA==")
    follow = ("stream", "tail", "-f", "--table", table, "--config", observed.config)
    with (
        observed.project.running(*follow, "--json") as latest,
        observed.project.running(*follow, "--from", "TRIM_HORIZON") as oldest,
    ):
        assert latest.stderr is not None
        assert latest.stderr.readline().startswith(f"Reading the stream of {table}")
        assert "INSERT  binary AA==" in line_of(oldest)
        assert "(the stream has keys only)" in line_of(oldest)
        observed.run("put-item", "-p", "blobs", "hash=AQ==")
        assert json.loads(line_of(latest))["dynamodb"]["Keys"] == {"hash": {"B": "AQ=="}}
        assert "INSERT  binary AQ==" in line_of(oldest)
        latest.send_signal(signal.SIGINT)
        assert latest.wait(30) == ExitCode.INTERRUPTED
        assert latest.stderr.read().strip() == "Interrupted."
        _, shown = observed.at_a_terminal(*follow[:-2], interrupt_at="end with Ctrl-C")
        assert "Traceback" not in shown


def test_it_ends_when_the_stream_is_gone(observed: Observed) -> None:
    table = unique("gone")
    client = observed.project.client("dynamodb")
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    with observed.project.running("stream", "tail", "-f", "--table", table) as following:
        assert following.stderr is not None
        following.stderr.readline()
        client.delete_table(TableName=table)
        assert following.wait(60) == ExitCode.OK
        assert f"The stream of {table} was turned off" in following.stderr.read()


def test_what_can_not_be_followed_is_told(observed: Observed) -> None:
    table = unique("still")
    observed.project.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for args, code, words in (
        (["--table", table], ExitCode.NOT_FOUND, "has no stream"),
        (["--table", "nowhere"], ExitCode.NOT_FOUND, "no table 'nowhere'"),
        (["--from", "LATEST"], ExitCode.USAGE, "goes with -f"),
        (["-f", "--from", "LATEST", "--since", "5m"], ExitCode.USAGE, "not with --since"),
        (["--since", "soon"], ExitCode.USAGE, "'soon' is no time"),
    ):
        ended = observed.failing("stream", "tail", *args)
        assert (ended.exit_code, words in ended.stderr) == (code, True), str(ended)
