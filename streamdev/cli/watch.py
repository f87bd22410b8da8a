"""watch: an edit runs as soon as it is saved."""

from __future__ import annotations

import threading

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.deploy import deploy_project
from streamdev.cli.following import Following, ended_by_ctrl_c, how_it_ended
from streamdev.cli.options import common_options
from streamdev.cli.reloading import Reloader
from streamdev.cli.spares import Spares
from streamdev.engine.base import require
from streamdev.errors import InvalidInputError


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--replay", is_flag=True, help="Send the last batch through the new code.")
@common_options
@pass_context
def watch(ctx: Context, names: tuple[str, ...], replay: bool) -> int:
    """Have each edit of a handler run as soon as it is saved, until Ctrl-C.

    Watched are the handlers' folders with their requirements.txt, and pipelines.toml. Only what
    changed is deployed. The new code is loaded before the old one goes, and records in flight
    finish in the old one. Of code that can't be loaded file and line are told, and the old code
    keeps running. Meanwhile processed records are shown, as by logs -f.

    With --replay the last batch that the function was given is sent through it again after
    each edit: what it writes, it writes again.

    With --json there is one document a line: reloads, replays and records.

    Examples:
      ./dev.py watch
      ./dev.py watch user-profile --replay
    """
    from streamdev.deploy.edits import Edits

    info = require(ctx.engine)
    if replay and not info.has_plugins:
        raise InvalidInputError(
            "--replay finds the last batch in streamdev's log, which an external engine has not."
        )
    stop = threading.Event()
    functions = [pipeline.function.name for pipeline in ctx.project.select(names)]
    following = Following(ctx, functions, stop)
    spares = Spares(ctx.gateway, stop)
    reloader = Reloader(ctx, info, names, following, spares, replay=replay)
    with ended_by_ctrl_c(stop):
        # What is saved from now on is noticed, also while the rest is deployed.
        edits = Edits(reloader.folders, ctx.config_path, stop)
        spares.deployed(deploy_project(ctx, names, watching=True).changes)
        if info.has_plugins:
            following.start()
            spares.start()
        folders = ", ".join(folder.name for folder in reloader.folders)
        ctx.err.print(Text(f"Watching {folders} and {ctx.config_path.name}; Ctrl-C ends.", "dim"))
        try:
            for paths in edits:
                reloader.take(paths)
                edits.folders = reloader.folders
        finally:
            following.close()
    return how_it_ended(ctx)


COMMANDS: list[click.Command] = [watch]
