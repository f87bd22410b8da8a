"""Writes the reference part of docs/cli.md from the commands' own help.

python -m scripts.cli_reference           write it
python -m scripts.cli_reference --check   exit with 1 if it is not up to date
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.main import cli

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
BEGIN = "<!-- What follows is written by scripts/cli_reference.py; change the commands instead. -->"

EXIT_CODES = {
    ExitCode.OK: "Done.",
    ExitCode.FAILED: "It failed: a handler failed, a line was refused, or none of the codes below.",
    ExitCode.USAGE: "What was typed, or pipelines.toml, can't be used. Nothing was changed.",
    ExitCode.ENGINE_NOT_RUNNING: "The engine is not running, or died.",
    ExitCode.ENGINE_START_FAILED: "The engine could not be started; nothing of it is left running.",
    ExitCode.DEPLOY_FAILED: "What pipelines.toml asks for could not be brought about.",
    ExitCode.NOT_FOUND: "The item, table, function or pipeline does not exist.",
    ExitCode.TIMED_OUT: "It did not happen within the time given.",
    ExitCode.INTERRUPTED: "Interrupted by Ctrl-C.",
    ExitCode.PIPE_CLOSED: "Whoever read the output closed it, as `head` does.",
}


def commands() -> dict[str, click.Command]:
    """Every command by its full name (``put-item``, ``dlq ls``), in help's order."""
    return dict(_commands_of(cli, ""))


def _commands_of(group: click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        if isinstance(command, click.Group):
            yield from _commands_of(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def common_options() -> list[click.Option]:
    """The options every command takes."""
    skip = {"help", "version"}
    return [
        option
        for option in cli.params
        if isinstance(option, click.Option) and option.name not in skip
    ]


def own_options(command: click.Command) -> list[click.Option]:
    """The options a command has besides the common ones."""
    common = {option.name for option in common_options()}
    return [
        option
        for option in command.params
        if isinstance(option, click.Option) and option.name not in common
    ]


def help_parts(command: click.Command) -> tuple[list[str], list[str]]:
    """A command's help as paragraphs, and the lines of its examples."""
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    words, _, examples = text.replace("Example:\n", "Examples:\n").partition("Examples:\n")
    paragraphs = [" ".join(part.split()) for part in words.split("\n\n") if part.strip()]
    return paragraphs, [line.strip() for line in examples.splitlines() if line.strip()]


def reference() -> str:
    """The generated part of the document."""
    blocks = [BEGIN, "## All commands", _summary(), "## Options of every command"]
    blocks.append("They can stand before or after the command's name.")
    blocks.append(_options(common_options()))
    blocks += ["## Exit codes", _exit_codes()]
    for name, command in commands().items():
        blocks += _command(name, command)
    return "\n\n".join(blocks) + "\n"


def _summary() -> str:
    rows = ["| command | what it does |", "|---|---|"]
    for name, command in commands().items():
        words = help_parts(command)[0][0]
        rows.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(words)} |")
    return "\n".join(rows)


def _exit_codes() -> str:
    rows = ["| code | name | meaning |", "|---|---|---|"]
    rows += [f"| {code.value} | `{code.name}` | {EXIT_CODES[code]} |" for code in ExitCode]
    return "\n".join(rows)


def _command(name: str, command: click.Command) -> list[str]:
    paragraphs, examples = help_parts(command)
    usage = " ".join(command.collect_usage_pieces(click.Context(command, info_name=name)))
    blocks = [f"## {name}", f"```\n./dev.py {name} {usage}\n```", *paragraphs]
    if options := own_options(command):
        blocks.append(_options(options))
    return [*blocks, "```sh\n" + "\n".join(examples) + "\n```"]


def _options(options: list[click.Option]) -> str:
    rows = ["| option | variable | meaning |", "|---|---|---|"]
    for option in options:
        names = ", ".join(option.opts + option.secondary_opts)
        metavar = "" if option.is_flag else f" {_metavar(option)}"
        variable = f"`{option.envvar}`" if option.envvar else ""
        meaning = option.help or ""
        if option.show_default and option.default is not None:
            meaning = f"{meaning.rstrip('.')} (default: {option.default:g})."
        rows.append(f"| `{_cell(names + metavar)}` | {variable} | {_cell(meaning)} |")
    return "\n".join(rows)


def _metavar(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    if isinstance(option.type, click.Choice):
        return "|".join(str(choice) for choice in option.type.choices)
    return option.type.name.upper().removesuffix(" RANGE")


def _cell(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")


def main() -> int:
    """Write or check the document; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check: bool = parser.parse_args().check
    present = DOCUMENT.read_text(encoding="utf-8")
    wanted = present.partition(BEGIN)[0] + reference()
    if present == wanted:
        return 0
    if check:
        print("docs/cli.md is not up to date: python -m scripts.cli_reference", file=sys.stderr)
        return 1
    DOCUMENT.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
