"""Tables a function uses besides the one whose changes start it, as pipelines.toml declares."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from streamdev.config.base import Model
from streamdev.config.function import VariableName, allowed_variable
from streamdev.config.table import AttributeName, KeyAttribute, KeySpec, TableName

#: An IAM action, with no wildcard in it.
Action = Annotated[str, Field(pattern=r"^dynamodb:[A-Z][A-Za-z]+$")]

ITEM_ACTIONS = (
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)


class OwnTable(Model):
    """A table without a stream that belongs to the function, such as its idempotency table."""

    name: TableName = Field(description="The table's name.")
    key: KeySpec = Field(description="The partition key, NAME:TYPE.")
    sort_key: KeySpec | None = Field(default=None, description="The sort key, NAME:TYPE.")
    ttl: AttributeName | None = Field(
        default=None, description="The attribute that says when an item expires (epoch seconds)."
    )
    actions: tuple[Action, ...] = Field(
        default_factory=lambda: ITEM_ACTIONS,
        strict=False,
        min_length=1,
        description="What the function's role allows on the table.",
    )
    environment_variable: VariableName | None = Field(
        default=None, description="The function's variable that is given the table's name."
    )

    _allowed = field_validator("environment_variable")(allowed_variable)

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """The partition key and, where there is one, the sort key."""
        return (self.key,) if self.sort_key is None else (self.key, self.sort_key)

    @model_validator(mode="after")
    def _keys_differ(self) -> Self:
        if self.sort_key is not None and self.sort_key.name == self.key.name:
            raise ValueError(f"key and sort-key are the same attribute {self.key.name!r}")
        return self
