"""The external engine, against an emulator that streamdev knows nothing of: MiniStack."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamdev.engine.environment import tool_environment
from streamdev.engine.readiness import get_json
from tests.support.ports import free_port
from tests.support.programs import Notes
from tests.support.project import Project, create_project, eventually

HANDLER = """
def lambda_handler(event, context):
    for record in event["Records"]:
        print("handled", record["eventName"], record["dynamodb"]["Keys"]["id"]["S"])
"""


def _answers(endpoint: str) -> bool:
    try:
        return get_json(endpoint, "/_localstack/health")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of a MiniStack from its own locked environment."""

    root = tool_environment("ministack", Notes())
    folder, port = tmp_path_factory.mktemp("ministack"), free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [root / "bin" / "ministack"],
            env={**os.environ, "GATEWAY_PORT": str(port)},
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: _answers(endpoint), what=(folder / "log").read_text())
        yield endpoint
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture
def external(ministack: str, tmp_path: Path) -> Project:
    """A project that works with it, with a table and a function of its own."""
    project = create_project(tmp_path / "project", int(ministack.rpartition(":")[2]), "external")
    project.environ["STREAMDEV_ENDPOINT_URL"] = ministack
    project.write_handler("orders", HANDLER)
    project.write_pipelines(
        "[pipelines.orders]\n"
        'table = { name = "Orders", key = "id:S", stream = "NEW_AND_OLD_IMAGES" }\n'
        'function = { source = "lambda_src/orders", runtime = "python3.12",'
        ' handler = "handler.lambda_handler" }\n'
        'mapping = { batch-size = 1, starting-position = "TRIM_HORIZON" }\n'
    )
    return project


def test_deploy_items_status_and_logs_work_with_an_endpoint_that_runs_already(
    external: Project,
) -> None:
    up = external.run("up")
    assert "streamdev did not start" in up.stderr
    assert "Nothing to change" in external.run("deploy").stderr

    external.run("put-item", "id=1", "name=Ann")
    assert external.run("get-item", "id=1", "--json").json()["name"] == "Ann"
    external.run("update-item", "id=1", "name=Bob")
    external.run("delete-item", "id=1")

    status = external.run("status", "--json").json()
    assert status["engine"]["name"] == "external"
    assert status["engine"]["version"] is None
    assert "1." in status["engine"]["detail"]["says of itself"]
    assert [table["name"] for table in status["tables"]] == ["Orders"]

    def printed() -> str:
        return external.run("logs").stdout

    eventually(lambda: "handled REMOVE 1" in printed(), timeout=90, interval=1)
    told = printed()
    assert told.index("handled INSERT 1") < told.index("handled MODIFY 1")
    raw = external.run("stream", "tail", "--json").json_lines()
    assert [record["eventName"] for record in raw] == ["INSERT", "MODIFY", "REMOVE"]
    assert {record["dynamodb"]["Keys"]["id"]["S"] for record in raw} == {"1"}


def test_what_needs_the_plugins_says_so_in_a_line(external: Project) -> None:
    external.run("up")
    waited = external.run("put-item", "id=2", "--wait", check=False)
    assert waited.exit_code == 2
    assert "--wait needs an engine with streamdev's plugins" in waited.stderr
    assert "CloudWatch Logs" in external.run("logs").stderr


def test_it_is_not_stopped_by_who_did_not_start_it(external: Project, ministack: str) -> None:
    ended = external.run("down", check=False)
    assert ended.exit_code == 2
    assert f"{ministack} was not started by streamdev" in ended.stderr
    assert _answers(ministack)


def test_an_endpoint_alone_means_the_external_engine(external: Project, ministack: str) -> None:
    external.environ["STREAMDEV_ENGINE"] = "auto"
    assert external.run("status", "--json").json()["engine"]["name"] == "external"


def test_an_endpoint_where_nothing_answers_is_named(external: Project) -> None:
    external.environ["STREAMDEV_ENDPOINT_URL"] = "http://127.0.0.1:1"
    for command, code in (("up", 4), ("status", 3), ("scan", 3)):
        ended = external.run(command, check=False)
        assert ended.exit_code == code, ended
        assert "Nothing answers at http://127.0.0.1:1" in ended.stderr


def test_without_an_endpoint_it_asks_for_one(external: Project) -> None:
    del external.environ["STREAMDEV_ENDPOINT_URL"]
    ended = external.run("status", check=False)
    assert ended.exit_code == 2
    assert "--endpoint-url http://" in ended.stderr


def test_a_remote_endpoint_needs_a_word_more(external: Project) -> None:
    external.environ["STREAMDEV_ENDPOINT_URL"] = "https://dynamodb.us-east-1.amazonaws.com"
    ended = external.run("up", check=False)
    assert ended.exit_code == 2
    assert "--allow-remote-endpoint" in ended.stderr
