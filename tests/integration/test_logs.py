"""logs: what was processed, as people, scripts and the handlers themselves tell it."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import IO

import pytest

from streamdev.cli.exit_codes import ExitCode
from streamdev.observe.cloudwatch import follow_functions
from streamdev.testing.pipeline import TestedPipeline
from tests.support.observing import Observed
from tests.support.project import COMMAND, Project, eventually, pipeline, unique


@pytest.fixture(scope="module")
def observed(project: Project) -> Observed:
    observed = Observed(project)
    observed.deploy()
    return observed


def lines_about(text: str, key: str) -> list[str]:
    """The line about the key, and the indented ones below it."""
    found: list[str] = []
    about = False
    for line in text.splitlines():
        if not line.startswith(" "):
            about = f"  {key}  " in line
        if about:
            found.append(line)
    return found


def lines_of(stream: IO[str] | None, seconds: float) -> Iterator[str]:
    """Lines as they come, until none came for so long."""
    assert stream is not None
    pending = b""
    # Read below the stream's buffer: what lies in it would not show in ``select``.
    while select.select([stream], [], [], seconds)[0]:
        chunk = os.read(stream.fileno(), 65_536)
        if not chunk:
            return
        *lines, pending = (pending + chunk).split(b"\n")
        yield from (line.decode() for line in lines)


def test_what_changed_is_told_attribute_by_attribute(observed: Observed) -> None:
    key = unique("change")
    put = ("put-item", f"id={key}", "--wait")
    observed.run(*put, "name=John", "age:=42", 'address:={"city": "Oslo"}', "pin=1")
    observed.run(*put, "name=Jane", "age:=42", 'address:={"city": "Bern"}', "tags:SS=a")
    observed.run("delete-item", key, "--wait")
    told = lines_about(observed.run("logs", "-p", "profiles").stdout, key)
    inserted, modified, removed = (
        index for index, line in enumerate(told) if not line.startswith(" ")
    )
    head = re.compile(r"\d\d:\d\d:\d\d\.\d{3}  profiles  (INSERT|MODIFY|REMOVE)  \S+  ok  \d+ ms")
    assert all(head.match(told[index]) for index in (inserted, modified, removed))
    assert {line.strip() for line in told[inserted + 1 : modified]} == {
        '+ name  "John"',
        "+ age  42",
        '+ address  {"city": "Oslo"}',
        "+ pin  (redacted)",
    }
    assert {line.strip() for line in told[modified + 1 : removed]} == {
        '~ name  "John" → "Jane"',
        '~ address.city  "Oslo" → "Bern"',
        "- pin  (redacted)",
        '+ tags  {"a"}',
    }
    assert '- name  "Jane"' in {line.strip() for line in told[removed + 1 :]}


def test_a_failure_stands_out_with_its_attempts_and_its_end(observed: Observed) -> None:
    key = unique("fail")
    observed.run("put-item", f"id={key}", "mode=fail", "--wait", check=False)

    def told() -> list[str]:
        text = observed.run("logs", "-p", "profiles", "--outcome", "failed").stdout
        return lines_about(text, key)

    eventually(lambda: any("attempt 2" in line for line in told()), interval=0.5)
    lines = told()
    assert sum(key in line for line in lines) == 2
    assert "error" in lines[0]
    assert "              ValueError: asked to fail" in lines
    assert any("handler.py" in line for line in lines)
    everything = observed.run("logs", "--all").stdout
    assert "tries the batch again in" in everything
    given_up = observed.run("logs", "-p", "profiles").stdout
    assert "gives up 1 record: RetryAttemptsExhausted" in given_up


def test_scripts_get_one_document_a_line(observed: Observed) -> None:
    key = unique("json")
    observed.run("put-item", f"id={key}", "n:=1.50", "--wait")
    observed.run("put-item", f"id={key}", "n:=2", "text=" + "x" * 2000, "--wait")
    found = observed.run("logs", "-p", "profiles", "--json").json_lines()
    first, second = (entry for entry in found if entry.get("keys") == {"id": key})
    assert first["kind"] == "record"
    assert (first["pipeline"], first["table"]) == ("profiles", f"{observed.mark}-profiles")
    assert (first["event_name"], first["outcome"], first["attempt"]) == ("INSERT", "ok", 1)
    assert first["old"] is None
    assert first["new"] == {"id": key, "n": 1.5}
    assert re.fullmatch(r"[0-9a-f]{32}", first["event_id"])
    assert datetime.fromisoformat(first["at"]).tzinfo == UTC
    assert first["duration_ms"] > 0
    assert first["error"] is None
    assert {change["path"]: change["kind"] for change in second["changes"]} == {
        "n": "changed",
        "text": "added",
    }
    assert second["new"]["text"]["cut"] == 2000


def test_a_filtered_record_says_why(observed: Observed) -> None:
    customer = unique("open")
    args = ("put-item", "-p", "orders", f"customer={customer}", "at=1", "status=open", "--wait")
    observed.run(*args)
    (line,) = lines_about(observed.run("logs").stdout, f"{customer} / 1")
    assert "filtered" in line
    assert 'dynamodb.NewImage.status.S is "open", filter 1 wants "paid"' in line
    assert customer not in observed.run("logs", "--outcome", "ok").stdout
    assert customer in observed.run("logs", "--outcome", "filtered").stdout


def test_all_pipelines_merge_in_order_and_one_can_be_had_alone(observed: Observed) -> None:
    mark = unique("merge")
    for number in (1, 3):
        observed.run("put-item", f"id={mark}-{number}", "--wait")
        order = ("put-item", "-p", "orders", f"customer={mark}-{number + 1}", "at=1", "status=paid")
        observed.run(*order, "--wait")
    text = observed.run("logs").stdout
    assert re.findall(rf"{mark}-(\d)", text) == ["1", "2", "3", "4"]
    alone = observed.run("logs", "-p", "orders").stdout
    assert re.findall(rf"{mark}-(\d)", alone) == ["2", "4"]


def test_functions_of_no_pipeline_keep_their_names(observed: Observed) -> None:
    key = unique("named")
    observed.run("put-item", f"id={key}", "--wait")
    # The project's usual pipelines file does not know these functions.
    (line, *_) = lines_about(observed.project.run("logs").stdout, key)
    assert f"  {observed.mark}-profiles  " in line


def test_only_what_happened_since(observed: Observed) -> None:
    before, after = unique("before"), unique("after")
    observed.run("put-item", f"id={before}", "--wait")
    moment = datetime.now(UTC).isoformat()
    observed.run("put-item", f"id={after}", "--wait")
    told = observed.run("logs", "--since", moment).stdout
    assert after in told
    assert before not in told
    assert before in observed.run("logs", "--since", "10m").stdout
    assert observed.run("logs", "--since", "0s").stdout == ""


@pytest.mark.parametrize("since", ["yesterday", "5", "5 minutes", "2026-13-01", "99999999999d"])
def test_a_time_that_is_none(observed: Observed, since: str) -> None:
    result = observed.run("logs", "--since", since, check=False)
    assert result.exit_code == ExitCode.USAGE
    assert "is no time" in result.stderr


def test_raw_output_is_the_handlers_own(observed: Observed) -> None:
    key, order = unique("raw"), unique("raw-order")
    observed.run("put-item", f"id={key}", "--wait")
    args = ("put-item", "-p", "orders", f"customer={order}", "at=1", "status=paid", "--wait")
    observed.run(*args)
    text = observed.run("logs", "--raw").stdout
    assert f"handling INSERT {{'id': {{'S': '{key}'}}}}" in text
    assert order in text
    assert "[streamdev]" not in text
    assert "[localstack]" not in text
    alone = observed.run("logs", "--raw", "-p", "profiles").stdout
    assert key in alone
    assert order not in alone
    assert "REPORT RequestId:" in alone
    told = observed.run("logs", "--raw", "--json", "-p", "orders").json_lines()
    (line,) = (entry for entry in told if order in entry["line"])
    assert line["pipeline"] == "orders"
    assert line["request_id"]


def test_following_shows_records_as_they_are_done_and_ends_with_ctrl_c(observed: Observed) -> None:
    first, second = unique("follow"), unique("follow")
    # Not from now on: the item may be handled before the command has started.
    args = ("logs", "-f", "--since", "5m", "--config", observed.config)
    with observed.project.running(*args) as following:
        shown = lines_of(following.stdout, 60)
        observed.run("put-item", f"id={first}", "--wait")
        assert any(f"INSERT  {first}  ok" in line for line in shown)
        observed.run("put-item", f"id={second}", "name=John", "--wait")
        assert any(f"INSERT  {second}  ok" in line for line in shown)
        assert next(shown).strip() == '+ name  "John"'
        following.send_signal(signal.SIGINT)
        assert following.wait(timeout=30) == ExitCode.INTERRUPTED
        assert following.stderr is not None
        assert "Traceback" not in following.stderr.read()


def test_following_in_json_is_line_by_line(observed: Observed) -> None:
    key = unique("follow")
    # Not from now on: the item may be handled before the command has started.
    args = ("logs", "-f", "--json", "--since", "5m", "--config", observed.config)
    with observed.project.running(*args) as following:
        observed.run("put-item", f"id={key}", "--wait")
        assert any(key in line for line in lines_of(following.stdout, 60))


def test_a_reader_that_leaves_ends_it_quietly(observed: Observed) -> None:
    observed.run("put-item", f"id={unique('pipe')}", "--wait")
    with subprocess.Popen(
        [*COMMAND, "logs", "-f", "--config", observed.config],
        cwd=observed.project.root,
        env=observed.project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            assert process.stdout.readline()
            process.stdout.close()
            observed.run("put-item", f"id={unique('pipe')}", "--wait")
            assert process.wait(timeout=30) == ExitCode.PIPE_CLOSED
            assert process.stderr.read() == ""
        finally:
            process.kill()


def test_a_batch_names_the_records_that_failed(
    project: Project, streamdev_pipelines: Callable[..., TestedPipeline]
) -> None:
    mark = unique("batch")
    project.write_handler(mark, REPORTING)
    text = pipeline(
        mark,
        table=mark,
        source=mark,
        mapping=(
            "batch-size = 5, starting-position = 'TRIM_HORIZON', maximum-retry-attempts = 0, "
            "maximum-batching-window = 2, report-batch-item-failures = true"
        ),
    )
    own = streamdev_pipelines(config=project.write_pipelines(text, f"{mark}.toml"))
    good, bad = own.put(id="good"), own.put(id="bad", mode="report")
    assert own.wait_handled(good).attempt == 1
    failed = own.wait_handled(bad, outcome="error")
    assert failed.attempt == 1
    logged = project.run("logs", "--json").json_lines()
    told = [one for one in logged if one.get("function") == own.function]
    outcomes = {one["keys"]["id"]: one["outcome"] for one in told if one["kind"] == "record"}
    assert outcomes == {"good": "ok", "bad": "error"}


REPORTING = """\
def lambda_handler(event, context):
    failed = [
        record["dynamodb"]["SequenceNumber"]
        for record in event["Records"]
        if "mode" in record["dynamodb"]["NewImage"]
    ]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
