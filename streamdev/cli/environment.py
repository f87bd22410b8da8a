"""env: the variables that point one's own tools at the engine."""

from __future__ import annotations

import shlex

import click

from streamdev.cli.context import Context, pass_context
from streamdev.cli.engines import region_of
from streamdev.cli.options import common_options
from streamdev.engine.base import require
from streamdev.engine.variables import CLEARED, client_variables

SHELLS = ("sh", "fish", "powershell", "dotenv")


@click.command()
@click.option(
    "--shell",
    type=click.Choice(SHELLS),
    help="Whose syntax to print (default: by $SHELL; sh is that of bash and zsh as well).",
)
@click.option("--unset", is_flag=True, help="Print what takes the variables away again.")
@common_options
@pass_context
def env(ctx: Context, shell: str | None, unset: bool) -> None:
    """Print the variables that point boto3, the AWS CLI or any SDK at the engine.

    Credentials become the dummy ones and the user's own AWS files are left out, so that
    nothing reaches a real account by accident.

    Examples:
      eval "$(./dev.py env)"
      ./dev.py env --shell fish | source
      eval "$(./dev.py env --unset)"
      ./dev.py env --json
    """
    region = region_of(ctx.environ)
    variables = client_variables(
        "http://unused" if unset else require(ctx.engine).endpoint_url, region
    )
    if ctx.settings.json:
        ctx.print_json({} if unset else variables)
        return
    chosen = shell or ("fish" if ctx.environ.get("SHELL", "").endswith("/fish") else "sh")
    lines = [_unset(chosen, name) for name in (*CLEARED, *(variables if unset else ()))]
    if not unset:
        lines += [_set(chosen, name, value) for name, value in variables.items()]
    for line in lines:
        if line:
            click.echo(line, file=ctx.stdout)


def _set(shell: str, name: str, value: str) -> str:
    match shell:
        case "fish":
            return f"set -gx {name} {shlex.quote(value)};"
        case "powershell":
            return f"$env:{name} = '{value}'"
        case "dotenv":
            return f"{name}={value}"
        case _:
            return f"export {name}={shlex.quote(value)}"


def _unset(shell: str, name: str) -> str:
    match shell:
        case "fish":
            return f"set -e {name};"
        case "powershell":
            return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
        case "dotenv":
            return ""  # a file can only set
        case _:
            return f"unset {name}"


COMMANDS: list[click.Command] = [env]
