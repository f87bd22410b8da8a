"""import: a pipelines.toml from a template of AWS SAM."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from rich.text import Text

from streamdev.cli.context import CONFIG_NAME, Context, pass_context
from streamdev.cli.options import common_options
from streamdev.errors import InvalidInputError


@click.command("import")
@click.argument("form", type=click.Choice(["sam"]))
@click.argument("template", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write it (default: pipelines.toml in this folder).",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@common_options
@pass_context
def import_(ctx: Context, form: str, template: Path, output: Path | None, force: bool) -> None:
    """Make a pipelines.toml of a SAM template's tables, functions and stream events.

    Each function with a DynamoDB event becomes a pipeline; what pipelines.toml has no place for
    is told by name. Parameters count with their defaults.

    Examples:
      ./dev.py import sam template.yaml
      ./dev.py import sam ../other/template.yaml -o other.toml
    """
    from streamdev.export.sam_import import import_sam
    from streamdev.export.template import Template

    source, target = ctx.cwd / template, ctx.cwd / (output or CONFIG_NAME)
    if target.exists() and not force:
        raise InvalidInputError(
            f"There is already {target}; nothing was written.",
            hint="Choose another file (-o FILE), or write over it: --force",
        )
    made = import_sam(Template(source), source, target.parent)
    header = f"# Made from {template.name} by streamdev's command import.\n\n"
    _check(header + made.text, source, target)
    try:
        target.write_text(header + made.text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{target} can't be written: {error.strerror}.") from error
    if ctx.settings.json:
        ctx.print_json(
            {
                "format": form,
                "path": str(target),
                "pipelines": list(made.pipelines),
                "left_out": made.left_out,
            }
        )
    ctx.err.print(f"created    {target}: {', '.join(made.pipelines)}", markup=False)
    for one in made.left_out:
        ctx.err.print(Text.assemble(("left out   ", "yellow"), one))


def _check(text: str, source: Path, target: Path) -> None:
    """Read it as any pipelines.toml is.

    Raises:
        InvalidInputError: Something in it is not allowed.
    """
    from streamdev.config.load import load_project

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder).resolve() / target.name
        path.write_text(text, encoding="utf-8")
        try:
            load_project(path)
        except InvalidInputError as error:
            raise InvalidInputError(
                error.message.replace(str(path), str(source.name)).replace(":", ": made line ", 1),
                hint=f"What was made of {source} is not allowed; nothing was written.",
            ) from error


COMMANDS: list[click.Command] = [import_]
