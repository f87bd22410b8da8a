"""The command line's root: finds commands, turns errors into words and exit codes."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from inspect import cleandoc
from types import FrameType
from typing import Any, NoReturn

import click
from rich.text import Text

from streamdev import __version__
from streamdev.cli.context import CHECKOUT_PROGRAM, Context, program_name
from streamdev.cli.exit_codes import ExitCode, exit_code_of
from streamdev.cli.options import common_options
from streamdev.errors import StreamdevError

# Each command and its module, in the order in which help shows them.
_COMMANDS = {
    "up": "lifecycle",
    "down": "lifecycle",
    "reset": "lifecycle",
    "status": "status",
    "deploy": "deploy",
    "export": "export",
    "import": "import_sam",
    "plan-capacity": "capacity",
    "watch": "watch",
    "debug": "debug",
    "put-item": "items",
    "get-item": "items",
    "update-item": "items",
    "delete-item": "items",
    "scan": "items",
    "load": "load",
    "seed": "load",
    "request": "request",
    "ttl": "ttl",
    "logs": "logs",
    "why": "why",
    "filter": "filters",
    "stream": "stream",
    "notifications": "notifications",
    "metrics": "metrics",
    "invoke": "invoke",
    "record": "record",
    "replay": "replay",
    "chaos": "chaos",
    "verify": "verify",
    "dlq": "dead_letters",
    "snapshot": "snapshot",
    "env": "environment",
    "doctor": "doctor",
    "init": "init",
    "schema": "init",
}


class OutputClosedError(Exception):
    """Whoever read the output has gone, as ``head`` does."""


class Commands(click.Group):
    """The commands of all modules; a module is imported when one of its commands is asked for.

    All of them together cost a command more time than most need for their work.
    """

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the command line, which may print help.

        Raises:
            OutputClosedError: Of an error that is an ``OSError`` Click makes exit code 1.
        """
        try:
            return super().make_context(*args, **options)
        except BrokenPipeError as error:
            raise OutputClosedError from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; raises what `make_context` does."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise OutputClosedError from error

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """All names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            module = import_module(f"streamdev.cli.{_COMMANDS[cmd_name]}")
            command: click.Command = next(one for one in module.COMMANDS if one.name == cmd_name)
            command.help = verbatim_examples(command.help)
            for inner in command.commands.values() if isinstance(command, click.Group) else ():
                inner.help = verbatim_examples(inner.help)
            self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a wrong name gets the nearest right one."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            from difflib import get_close_matches

            near = get_close_matches(name, self.list_commands(ctx), n=1)
            did_you_mean = f" Did you mean {near[0]}?" if near else ""
            ctx.fail(f"There is no command '{name}'.{did_you_mean}")
        return super().resolve_command(ctx, args)


def verbatim_examples(text: str | None) -> str | None:
    """Keep the line breaks of a help text's ``Example:`` or ``Examples:`` block.

    Click wraps paragraphs, unless they begin with a line that holds a backspace character. The
    command is called as its user calls it.
    """
    if text is None or "\b" in text:
        return text
    text = cleandoc(text).replace(CHECKOUT_PROGRAM, program_name(sys.argv[0]))
    words, colon, examples = text.partition("\nExamples:\n")
    if not colon:
        words, colon, examples = text.partition("\nExample:\n")
    if not colon:
        return text
    return f"{words}\n\b{colon}" + examples.replace("\n\n", "\n\n\b\n")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="streamdev", message="%(prog)s %(version)s")
@common_options
def cli() -> None:
    """DynamoDB Streams and Python Lambda on your own machine.

    The common options can stand before or after the command's name. Each is also an
    environment variable, for instance STREAMDEV_PORT.

    Examples:
      ./dev.py up
      ./dev.py put-item id=123 name="John Doe"
      ./dev.py logs -f
    """


def run(args: Sequence[str] | None = None, context: Context | None = None) -> int:
    """Run one command line and return its exit code; errors are shown on ``stderr``.

    Args:
        args: The arguments; default: those of this process.
        context: Streams, environment and folder to work with; default: this process's.
    """
    context = context or Context()
    cli.help = verbatim_examples(cli.help)
    try:
        result = cli.main(
            args=None if args is None else list(args),
            prog_name=context.program.removeprefix("./"),
            obj=context,
            standalone_mode=False,
        )
    except click.Abort:
        context.err.print("Interrupted.")
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show(file=context.words)
        return ExitCode.USAGE if error.exit_code == ExitCode.USAGE else ExitCode.FAILED
    except StreamdevError as error:
        _show(context, error.message, error.hint)
        return exit_code_of(error)
    except OutputClosedError:
        return ExitCode.PIPE_CLOSED
    except Exception as error:
        # The last resort: a person gets a line, and --debug gets the rest.
        _show(
            context,
            f"{type(error).__name__}: {error}",
            None if context.settings.debug else "See where it comes from: add --debug",
        )
        return ExitCode.FAILED
    return result if isinstance(result, int) else ExitCode.OK


def _show(context: Context, message: str, hint: str | None) -> None:
    if context.settings.debug:
        traceback.print_exc(file=context.stderr)
    context.err.print(Text.assemble(("Error: ", "bold red"), message))
    if hint:
        context.err.print(Text(hint, style="dim"))


def _terminated(number: int, _frame: FrameType | None) -> NoReturn:
    # As an exception, so that whatever is half-made is cleaned up on the way out.
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """Run this process's command line and end with its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminated)
    code = run()
    if code == ExitCode.PIPE_CLOSED:
        # What is left of the output would be an error again when it is flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
