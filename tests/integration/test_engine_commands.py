"""status, doctor, env and the exit codes, with an engine that runs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.support.project import COMMAND, Project, eventually, pipeline, unique


def mapping_of(project: Project, table: str) -> dict[str, Any]:
    document = project.run("status", "--json").json()
    found: dict[str, Any] = next(m for m in document["mappings"] if m["table"] == table)
    return found


def test_status_tells_engine_tables_functions_and_mappings(project: Project) -> None:
    document = project.run("status", "--json").json()

    engine = document["engine"]
    assert engine["running"]
    assert engine["ready"]
    assert engine["endpoint_url"] == project.endpoint
    assert engine["version"] in ("4.14.0", "4.7.0")
    assert "UserProfileTable" in [table["name"] for table in document["tables"]]
    function = next(f for f in document["functions"] if f["name"] == "user-profile")
    assert (function["state"], function["update"]) == ("Active", "Successful")
    assert mapping_of(project, "UserProfileTable")["state"] == "Enabled"


def test_status_counts_items_and_handled_records(project: Project) -> None:
    name = unique("Counted")
    project.write_handler(name, "def lambda_handler(event, context):\n    return None\n")
    config = project.write_pipelines(pipeline(name, table=name, source=name), name=f"{name}.toml")
    project.run("deploy", name, "--config", str(config))
    for number in range(3):
        project.client("dynamodb").put_item(TableName=name, Item={"id": {"S": str(number)}})

    eventually(lambda: mapping_of(project, name)["handled"] == 3, what="3 records are handled")

    mapping = mapping_of(project, name)
    assert mapping["backlog"] == 0
    assert mapping["failed"] == 0
    assert mapping["last_invocation"]
    tables = project.run("status", "--json").json()["tables"]
    assert next(table for table in tables if table["name"] == name)["items"] == 3


def test_status_for_people(project: Project) -> None:
    shown = project.run("status").stdout
    assert f"Engine {project.engine} at {project.endpoint}" in shown
    assert "UserProfileTable → user-profile" in shown
    assert "\x1b" not in shown


def test_env_points_a_plain_sdk_at_the_engine(project: Project) -> None:
    """As ``eval "$(./dev.py env)"`` in a shell whose variables lead to a real account."""
    command = " ".join(f"'{part}'" for part in COMMAND)
    client = (
        "import botocore.session; "
        "client = botocore.session.get_session().create_client('dynamodb'); "
        "print(client.meta.endpoint_url, client.list_tables()['TableNames'])"
    )
    ended = subprocess.run(
        ["sh", "-c", f'eval "$({command} env)" && exec "$0" -c "$1"', sys.executable, client],
        cwd=project.root,
        env=project.environ | {"AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "real"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(project.endpoint)
    assert "UserProfileTable" in ended.stdout


def test_env_as_json_is_what_a_tool_needs(project: Project) -> None:
    variables = project.run("env", "--json").json()
    assert variables["AWS_ENDPOINT_URL"] == project.endpoint
    assert variables["AWS_ACCESS_KEY_ID"] == "test"


def test_doctor_with_a_running_engine(project: Project) -> None:
    found = {finding["name"]: finding for finding in project.run("doctor", "--json").json()}
    assert found["Engine"]["state"] == "ok"
    assert project.endpoint in found["Engine"]["found"]
    assert found["LocalStack"]["found"].startswith("installed")
    assert found["pipelines.toml"]["state"] == "ok"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("stauts",), 2, "Did you mean status?"),
        (("scan", "--engine", "external", "--endpoint-url", "https://aws.example"), 2, "--allow"),
        (("scan", "--endpoint-url", "http://127.0.0.1:1"), 2, "--engine external"),
        (("deploy", "user-profil"), 2, "user-profile"),
        (("up", "--config", "missing.toml"), 2, "missing.toml"),
        (("get-item", "--table", "NoSuchTable", "id=1"), 6, "NoSuchTable"),
    ],
    ids=[
        "command",
        "remote endpoint",
        "endpoint of another engine",
        "pipeline",
        "config",
        "table",
    ],
)
def test_bad_input_gets_a_message_a_hint_and_its_exit_code(
    project: Project, args: tuple[str, ...], code: int, words: str
) -> None:
    ended = project.run(*args, check=False)
    assert ended.exit_code == code, ended
    assert words in ended.stderr, ended
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) <= 4


def test_an_engine_of_another_kind_is_refused_while_one_runs(project: Project) -> None:
    other = "host" if project.engine == "compose" else "compose"
    ended = project.run("up", "--engine", other, check=False)
    assert ended.exit_code == 2, ended
    assert f"./dev.py down --engine {project.engine}" in ended.stderr


def test_invalid_toml_is_told_with_file_and_line(own_project: Project) -> None:
    own_project.write_pipelines("[pipelines.things]\ntable = {\n")
    ended = own_project.run("up", check=False)
    assert ended.exit_code == 2
    assert "pipelines.toml:2" in ended.stderr
    assert not own_project.state.root.exists()


@pytest.mark.parametrize("command", [("put-item", "id=1"), ("logs",), ("reset",), ("deploy",)])
def test_a_command_that_needs_the_engine_says_how_to_start_it(
    own_project: Project, command: tuple[str, ...]
) -> None:
    ended = own_project.run(*command, check=False)
    assert ended.exit_code == 3, ended
    assert "./dev.py up" in ended.stderr


def test_a_plan_needs_no_engine_and_starts_none(own_project: Project) -> None:
    planned = own_project.run("up", "--plan")
    assert "would be started" in planned.stderr
    assert "Things" in planned.stderr
    assert own_project.processes() == []
    assert not own_project.state.engine_record.exists()
