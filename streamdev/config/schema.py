"""The JSON Schema of pipelines.toml, for editors."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from streamdev.config.models import Pipeline, PipelineName


class _File(BaseModel):
    """The file as a whole."""

    model_config = ConfigDict(extra="forbid", title="pipelines.toml")

    pipelines: dict[PipelineName, Pipeline] = Field(min_length=1)


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12), with AWS's limits and defaults."""
    generated = _File.model_json_schema(by_alias=True)
    # Headers name pipelines, and functions and APIs are named after them.
    for named in ("Function", "Api"):
        del generated["$defs"][named]["properties"]["name"]["default"]
    required = generated["$defs"]["Pipeline"]["required"]
    generated["$defs"]["Pipeline"]["required"] = [key for key in required if key != "name"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **generated}


def schema_text() -> str:
    """The schema as docs/pipelines.schema.json holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
