"""status, env, doctor, up and down where no engine runs; progress; the choice of engine."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scripts.cli_reference import commands
from streamdev.cli.context import Context
from streamdev.cli.engines import choose, region_of
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.lifecycle import put_example
from streamdev.cli.progress import TerminalProgress
from streamdev.cli.status import duration, local_time, show
from streamdev.config.table import Table
from streamdev.engine.readiness import Health, probe, wait_until_ready
from streamdev.engine.record import EngineRecord
from streamdev.errors import EngineStartError, InvalidInputError
from tests.support.in_process import context_in, run

ROOT = Path(__file__).resolve().parents[2]
RECORD = EngineRecord(
    engine="host",
    engine_id="0123456789ab-89abcdef",
    endpoint_url="http://127.0.0.1:4999",
    port=4999,
    started_at="2026-11-20T12:00:00+00:00",
    pid=os.getpid(),
    pid_created=0.0,  # so it is another process of that number
    ready=True,
)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return context_in(tmp_path)


@pytest.fixture
def in_the_repository(context: Context) -> Context:
    """With this repository's pipelines, and a state of its own."""
    for name in ("pipelines.toml", "lambda_src", "samples"):
        (context.cwd / name).symlink_to(ROOT / name)
    return context


def test_status_without_an_engine(context: Context) -> None:
    code, out, _ = run(context, "status")
    assert code == ExitCode.ENGINE_NOT_RUNNING
    assert out == "The engine is not running. Start it: ./dev.py up\n"


def test_status_without_an_engine_as_json(context: Context) -> None:
    code, out, _ = run(context, "status", "--json")
    assert code == ExitCode.ENGINE_NOT_RUNNING
    assert json.loads(out) == {"engine": {"running": False}}


WITHOUT_AN_ENGINE = {
    "up", "down", "export", "import", "plan-capacity", "snapshot load", "snapshot ls",
    "doctor", "init", "schema",
}  # fmt: skip
# What the others need to get as far as asking the engine.
ARGUMENTS = {
    "chaos": "user-profile",
    "debug": "user-profile",
    "delete-item": "1",
    "dlq purge": "--all",
    "filter test": "1",
    "get-item": "1",
    "invoke": "user-profile",
    "load": "--generate 1",
    "put-item": "id=1",
    "request": "{} -p async-request",
    "ttl expire": "-p async-request",
    "update-item": "1 name=Jane",
    "verify": "user-profile",
    "why": "1",
}


@pytest.mark.parametrize("command", [c for c in commands() if c not in WITHOUT_AN_ENGINE])
def test_a_dead_engine_is_told_with_the_last_lines_of_its_log(
    in_the_repository: Context, command: str
) -> None:
    context = in_the_repository
    RECORD.write(context.state.engine_record)
    context.state.log.write_text("one\nout of memory\n")
    code, out, err = run(context, *command.split(), *ARGUMENTS.get(command, "").split())
    told = out if command == "why" else err
    assert code == ExitCode.ENGINE_NOT_RUNNING
    assert "is gone without having been stopped" in told
    assert "out of memory" in told
    assert "./dev.py up" in told
    assert "Traceback" not in err


def test_an_engine_that_is_just_being_started_is_not_called_dead(context: Context) -> None:
    replace(RECORD, pid=None, ready=False).write(context.state.engine_record)
    code, _, err = run(context, "status")
    assert code == ExitCode.ENGINE_NOT_RUNNING
    assert "is being started" in err


def test_env_needs_an_engine(context: Context) -> None:
    code, _, err = run(context, "env")
    assert code == ExitCode.ENGINE_NOT_RUNNING
    assert "./dev.py up" in err


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("sh", "unset AWS_ENDPOINT_URL"),
        ("fish", "set -e AWS_ENDPOINT_URL;"),
        ("powershell", "Remove-Item Env:AWS_ENDPOINT_URL -ErrorAction SilentlyContinue"),
    ],
)
def test_env_can_be_taken_back_in_each_shell(context: Context, shell: str, line: str) -> None:
    code, out, _ = run(context, "env", "--unset", "--shell", shell)
    assert code == 0
    assert line in out.splitlines()


