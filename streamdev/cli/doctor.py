"""doctor: what this machine has and lacks, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.options import common_options

_MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


@click.command()
@common_options
@pass_context
def doctor(ctx: Context) -> int:
    """Show what this machine has and lacks, and what to do about it.

    Nothing is changed or installed. Ends with exit code 1 when the host engine can't run
    here; a "!" is something that not everybody needs.

    Examples:
      ./dev.py doctor
      ./dev.py doctor --json
    """
    from streamdev.cli.checks import findings

    failed = False
    collected = []
    for finding in findings(ctx):
        failed = failed or finding.state == "fail"
        if ctx.settings.json:
            collected.append(asdict(finding))
            continue
        mark, style = _MARKS[finding.state]
        ctx.out.print(Text.assemble((f"{mark} {finding.name}", style), f"  {finding.found}"))
        if finding.cure:
            ctx.out.print(Text(ctx.named(f"    {finding.cure}"), style="dim"))
    if ctx.settings.json:
        ctx.print_json(collected)
    return ExitCode.FAILED if failed else ExitCode.OK


COMMANDS: list[click.Command] = [doctor]
