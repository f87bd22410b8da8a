"""What a command works with: terminal, options shared by all commands, project, engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

import click
from rich.console import Console

from streamdev.paths import StateDir

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway
    from streamdev.config.models import Project
    from streamdev.engine.base import Engine

CONFIG_NAME = "pipelines.toml"
PIPE_WIDTH = 240


#: What messages and examples call the command; ``dev.py`` of a checkout.
CHECKOUT_PROGRAM = "./dev.py"


def program_name(argv0: str) -> str:
    """What a user calls the command: ``streamdev`` where it is installed, else ``./dev.py``."""
    return "streamdev" if Path(argv0).stem == "streamdev" else CHECKOUT_PROGRAM


class _Console(Console):
    """Rich's, but for what it does when whoever read the output has gone: to exit with 1."""

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        raise BrokenPipeError


class _Renaming:
    """A stream for words that calls the command what its user calls it."""

    def __init__(self, stream: TextIO, program: str) -> None:
        self._stream = stream
        self._program = program

    def write(self, text: str) -> int:
        return self._stream.write(text.replace(CHECKOUT_PROGRAM, self._program))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@dataclass
class Settings:
    """The options every command takes (each also a ``STREAMDEV_...`` variable)."""

    config: Path | None = None
    engine: str = "auto"
    port: int | None = None
    endpoint_url: str | None = None
    allow_remote_endpoint: bool = False
    json: bool = False
    debug: bool = False
    color: bool | None = None


@dataclass
class Context:
    """Handed to every command: streams and environment come from here, never from globals.

    Data goes to ``stdout`` (``out``), progress and words for people to ``stderr`` (``err``).
    """

    settings: Settings = field(default_factory=Settings)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    stdin: TextIO = field(default_factory=lambda: sys.stdin)
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    cwd: Path = field(default_factory=Path.cwd)
    program: str = field(default_factory=lambda: program_name(sys.argv[0]))

    @cached_property
    def out(self) -> Console:
        """The console for data."""
        return self._console(self.stdout)

    @cached_property
    def err(self) -> Console:
        """The console for progress, notes and errors."""
        return self._console(self.words)

    @property
    def words(self) -> TextIO:
        """``stderr``, with the command called what its user calls it."""
        if self.program == CHECKOUT_PROGRAM:
            return self.stderr
        return cast(TextIO, _Renaming(self.stderr, self.program))

    def named(self, text: str) -> str:
        """Words for ``stdout`` with the command called what its user calls it."""
        return text.replace(CHECKOUT_PROGRAM, self.program)

    def _console(self, stream: TextIO) -> Console:
        color = self.settings.color
        no_color = color is False or (color is None and bool(self.environ.get("NO_COLOR")))
        # Into a pipe or a file nothing is wrapped to a terminal's width.
        width = None if stream.isatty() else PIPE_WIDTH
        return _Console(
            file=stream, no_color=no_color, highlight=False, soft_wrap=True, width=width
        )

    @cached_property
    def config_path(self) -> Path:
        """The pipelines.toml in force: the option's, else the nearest upwards from here."""
        if self.settings.config:
            return self.settings.config.resolve()
        for folder in (self.cwd, *self.cwd.parents):
            if (folder / CONFIG_NAME).is_file():
                return folder / CONFIG_NAME
        return self.cwd / CONFIG_NAME

    @cached_property
    def state(self) -> StateDir:
        """The project's ``.streamdev`` folder."""
        return StateDir.of_project(self.config_path.parent)

    @cached_property
    def project(self) -> Project:
        """The project, read and validated.

        Raises:
            InvalidInputError: pipelines.toml is missing or wrong.
        """
        from streamdev.config.load import load_project

        return load_project(self.config_path)

    def forget_project(self) -> None:
        """Have pipelines.toml read again: it was edited."""
        self.__dict__.pop("project", None)

    @cached_property
    def engine(self) -> Engine:
        """The engine in force: the running one's kind, else by option, else by choice."""
        from streamdev.cli.engines import choose_engine

        return choose_engine(self)

    @cached_property
    def gateway(self) -> Gateway:
        """The AWS gateway of the running engine.

        Raises:
            EngineNotRunningError: None runs.
            InvalidInputError: ``STREAMDEV_REGION`` is no region.
        """
        from streamdev.aws.gateway import Gateway
        from streamdev.cli.engines import region_of
        from streamdev.engine.base import require

        return Gateway(
            require(self.engine).endpoint_url,
            region=region_of(self.environ),
            allow_remote=self.settings.allow_remote_endpoint,
        )

    def print_json(self, value: Any) -> None:
        """One JSON document on ``stdout``, on one line; flushed, so that pipes see it."""
        import json

        click.echo(json.dumps(value, ensure_ascii=False, default=str), file=self.stdout)
        self.stdout.flush()


pass_context = click.make_pass_decorator(Context)