def test_down_without_an_engine_wipes_what_is_there(context: Context) -> None:
    (context.state.database).mkdir(parents=True)
    code, _, err = run(context, "down")
    assert code == 0
    assert "No engine was running." in err
    assert not context.state.database.exists()


def test_up_without_pipelines_starts_nothing(context: Context) -> None:
    code, _, err = run(context, "up")
    assert code == ExitCode.USAGE
    assert "pipelines.toml" in err
    assert not context.state.root.exists()


def test_up_shows_a_handlers_syntax_error_before_it_starts_anything(context: Context) -> None:
    folder = context.cwd / "broken"
    folder.mkdir()
    (folder / "handler.py").write_text("def lambda_handler(event, context):\n    return (\n")
    (context.cwd / "pipelines.toml").write_text(
        "[pipelines.broken]\n"
        "table = { name = 'Things', key = 'id:S', stream = 'NEW_IMAGE' }\n"
        "function = { source = 'broken', runtime = 'python3.13',"
        " handler = 'handler.lambda_handler' }\n"
        "mapping = { starting-position = 'TRIM_HORIZON' }\n"
    )
    code, _, err = run(context, "up")
    assert code == ExitCode.DEPLOY_FAILED
    assert "handler.py:2" in err
    assert not context.state.root.exists()


def test_doctor_tells_what_is_there_and_changes_nothing(context: Context) -> None:
    code, out, _ = run(context, "doctor", "--json")
    assert code == 0
    found = {finding["name"]: finding for finding in json.loads(out)}
    assert found["Python"]["state"] == "ok"
    assert found["pipelines.toml"]["state"] == "warn"
    assert "not installed yet" in found["LocalStack"]["found"]
    assert all(finding["cure"] for finding in found.values() if finding["state"] != "ok")
    assert list(context.cwd.iterdir()) == []


def test_doctor_fails_where_the_host_engine_can_not_run(context: Context) -> None:
    (context.cwd / "cache").write_text("a file where a folder must be")
    context.environ = {**context.environ, "STREAMDEV_CACHE": str(context.cwd / "cache")}
    code, out, _ = run(context, "doctor")
    assert code == ExitCode.FAILED
    assert "STREAMDEV_CACHE" in out


def test_doctor_warns_of_variables_that_lead_elsewhere(context: Context) -> None:
    context.environ = {
        **context.environ,
        "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.eu-west-1.amazonaws.com",
        "AWS_PROFILE": "production",
    }
    _, out, _ = run(context, "doctor")
    assert "AWS_ENDPOINT_URL_DYNAMODB" in out
    assert "AWS_PROFILE" in out
    assert 'eval "$(./dev.py env)"' in out


def test_doctor_tells_of_a_dead_engine(context: Context) -> None:
    RECORD.write(context.state.engine_record)
    _, out, _ = run(context, "doctor")
    assert "is gone" in out


def test_the_engine_started_here_is_the_one_in_force(context: Context) -> None:
    replace(RECORD, engine="compose").write(context.state.engine_record)
    assert choose(context).name == "compose"


def test_an_endpoint_means_the_external_engine(context: Context) -> None:
    context.settings.endpoint_url = "http://127.0.0.1:4566"
    assert choose(context).name == "external"


def test_an_endpoint_and_an_engine_of_ours_contradict_each_other(context: Context) -> None:
    context.settings.engine = "host"
    context.settings.endpoint_url = "http://127.0.0.1:4566"
    with pytest.raises(InvalidInputError, match="--endpoint-url"):
        choose(context)


def test_an_engine_that_is_asked_for_is_taken(context: Context) -> None:
    context.settings.engine = "host"
    assert choose(context).name == "host"


