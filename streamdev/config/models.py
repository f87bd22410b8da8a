"""The project: what pipelines.toml says, validated and frozen."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from streamdev.config.api import Api, ApiMethod
from streamdev.config.base import Model
from streamdev.config.function import Function
from streamdev.config.mapping import Destination, Mapping
from streamdev.config.notifications import Subscription, Topic
from streamdev.config.own_table import OwnTable
from streamdev.config.table import (
    GlobalSecondaryIndex,
    KeyAttribute,
    LocalSecondaryIndex,
    SecondaryIndex,
    Table,
)
from streamdev.errors import InvalidInputError

__all__ = [
    "Api",
    "ApiMethod",
    "Destination",
    "Function",
    "GlobalSecondaryIndex",
    "KeyAttribute",
    "LocalSecondaryIndex",
    "Mapping",
    "OwnTable",
    "Pipeline",
    "Project",
    "SecondaryIndex",
    "Subscription",
    "Table",
    "Topic",
    "nearest",
]

PipelineName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The entry of ``known`` most like ``word``, or ``None`` if none is like it."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


class Pipeline(Model):
    """A table, its stream, and the function that handles its records."""

    name: SkipJsonSchema[PipelineName]
    table: Table
    function: Function
    mapping: Mapping
    tables: tuple[OwnTable, ...] = Field(
        default=(), strict=False, description="Further tables the function uses, without streams."
    )
    topics: tuple[Topic, ...] = Field(
        default=(), strict=False, description="Topics the function publishes to."
    )
    api: Api | None = Field(default=None, description="A REST API in front of the table.")
    seed: Path | None = Field(
        default=None, strict=False, description="A file with sample items, as JSON lines."
    )

    @field_validator("seed")
    @classmethod
    def _from_project_root(cls, seed: Path | None, info: ValidationInfo) -> Path | None:
        root: Path | None = (info.context or {}).get("root")
        return seed if root is None or seed is None else (root / seed).resolve()

    @model_validator(mode="before")
    @classmethod
    def _name_parts(cls, data: Any) -> Any:
        """Give function and API the pipeline's name where they have none of their own."""
        if not isinstance(data, dict):
            return data
        named = {
            part: {"name": data.get("name"), **data[part]}
            for part in ("function", "api")
            if isinstance(data.get(part), dict)
        }
        return {**data, **named}


class Project(BaseModel):
    """Everything pipelines.toml declares.

    Attributes:
        root: The folder of pipelines.toml; relative paths in it start here.
        path: The file itself.
        pipelines: By name, in the file's order; never empty.
    """

    model_config = ConfigDict(frozen=True)

    root: Path
    path: Path
    pipelines: dict[str, Pipeline]

    def pipeline(self, name: str | None = None) -> Pipeline:
        """The pipeline called ``name``; without a name the first one.

        Raises:
            InvalidInputError: There is none of that name; the hint has the nearest.
        """
        if name is None:
            return next(iter(self.pipelines.values()))
        if name in self.pipelines:
            return self.pipelines[name]
        close = nearest(name, self.pipelines)
        raise InvalidInputError(
            f"There is no pipeline {name!r} in {self.path.name}.",
            hint=f"Did you mean {close!r}?" if close else f"It has: {', '.join(self.pipelines)}.",
        )

    def select(self, names: Iterable[str]) -> tuple[Pipeline, ...]:
        """The pipelines called ``names``, in the file's order; all of them without names.

        Raises:
            InvalidInputError: One of the names is unknown.
        """
        wanted = {self.pipeline(name).name for name in names}
        return tuple(p for p in self.pipelines.values() if not wanted or p.name in wanted)

    @property
    def table_names(self) -> frozenset[str]:
        """The names of all tables, also of those without a stream."""
        own = (table.name for p in self.pipelines.values() for table in p.tables)
        return frozenset({*self.tables, *own})

    @property
    def tables(self) -> dict[str, Table]:
        """Every table by name; one that several pipelines share is there once."""
        return {pipeline.table.name: pipeline.table for pipeline in self.pipelines.values()}
