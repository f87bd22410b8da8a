"""init, schema: a new project, and what editors check its pipelines.toml by."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click
from rich.text import Text

from streamdev.cli.context import Context, pass_context
from streamdev.cli.exit_codes import ExitCode
from streamdev.cli.options import common_options
from streamdev.errors import InvalidInputError

SCHEMA = "pipelines.schema.json"
GITIGNORE = ".gitignore"

# Where each template goes.
_FILES = {
    "pipelines.toml": "pipelines.toml",
    "handler.py.txt": "lambda_src/orders/handler.py",
    "orders.jsonl": "samples/orders.jsonl",
    "test_orders.py.txt": "tests/test_orders.py",
    "Makefile": "Makefile",
    "gitignore": GITIGNORE,
}


@click.command()
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Write over files that are there.")
@common_options
@pass_context
def init(ctx: Context, folder: Path, force: bool) -> int:
    """Set up a project: a pipeline with its handler, sample data and test, ready to run.

    FOLDER is made if it is not there (default: this one). A file that is there already is never
    written over without --force; then nothing is written at all.

    Examples:
      ./dev.py init
      ./dev.py init my-project
    """
    root = ctx.cwd / folder
    wanted = project_files()
    ignoring = (root / GITIGNORE).is_file()
    if ignoring and not force:
        # What it ignores is the user's to say.
        del wanted[GITIGNORE]
    try:
        present = [name for name in wanted if (root / name).exists()]
        if present and not force:
            raise InvalidInputError(
                f"There is already {', '.join(present)} in {root}; nothing was written.",
                hint="Choose another folder, or write over them: --force",
            )
        for name, text in wanted.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(
            f"{error.filename or root} can't be written: {error.strerror}."
        ) from error
    if ctx.settings.json:
        ctx.print_json({"folder": str(root.resolve()), "files": sorted(wanted)})
        return ExitCode.OK
    for name in wanted:
        ctx.err.print(Text.assemble(("created", "green"), f"  {name}"))
    if GITIGNORE not in wanted:
        ctx.err.print(f"Let git ignore streamdev's state: add .streamdev/ to {GITIGNORE}")
    there = "" if folder == Path() else f"cd {folder} && "
    ctx.err.print(
        f"Next: {there}./dev.py up    ./dev.py put-item id=1 product=tea quantity:=2 --wait    "
        "make test"
    )
    return ExitCode.OK


def project_files() -> dict[str, str]:
    """The files of a new project: path → text."""
    from streamdev.config.schema import schema_text

    templates = files("streamdev") / "templates"
    found = {path: (templates / name).read_text("utf-8") for name, path in _FILES.items()}
    return {
        **found,
        SCHEMA: schema_text(),
        "docker-compose.yml": _compose((templates / "compose_header.txt").read_text("utf-8")),
    }


def _compose(header: str) -> str:
    """streamdev's own Compose file, with the plugins where ``up`` puts them in a project."""
    from streamdev.engine.compose_files import FILE_NAME, own_file

    text = own_file(FILE_NAME).read_text(encoding="utf-8")
    body = text[text.index("services:") :]
    image = body.index("    # 4.14.0 is the last")
    body = (
        body[:image]
        + "    # The last community release: later ones stop at start without an auth token.\n"
        + body[body.index("    image: ") :]
    )
    plugins = "- ./.streamdev/plugins/streamdev"
    return header + body.replace("- ./streamdev", plugins)


@click.command()
@common_options
@pass_context
def schema(ctx: Context) -> None:
    """Print the JSON Schema of pipelines.toml, for editors.

    init writes it beside pipelines.toml, whose comment #:schema names it. After an update of
    streamdev it is written anew by this.

    Example:
      ./dev.py schema > pipelines.schema.json
    """
    from streamdev.config.schema import schema_text

    click.echo(schema_text(), file=ctx.stdout, nl=False)


COMMANDS: list[click.Command] = [init, schema]
