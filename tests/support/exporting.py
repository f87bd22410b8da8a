"""Projects to be exported, and the command that does it."""

from __future__ import annotations

import io
from pathlib import Path

from streamdev.cli.context import Context
from streamdev.cli.main import run

EVERYTHING = Path(__file__).with_name("everything.toml").read_text(encoding="utf-8")
PIPELINE = """\
[pipelines.one.table]
name = "Things"
key = "id:S"
stream = "NEW_IMAGE"

[pipelines.one.function]
source = "code"
handler = "handler.run"
runtime = "python3.13"

[pipelines.one.mapping]
starting-position = "TRIM_HORIZON"
"""


def project(folder: Path, text: str = PIPELINE) -> Path:
    """A project with a handler; its folder."""
    (folder / "code").mkdir()
    (folder / "code" / "handler.py").write_text("def run(event, context):\n    return None\n")
    (folder / "pipelines.toml").write_text(text, encoding="utf-8")
    return folder


def export(cwd: Path, *args: str) -> tuple[int, str, str]:
    """Run export in a folder; its exit code and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    context = Context(environ={}, stdin=io.StringIO(), stdout=out, stderr=err, cwd=cwd)
    return run(["export", *args], context), out.getvalue(), err.getvalue()
