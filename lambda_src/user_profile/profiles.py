"""What a stream record says about a user's profile, and whether it may be so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from pydantic import BaseModel, ConfigDict, Field, ValidationError

Kind = Literal["created", "updated", "deleted"]

_KINDS: Mapping[str, Kind] = {"INSERT": "created", "MODIFY": "updated", "REMOVE": "deleted"}


class Profile(BaseModel):
    """A profile as it may be stored; attributes that are not named here are free."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1, max_length=128)
    name: str | None = Field(default=None, min_length=1, max_length=200)
    email: str | None = Field(default=None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
    age: int | None = Field(default=None, ge=0, le=150)
    version: int | None = Field(default=None, ge=0)


@dataclass(frozen=True)
class Change:
    """One change of a profile.

    Attributes:
        event_id: The stream record's; the same again when the record is delivered again.
        profile_id: The table's key.
        before: The profile before, empty for a new one.
        after: The profile after, empty for a deleted one.
        sequence_number: The record's place in the stream; of two changes of one profile the
            later has the greater.
        problems: Why the update is not valid, ``attribute: what is wrong``; empty if it is.
    """

    event_id: str
    kind: Kind
    profile_id: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    sequence_number: str
    problems: tuple[str, ...] = field(default=())

    @property
    def version(self) -> int | None:
        """The profile's version, where it has one; a deleted profile's is its last."""
        version = (self.after or self.before).get("version")
        if not isinstance(version, int | Decimal) or isinstance(version, bool):
            return None
        return int(version) if version == int(version) else None

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Each attribute that differs, before and after; ``None`` where there was or is none."""
        names = sorted({*self.before, *self.after})
        pairs = {name: (self.before.get(name), self.after.get(name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

    @classmethod
    def of(cls, record: DynamoDBRecord) -> Change:
        """The change that a record with both images tells of, checked."""
        data = record.dynamodb
        before: dict[str, Any] = data.old_image or {}
        after: dict[str, Any] = data.new_image or {}
        return cls(
            event_id=record.event_id,
            kind=_KINDS[record["eventName"]],
            profile_id=str(data.keys["id"]),
            before=before,
            after=after,
            sequence_number=data.sequence_number,
            problems=problems(after) if after else (),
        )


def problems(profile: Mapping[str, Any]) -> tuple[str, ...]:
    """What is wrong with a profile, one phrase for each attribute."""
    try:
        Profile.model_validate(profile)
    except ValidationError as error:
        return tuple(
            f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        )
    return ()
