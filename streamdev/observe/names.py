"""What the project calls things that the log knows by AWS's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamdev.observe.records import LoggedItem

if TYPE_CHECKING:
    from streamdev.config.models import Project


@dataclass(frozen=True)
class Names:
    """Names for people; without a project there are none.

    Attributes:
        pipelines: The pipeline's name for each function's.
        keys: The key attributes of each table, the partition key first.
    """

    pipelines: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of_project(cls, project: Project) -> Names:
        """The names that pipelines.toml gives."""
        return cls(
            {pipeline.function.name: name for name, pipeline in project.pipelines.items()},
            {name: tuple(k.name for k in table.keys) for name, table in project.tables.items()},
        )

    def pipeline(self, function: str | None) -> str | None:
        """The pipeline that has the function."""
        return self.pipelines.get(function or "")

    def key(self, table: str | None, keys: LoggedItem) -> LoggedItem:
        """A record's key with its attributes in the table's order, where that is known."""
        order = self.keys.get(table or "", ())
        first = {name: keys[name] for name in order if name in keys}
        return {**first, **keys}
