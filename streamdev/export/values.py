"""What a template is built of besides text, numbers, lists and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Ref:
    """``!Ref``: a parameter's value, or what identifies a resource."""

    name: str

    @property
    def embedded(self) -> str:
        """The same within a ``Sub``."""
        return f"${{{self.name}}}"


@dataclass(frozen=True)
class GetAtt:
    """``!GetAtt``: an attribute of a resource."""

    name: str
    attribute: str

    @property
    def embedded(self) -> str:
        """The same within a ``Sub``."""
        return f"${{{self.name}.{self.attribute}}}"


@dataclass(frozen=True)
class Sub:
    """``!Sub``: text with ``${...}`` in it."""

    text: str


@dataclass(frozen=True)
class Call:
    """Another intrinsic function with its arguments: ``!If [Told, [...], ...]``."""

    name: str
    arguments: Sequence[Any]


@dataclass(frozen=True)
class Block:
    """Text of several lines, shown as it is (a mapping template)."""

    text: str


@dataclass(frozen=True)
class Commented:
    """A map in which a comment stands before some of the keys."""

    values: Mapping[str, Any]
    comments: Mapping[str, str] = field(default_factory=dict)
