"""The command line's root: common options, errors, exit codes, help."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import click
import pytest

from streamdev import errors
from streamdev.cli import main
from streamdev.cli.context import Context, Settings, pass_context
from streamdev.cli.exit_codes import ExitCode, exit_code_of
from streamdev.cli.options import common_options, pipeline_option

PROBE_ERRORS: dict[str, Callable[[], None]] = {}


@click.command()
@click.argument("what", default="")
@pipeline_option
@common_options
@pass_context
def probe(ctx: Context, what: str, pipeline: str | None) -> None:
    """A command that tells what reached it, or fails.

    Examples:
      dev.py probe
      dev.py probe broken
    """
    if what:
        PROBE_ERRORS[what]()
    ctx.print_json({"pipeline": pipeline, **vars(ctx.settings)})


@pytest.fixture(autouse=True)
def with_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    probe.help = main.verbatim_examples(probe.help)
    monkeypatch.setitem(main.cli.commands, "probe", probe)
    for name in list(os.environ):
        if name.startswith("STREAMDEV_"):
            monkeypatch.delenv(name)


def run(*args: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main.run(args, Context(environ={}, stdout=out, stderr=err))
    return code, out.getvalue(), err.getvalue()


def settings_of(*args: str) -> Settings:
    context = Context(environ={}, stdout=io.StringIO(), stderr=io.StringIO())
    assert main.run(args, context) == 0
    return context.settings


@pytest.mark.parametrize(
    "args",
    [
        ("probe", "--json", "--port", "4567", "--engine", "host", "--no-color"),
        ("--json", "--port", "4567", "--engine", "host", "--no-color", "probe"),
        ("--json", "--port", "1", "--no-color", "probe", "--port", "4567", "--engine", "host"),
    ],
    ids=["after", "before", "both: after wins"],
)
def test_common_options_stand_before_or_after_the_command(args: tuple[str, ...]) -> None:
    assert settings_of(*args) == Settings(engine="host", port=4567, json=True, color=False)


def test_without_options_the_defaults_hold() -> None:
    assert settings_of("probe") == Settings()


def test_variables_set_options_and_what_is_typed_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMDEV_PORT", "5000")
    monkeypatch.setenv("STREAMDEV_ENGINE", "host")
    monkeypatch.setenv("STREAMDEV_JSON", "1")
    assert settings_of("probe") == Settings(engine="host", port=5000, json=True)
    assert settings_of("probe", "--port", "1").port == 1
    assert settings_of("--port", "1", "probe").port == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidInputError, ExitCode.USAGE),
        (errors.EngineNotRunningError, ExitCode.ENGINE_NOT_RUNNING),
        (errors.EngineStartError, ExitCode.ENGINE_START_FAILED),
        (errors.DeployError, ExitCode.DEPLOY_FAILED),
        (errors.NotFoundError, ExitCode.NOT_FOUND),
        (errors.TimedOutError, ExitCode.TIMED_OUT),
        (errors.StreamdevError, ExitCode.FAILED),
    ],
)
def test_each_error_ends_in_its_exit_code_with_message_and_hint(
    error: type[errors.StreamdevError], code: ExitCode
) -> None:
    def fail() -> None:
        raise error("It is [broken].", hint="Mend it.")

    PROBE_ERRORS["fail"] = fail
    assert run("probe", "fail") == (code, "", "Error: It is [broken].\nMend it.\n")
    assert exit_code_of(error("x")) == code


def test_an_unforeseen_error_is_one_line_and_debug_shows_where() -> None:
    def fail() -> None:
        raise ZeroDivisionError("by nothing")

    PROBE_ERRORS["fail"] = fail
    code, _, err = run("probe", "fail")
    assert code == ExitCode.FAILED
    assert err.splitlines()[0] == "Error: ZeroDivisionError: by nothing"
    assert "Traceback" not in err
    assert "Traceback" in run("probe", "fail", "--debug")[2]


def test_ctrl_c_ends_in_130() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    PROBE_ERRORS["interrupt"] = interrupt
    code, _, err = run("probe", "interrupt")
    assert code == ExitCode.INTERRUPTED
    assert err.strip() == "Interrupted."


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("stauts",), "Did you mean status?"),
        (("nonsense-without-neighbours",), "There is no command"),
        (("probe", "--port", "many"), "many"),
        (("probe", "--port", "70000"), "70000"),
        (("probe", "--engine", "podman"), "podman"),
        (("probe", "--unknown"), "--unknown"),
    ],
)
def test_wrong_usage_ends_in_2(args: tuple[str, ...], words: str) -> None:
    code, _, err = run(*args)
    assert code == ExitCode.USAGE
    assert words in err


def test_ctrl_c_while_the_command_line_is_loaded_ends_it_without_a_stack_trace(
    tmp_path: Path,
) -> None:
    (tmp_path / "click.py").write_text(
        "import signal, sys; sys.stdout.write('loading\\n'); sys.stdout.flush(); signal.pause()"
    )
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "streamdev.cli", "--help"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (-signal.SIGINT, "")


def test_examples_in_help_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run("probe", "--help")
    assert code == 0
    assert "    dev.py probe\n    dev.py probe broken\n" in capsys.readouterr().out


def test_every_command_has_help_with_an_example() -> None:
    context = click.Context(main.cli)
    for name in main.cli.list_commands(context):
        command = main.cli.get_command(context, name)
        assert command, name
        assert command.help, name
        assert "Example" in command.help, f"{name} shows no example"


def test_no_command_of_a_module_is_left_out() -> None:
    modules = {path.stem for path in Path(main.__file__).parent.glob("*.py")}
    named = [
        command.name
        for module in sorted(modules - {"__main__"})
        for command in getattr(import_module(f"streamdev.cli.{module}"), "COMMANDS", ())
    ]
    assert sorted(named) == sorted(main.cli.list_commands(click.Context(main.cli)))


@pytest.mark.parametrize("command", ["--help", "doctor", "doctor --json", "schema"])
def test_a_reader_that_went_away_ends_it_quietly_as_other_tools(
    command: str, tmp_path: Path
) -> None:
    """``dev.py --help | head -1``, with the reader gone before the first line."""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "streamdev.cli", *command.split()],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


def test_help_imports_nothing_heavy() -> None:
    """boto3 and pydantic take longer to import than all the rest."""
    code = (
        "import sys; from streamdev.cli.main import run; run(['--help']); "
        "print(sorted({'boto3', 'botocore.session', 'pydantic', 'docker'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("dev.py put-", "plain,put-item"),
        ("dev.py stream t", "plain,tail"),
        ("dev.py scan -p a", "plain,async-request"),
        ("dev.py --config nowhere.toml scan -p a", ""),
        ("dev.py deploy u", "plain,user-profile"),
    ],
)
def test_the_shell_completes_commands_and_pipelines(words: str, expected: str) -> None:
    told = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "streamdev.cli"],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | told | {"_DEV_PY_COMPLETE": "bash_complete"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.stdout.strip(), ended.stderr) == (expected, "")
