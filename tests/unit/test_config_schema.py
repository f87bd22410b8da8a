"""The JSON Schema and the reference of pipelines.toml follow the models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from streamdev.config.schema import schema, schema_text

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"


def test_the_schema_in_docs_is_the_models() -> None:
    assert (DOCS / "pipelines.schema.json").read_text(encoding="utf-8") == schema_text(), (
        "run: ./dev.py schema > docs/pipelines.schema.json"
    )


def test_the_reference_lists_every_key_with_its_default() -> None:
    text = (DOCS / "pipelines.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \|([^|]*)\|", text, re.MULTILINE))
    for name, part in schema()["$defs"].items():
        for key in part["properties"]:
            if name == "Pipeline":
                continue
            assert key in rows, f"{name}: docs/pipelines.md has no row for {key}"
    for key, default in _defaults().items():
        assert rows[key].strip() == f"`{default}`", key


def _defaults() -> dict[str, str]:
    """Keys whose default is a number, a word or a boolean, as TOML writes it."""
    found: dict[str, str] = {}
    for part in schema()["$defs"].values():
        for key, field in part["properties"].items():
            default: Any = field.get("default")
            if default not in (None, []):
                found[key] = str(default).lower() if isinstance(default, bool) else f"{default}"
    return found