@pytest.mark.parametrize("value", ["soon", "0", "-5", "nan", "inf"])
def test_a_start_timeout_that_is_no_number_is_refused(context: Context, value: str) -> None:
    context.settings.engine = "host"
    context.environ = {**context.environ, "STREAMDEV_START_TIMEOUT": value}
    with pytest.raises(InvalidInputError, match=f"STREAMDEV_START_TIMEOUT is '{value}'"):
        _ = context.engine


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("mars", "For instance: STREAMDEV_REGION=eu-west-1"),
        ("us-east1", "Did you mean us-east-1?"),
        ("eu-west-9", "Did you mean eu-west-3?"),
        ("us-gov-west-1", "Did you mean us-west-1?"),
    ],
)
@pytest.mark.parametrize("command", ["up", "env", "scan"])
def test_a_region_that_aws_does_not_have_is_refused(
    in_the_repository: Context, command: str, region: str, hint: str
) -> None:
    context = in_the_repository
    context.environ = {**context.environ, "STREAMDEV_REGION": region}
    code, _, err = run(context, command, "--engine", "host")
    assert code == ExitCode.USAGE
    told = f"STREAMDEV_REGION is '{region}', which is no region of AWS's partition aws."
    assert err == f"Error: {told}\n{hint}\n"
    assert not context.state.root.exists()


@pytest.mark.parametrize(
    ("value", "region"),
    [("", "us-east-1"), ("us-east-1", "us-east-1"), ("mx-central-1", "mx-central-1")],
)
def test_another_region_is_taken(context: Context, value: str, region: str) -> None:
    assert region_of({**context.environ, "STREAMDEV_REGION": value}) == region


def test_progress_is_plain_lines_away_from_a_terminal() -> None:
    out = io.StringIO()
    with TerminalProgress(Console(file=out)) as progress:
        progress.step("Starting [it]")
        progress.note("A note")
        progress.download("DynamoDB Local", 0, 50_000_000)
        progress.download("DynamoDB Local", 20_000_000, 50_000_000)
        progress.download("DynamoDB Local", 50_000_000, 50_000_000)
        progress.download("DynamoDB Local", 50_000_000, 50_000_000)
    assert out.getvalue().splitlines() == [
        "Starting [it]",
        "A note",
        "DynamoDB Local: 0 of 50 MB",
        "DynamoDB Local: 50 of 50 MB",
    ]


