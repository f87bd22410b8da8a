"""init: what a new project begins with, and that nothing of the user's is written over."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from streamdev.cli.context import Context, program_name
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.item_input import parse_item
from streamdev.cli.main import run
from streamdev.config.load import load_project
from streamdev.config.schema import schema_text
from streamdev.deploy.sources import check_syntax, source_files
from streamdev.engine.compose_files import compose_file
from streamdev.semantics.items import KeySchema

FILES = {
    ".gitignore",
    "Makefile",
    "docker-compose.yml",
    "lambda_src/orders/handler.py",
    "pipelines.schema.json",
    "pipelines.toml",
    "samples/orders.jsonl",
    "tests/test_orders.py",
}


def init(cwd: Path, *args: str, program: str = "streamdev") -> tuple[int, str, str]:
    """Run init in a folder; its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    context = Context(
        environ={}, stdin=io.StringIO(), stdout=out, stderr=err, cwd=cwd, program=program
    )
    return run(["init", *args], context), out.getvalue(), err.getvalue()


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_new_project_is_whole_and_valid(tmp_path: Path) -> None:
    code, out, err = init(tmp_path, "my-project")
    assert (code, out) == (ExitCode.OK, "")
    assert "cd my-project && streamdev up" in err
    root = tmp_path / "my-project"
    assert files_in(root) == FILES

    project = load_project(root / "pipelines.toml")
    (pipeline,) = project.pipelines.values()
    check_syntax(source_files(pipeline.function.source))
    schema = KeySchema(tuple((key.name, key.type) for key in pipeline.table.keys))
    assert pipeline.seed is not None
    assert [parse_item(line, schema) for line in pipeline.seed.read_text().splitlines()]
    assert compose_file(root) == root / "docker-compose.yml"
    assert (root / "pipelines.schema.json").read_text() == schema_text()
    assert "#:schema ./pipelines.schema.json" in (root / "pipelines.toml").read_text()


def test_nothing_in_it_speaks_of_a_checkout(tmp_path: Path) -> None:
    init(tmp_path)
    for path in (tmp_path / name for name in FILES):
        text = path.read_text(encoding="utf-8")
        for word in ("dev.py", "docs/", "make image", "- ./streamdev"):
            assert word not in text, f"{path.name}: {word}"
    compose = (tmp_path / "docker-compose.yml").read_text()
    assert compose.count("- ./.streamdev/plugins/streamdev") == 2


def test_what_is_there_is_not_written_over_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("mine\n")
    (tmp_path / ".gitignore").write_text("mine\n")
    code, out, err = init(tmp_path)
    assert (code, out) == (ExitCode.USAGE, "")
    assert "There is already Makefile in" in err
    assert len(err.strip().splitlines()) == 2
    assert files_in(tmp_path) == {"Makefile", ".gitignore"}

    code, out, err = init(tmp_path, "--force", "--json")
    assert code == ExitCode.OK
    assert json.loads(out) == {"folder": str(tmp_path), "files": sorted(FILES)}
    assert err == ""
    assert (tmp_path / "Makefile").read_text() != "mine\n"


def test_a_gitignore_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine\n")
    code, _, err = init(tmp_path)
    assert code == ExitCode.OK
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert "add .streamdev/ to .gitignore" in err


def test_a_folder_that_can_not_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in ("file", "file/below"):
        code, _, err = init(tmp_path, folder)
        assert code == ExitCode.USAGE
        assert "can't be written" in err
        assert "Traceback" not in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    code, _, err = init(tmp_path)
    assert code == ExitCode.USAGE
    assert "can't be written: Permission denied" in err


def test_the_command_is_called_what_its_user_calls_it(tmp_path: Path) -> None:
    assert program_name("/usr/bin/streamdev") == "streamdev"
    assert program_name("streamdev.exe") == "streamdev"
    assert program_name("/x/streamdev/cli/main.py") == "./dev.py"
    assert "./dev.py up" in init(tmp_path, "a", program="./dev.py")[2]
    assert "dev.py" not in init(tmp_path, "b")[2]
    assert init(tmp_path, "--frce")[2].startswith("Usage: streamdev init ")


def test_the_schema_is_printed(tmp_path: Path) -> None:
    out = io.StringIO()
    context = Context(environ={}, stdout=out, stderr=io.StringIO(), cwd=tmp_path)
    assert run(["schema"], context) == ExitCode.OK
    assert out.getvalue() == schema_text()
