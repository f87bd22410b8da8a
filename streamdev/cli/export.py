"""export: the pipelines as files that AWS's own tools deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.options import common_options

if TYPE_CHECKING:
    from streamdev.export.files import Export, FileState

_WORDS = {"missing": "created", "differs": "updated", "current": "unchanged"}


@dataclass(frozen=True)
class Form:
    """One of the forms.

    Attributes:
        folder: Where its files are, from the folder of pipelines.toml.
        next_step: What to do with them.
    """

    folder: str
    next_step: str


# Terraform takes all files of its folder together, so that it gets one of its own.
FORMS = {
    "sam": Form(".", "sam build && sam deploy --guided"),
    "terraform": Form("terraform", "terraform init && terraform plan, there"),
}


@click.command()
@click.argument("form", type=click.Choice(list(FORMS)), required=False)
@click.option(
    "-o",
    "--output",
    metavar="FOLDER",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files are (default: template.yaml beside pipelines.toml, terraform/*.tf).",
)
@click.option("--force", is_flag=True, help="Write over files with something else in them.")
@click.option("--check", is_flag=True, help="Write nothing; fail if files are not up to date.")
@common_options
@pass_context
def export(ctx: Context, form: str | None, output: Path | None, force: bool, check: bool) -> int:
    """Write the pipelines as an AWS SAM template or as Terraform files, for AWS itself.

    FORM is sam, which is also the default, or terraform. What AWS would refuse is refused here,
    with its limit; no engine is needed. With --check the exit code is 1 where a file is missing or
    pipelines.toml says something else by now, and what differs is shown; without FORM it looks at
    whichever of both was exported.

    Examples:
      ./dev.py export sam
      ./dev.py export sam -o deploy --force
      ./dev.py export terraform
      ./dev.py export --check
    """
    from streamdev.export.files import compare, write

    folders = {
        name: ctx.config_path.parent / one.folder if output is None else ctx.cwd / output
        for name, one in FORMS.items()
    }
    if check:
        forms = [form] if form else _exported(folders)
        states = {
            name: compare(folders[name], _made(ctx, name, folders[name]).files) for name in forms
        }
        return _checked(ctx, states)
    form = form or "sam"
    made = _made(ctx, form, folders[form])
    states_before = write(folders[form], made.files, force=force)
    if ctx.settings.json:
        ctx.print_json(
            {
                "format": form,
                "files": [{"path": str(s.path), "state": _WORDS[s.state]} for s in states_before],
                "notes": list(made.notes),
            }
        )
    for state in states_before:
        ctx.err.print(Text(f"{_WORDS[state.state]:<10} {state.path}"))
    for note in made.notes:
        ctx.err.print(Text.assemble(("Note: ", "yellow"), note))
    ctx.err.print(
        f"Next: {FORMS[form].next_step} (docs/to-aws.md has what to check before)", soft_wrap=True
    )
    return ExitCode.OK


def _made(ctx: Context, form: str, folder: Path) -> Export:
    from streamdev.export.sam import export_sam
    from streamdev.export.terraform import export_terraform

    exporting = {"sam": export_sam, "terraform": export_terraform}[form]
    return exporting(ctx.project, folder, datetime.now(UTC).date())


def _exported(folders: Mapping[str, Path]) -> list[str]:
    """The forms of which a file is there that an export wrote; the default form if none is."""
    from streamdev.export import sam, terraform
    from streamdev.export.files import is_export

    names = {"sam": (sam.FILE_NAME,), "terraform": terraform.FILE_NAMES}
    found = [
        form
        for form, folder in folders.items()
        if any(is_export(folder / name) for name in names[form])
    ]
    return found or ["sam"]


def _checked(ctx: Context, states: Mapping[str, list[FileState]]) -> int:
    """Tell how each form's files stand; the exit code."""
    together = [one for files in states.values() for one in files]
    if ctx.settings.json:
        ctx.print_json(
            {
                "files": [
                    {"path": str(one.path), "state": one.state, "difference": one.difference}
                    for one in together
                ]
            }
        )
    words = {
        "current": "agrees with pipelines.toml",
        "missing": "is missing",
        "differs": "differs from what pipelines.toml says",
    }
    for one in together:
        if one.difference and not ctx.settings.json:
            click.echo(one.difference, file=ctx.stdout, nl=False)
        ctx.err.print(Text(f"{one.path} {words[one.state]}."))
    stale = [f for f, files in states.items() if any(one.state != "current" for one in files)]
    for form in stale:
        ctx.err.print(f"Export again: ./dev.py export {form} --force")
    return ExitCode.FAILED if stale else ExitCode.OK


COMMANDS: list[click.Command] = [export]