def test_progress_on_a_terminal_takes_its_live_line_away() -> None:
    out = io.StringIO()
    with TerminalProgress(Console(file=out, force_terminal=True, width=80)) as progress:
        progress.step("Starting")
        progress.download("DynamoDB Local", 10, 100)
        progress.step("Going on")
        progress.note("This stays")
    assert "This stays" in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (600, "10 min"), (11_100, "3 h 05 min"), (187_200, "2 d 4 h")],
)
def test_durations_are_told_in_words(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_times_are_local_and_have_a_date_unless_it_is_today() -> None:
    now = datetime.now().astimezone()
    assert local_time(now.isoformat()) == now.strftime("%H:%M:%S")
    before = now - timedelta(days=40)
    assert local_time(before.isoformat()) == before.strftime("%Y-%m-%d %H:%M:%S")
    assert local_time(None) == "never"


@pytest.mark.parametrize(
    ("keys", "example"),
    [
        ({"key": "id:S"}, "./dev.py put-item id=123 name='John Doe'"),
        ({"key": "name:S", "sort-key": "at:N"}, "./dev.py put-item name=123 at=123"),
        ({"key": "the hash:B"}, "./dev.py put-item 'the hash'=MTIz name='John Doe'"),
    ],
)
def test_the_next_step_is_one_that_the_table_takes(keys: dict[str, str], example: str) -> None:
    declared = {"name": "Things", "stream": "NEW_IMAGE"} | keys
    assert put_example(Table.model_validate(declared)) == example


def test_status_of_an_engine_that_is_not_ready_does_not_say_that_it_is_empty(
    context: Context,
) -> None:
    engine = {
        "name": "host",
        "endpoint_url": "http://127.0.0.1:4566",
        "version": "4.14.0",
        "uptime_s": 600,
        "ready": False,
        "health": "DynamoDB Local is starting",
        "detail": {},
    }
    show(context, {"engine": engine, "tables": [], "functions": [], "mappings": []})
    assert isinstance(context.stdout, io.StringIO)
    shown = context.stdout.getvalue()
    assert "DynamoDB Local is starting" in shown
    assert "none" not in shown


def test_status_shows_where_each_mapping_stands(context: Context) -> None:
    show(
        context,
        {
            "engine": {
                "name": "host",
                "endpoint_url": "http://127.0.0.1:4566",
                "version": "4.14.0",
                "uptime_s": 600,
                "ready": True,
                "health": "DynamoDB Local is running",
                "detail": {"pid": "4711"},
            },
            "tables": [{"name": "Users", "items": 1234, "state": "ACTIVE", "stream_arn": "arn"}],
            "functions": [],
            "mappings": [
                {
                    "table": "Users",
                    "function": "on-user",
                    "state": "Enabled",
                    "handled": 10,
                    "failed": 2,
                    "backlog": 1234,
                    "last_invocation": None,
                    "last_result": "PROBLEM: Function call failed",
                }
            ],
        },
    )
    assert isinstance(context.stdout, io.StringIO)
    out = context.stdout.getvalue()
    assert "up for 10 min" in out
    assert "1,234" in out
    assert "Users → on-user" in out
    assert "Functions: none" in out
    assert "PROBLEM: Function call failed" in out


@contextmanager
def endpoint(answers: dict[str, tuple[int, Any]]) -> Iterator[str]:
    """A server that answers paths as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path, (404, None))
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


LOCALSTACK_OK = {"/_localstack/health": (200, {"version": "4.14.0"})}


@pytest.mark.parametrize(
    ("answers", "ready", "status"),
    [
        ({}, False, "LocalStack answers with status 404"),
        (LOCALSTACK_OK, False, "the plugins answer with status 404"),
        (
            LOCALSTACK_OK | {"/_streamdev/health": (200, {"dynamodb": "starting"})},
            False,
            "DynamoDB Local is starting",
        ),
        (
            LOCALSTACK_OK
            | {"/_streamdev/health": (200, {"dynamodb": "failed", "detail": "no Java"})},
            False,
            "DynamoDB Local is failed: no Java",
        ),
        (
            LOCALSTACK_OK | {"/_streamdev/health": (200, {"dynamodb": "running"})},
            True,
            "DynamoDB Local is running",
        ),
    ],
)
def test_health_tells_how_far_an_engine_is(
    answers: dict[str, tuple[int, Any]], ready: bool, status: str
) -> None:
    with endpoint(answers) as url:
        health = probe(url)
    assert (health.ready, health.status) == (ready, status)


def test_an_endpoint_where_nothing_listens_is_not_ready() -> None:
    with endpoint({}) as url:
        pass
    assert "does not answer yet" in probe(url).status


class Silent:
    def step(self, message: str) -> None: ...
    def download(self, what: str, done: int, total: int | None) -> None: ...
    def note(self, message: str) -> None: ...


@pytest.mark.parametrize(
    ("health", "ended", "words"),
    [
        (Health(False, "it naps"), None, "not ready after 0 s: it naps"),
        (Health(False, "no Java", failed=True), None, "did not come up: no Java"),
        (Health(False, "it naps"), "exit code 3", "ended while it started (exit code 3)"),
    ],
    ids=["too slow", "failed", "ended"],
)
def test_a_start_that_fails_shows_status_output_and_hint(
    health: Health, ended: str | None, words: str
) -> None:
    with pytest.raises(EngineStartError) as raised:
        wait_until_ready(
            lambda: health,
            alive=lambda: ended,
            recent_output=lambda: "The last lines of its log:\n  boom",
            timeout=0.1,
            progress=Silent(),
        )
    assert words in raised.value.message
    assert "boom" in raised.value.message
    assert raised.value.hint