"""


def test_following_ends_when_the_engine_is_stopped(own_project: Project) -> None:
    own_project.run("up", timeout=600)
    with (
        own_project.running("logs", "-f") as following,
        own_project.running("stream", "tail", "-f", "--from", "TRIM_HORIZON") as raw,
    ):
        own_project.run("put-item", "id=1", "--wait")
        for process, told in ((following, "INSERT  1  ok"), (raw, "INSERT  1")):
            assert told in next(lines_of(process.stdout, 60))
        own_project.run("down")
        for process in (following, raw):
            code = process.wait(timeout=60)
            assert process.stderr is not None
            shown = process.stderr.read()
            assert (code, "The engine was stopped." in shown) == (ExitCode.OK, True), shown
    assert own_project.run("logs", check=False).exit_code == ExitCode.ENGINE_NOT_RUNNING


def test_cloudwatch_logs_tell_what_handlers_printed(observed: Observed) -> None:
    """What ``logs`` shows with an engine that has no plugins of ours."""
    first, second = unique("cloud"), unique("cloud")
    function, stop = f"{observed.mark}-profiles", threading.Event()
    observed.run("put-item", f"id={first}", "--wait")
    found = follow_functions(
        observed.project.gateway, [function, "no-such"], since=None, follow=True, stop=stop
    )
    seen: list[str] = []
    while not any(f"'{first}'" in line for line in seen):
        seen.append(next(found).text)
    observed.run("put-item", f"id={second}", "--wait")
    while not any(f"'{second}'" in line for line in seen):
        seen.append(next(found).text)
    stop.set()
    assert sum(f"'{first}'" in line for line in seen) == 1
