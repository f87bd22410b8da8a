"""The options all commands share, as decorators."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from streamdev.cli.context import Context
from streamdev.errors import InvalidInputError

F = TypeVar("F", bound=Callable[..., Any])

ENGINES = ("auto", "host", "compose", "external")


def _store(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Put a common option's value into the context's settings.

    The same options are on the root group and on each command. What was typed after the
    command's name counts more than what was typed before it, and both more than a variable.
    """
    source = ctx.get_parameter_source(param.name or "")
    if value is None or source is ParameterSource.DEFAULT:
        return
    if source is ParameterSource.ENVIRONMENT and ctx.parent is not None and ctx.parent.obj:
        return  # the root has read it
    setattr(ctx.ensure_object(Context).settings, param.name or "", value)
    if param.name == "debug" and value:
        logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
        logging.getLogger("streamdev").setLevel(logging.DEBUG)


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_store, default=None, **attributes)


_COMMON: tuple[Callable[[Any], Any], ...] = (
    _option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        envvar="STREAMDEV_CONFIG",
        help="The pipelines.toml to use (default: the nearest one upwards from here).",
    ),
    _option(
        "--engine",
        type=click.Choice(ENGINES),
        envvar="STREAMDEV_ENGINE",
        help="How LocalStack runs (default: auto).",
    ),
    _option(
        "--port",
        type=click.IntRange(1, 65535),
        envvar="STREAMDEV_PORT",
        help="The engine's port on 127.0.0.1 (default: 4566).",
    ),
    _option(
        "--endpoint-url",
        envvar="STREAMDEV_ENDPOINT_URL",
        metavar="URL",
        help="An endpoint that runs already (the external engine).",
    ),
    _option(
        "--allow-remote-endpoint",
        is_flag=True,
        flag_value=True,
        envvar="STREAMDEV_ALLOW_REMOTE_ENDPOINT",
        help="Accept an endpoint that is not on this machine.",
    ),
    _option(
        "--json",
        is_flag=True,
        flag_value=True,
        envvar="STREAMDEV_JSON",
        help="Show data as JSON.",
    ),
    _option(
        "--debug",
        is_flag=True,
        flag_value=True,
        envvar="STREAMDEV_DEBUG",
        help="Show where an error came from.",
    ),
    _option(
        "--color/--no-color",
        envvar="STREAMDEV_COLOR",
        help="Colors, or none (default: on a terminal, unless NO_COLOR is set).",
    ),
)


def common_options(function: F) -> F:
    """Give a command the options that every command takes; they end up in ``Context.settings``."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


def complete_pipelines(ctx: click.Context, _param: click.Parameter, begun: str) -> list[str]:
    """The names of pipelines.toml's pipelines that begin so, for the shell's completion."""
    try:
        return [
            name for name in ctx.ensure_object(Context).project.pipelines if name.startswith(begun)
        ]
    except InvalidInputError:
        return []


def pipeline_option(function: F) -> F:
    """Give a command ``-p/--pipeline NAME``, passed as ``pipeline`` (``None``: the first)."""
    decorate = click.option(
        "-p",
        "--pipeline",
        metavar="NAME",
        envvar="STREAMDEV_PIPELINE",
        shell_complete=complete_pipelines,
        help="Which pipeline (default: the only one, else the first).",
    )
    return decorate(function)
