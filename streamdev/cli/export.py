"""export: the pipelines as files that AWS's own tools deploy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.options import common_options

if TYPE_CHECKING:
    from streamdev.export.files import FileState

_WORDS = {"missing": "created", "differs": "updated", "current": "unchanged"}


@click.command()
@click.argument("form", type=click.Choice(["sam"]), default="sam", required=False)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where template.yaml is (default: the folder of pipelines.toml).",
)
@click.option("--force", is_flag=True, help="Write over a file with something else in it.")
@click.option("--check", is_flag=True, help="Write nothing; fail if the file is not up to date.")
@common_options
@pass_context
def export(ctx: Context, form: str, output: Path | None, force: bool, check: bool) -> int:
    """Write the pipelines as an AWS SAM template, for AWS itself.

    FORM is sam, which is also the default. What AWS would refuse is refused here, with its
    limit; no engine is needed. With --check the exit code is 1 where the template is missing or
    pipelines.toml says something else by now, and what differs is shown.

    Examples:
      ./dev.py export sam
      ./dev.py export sam -o deploy --force
      ./dev.py export --check
    """
    from streamdev.export.files import compare, write
    from streamdev.export.sam import export_sam

    folder = ctx.config_path.parent if output is None else ctx.cwd / output
    made = export_sam(ctx.project, folder, datetime.now(UTC).date())
    if check:
        return _checked(ctx, compare(folder, made.files))
    states = write(folder, made.files, force=force)
    if ctx.settings.json:
        ctx.print_json(
            {
                "format": form,
                "files": [{"path": str(s.path), "state": _WORDS[s.state]} for s in states],
                "notes": list(made.notes),
            }
        )
    for state in states:
        ctx.err.print(Text(f"{_WORDS[state.state]:<10} {state.path}"))
    for note in made.notes:
        ctx.err.print(Text.assemble(("Note: ", "yellow"), note))
    ctx.err.print(
        "Next: sam build && sam deploy --guided (docs/to-aws.md has what to check before)"
    )
    return ExitCode.OK


def _checked(ctx: Context, states: list[FileState]) -> int:
    """Tell how each file stands; the exit code."""
    if ctx.settings.json:
        ctx.print_json(
            {
                "files": [
                    {"path": str(one.path), "state": one.state, "difference": one.difference}
                    for one in states
                ]
            }
        )
    words = {
        "current": "agrees with pipelines.toml",
        "missing": "is missing",
        "differs": "differs from what pipelines.toml says",
    }
    for one in states:
        if one.difference and not ctx.settings.json:
            click.echo(one.difference, file=ctx.stdout, nl=False)
        ctx.err.print(Text(f"{one.path} {words[one.state]}."))
    if all(one.state == "current" for one in states):
        return ExitCode.OK
    ctx.err.print("Export again: ./dev.py export sam --force")
    return ExitCode.FAILED


COMMANDS: list[click.Command] = [export]
