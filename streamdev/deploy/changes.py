"""What a deploy does to one resource, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streamdev.deploy.resources import Resource


class Action(StrEnum):
    """What happens to a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    NOTHING = "nothing"
    LEAVE = "leave"  # not streamdev's to touch, but worth telling

    @property
    def done(self) -> str:
        """The word for it afterwards: ``created``, ``unchanged``..."""
        return _DONE[self]


_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.REPLACE: "replaced",
    Action.DELETE: "deleted",
    Action.NOTHING: "unchanged",
    Action.LEAVE: "left alone",
}


@dataclass(frozen=True)
class Change:
    """One line of a plan.

    Attributes:
        resource: What it is about, as it should be (or, to delete, as it is).
        action: What happens to it.
        reasons: What differs, one phrase each; empty for ``create`` and ``nothing``.
        parts: Which parts an update touches; only ``deploy`` itself reads them.
        obstacle: Set where it can't be done in place: what to do instead. A plan with
            obstacles is not applied.
    """

    resource: Resource
    action: Action
    reasons: tuple[str, ...] = ()
    parts: frozenset[str] = field(default=frozenset())
    obstacle: str | None = None

    @property
    def effective(self) -> bool:
        """Whether anything is touched."""
        return self.action not in (Action.NOTHING, Action.LEAVE)
