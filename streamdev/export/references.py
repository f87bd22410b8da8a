"""What exported files say where a local deploy has an ARN, and what they call resources."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any

from streamdev.aws import names
from streamdev.aws.destinations import destination_arn
from streamdev.config.models import Pipeline
from streamdev.deploy.topics import destinations
from streamdev.export.values import GetAtt, Ref, Sub

#: The parameter whose value ends every name.
NAME_SUFFIX = "NameSuffix"

_LONGEST = 200  # of a logical id's stem; AWS takes 255 characters

_KINDS = {"sqs": "Queue", "sns": "Topic", "s3": "Bucket"}


def named(name: str) -> Sub:
    """A resource's name, with the stage's suffix."""
    return Sub(f"{name}${{{NAME_SUFFIX}}}")


class ArnReferences(ABC):
    """What stands for each ARN of the pipelines' resources."""

    def __init__(self, pipelines: Iterable[Pipeline], region: str) -> None:
        self._known = {
            self._key(kind, arn): self._reference(kind, name)
            for kind, name, arn in _resources(list(pipelines), region)
        }

    def _key(self, kind: str, arn: str) -> str:
        """The ARN that the reference of a resource gives."""
        del kind
        return arn

    @abstractmethod
    def _reference(self, kind: str, name: str) -> Any:
        """What gives the ARN of a resource (``Table``, ``LogGroup``, ``Queue``...)."""

    @abstractmethod
    def _below(self, reference: Any, rest: str) -> Any:
        """What gives the ARN of ``reference`` with ``rest`` behind it."""

    def of(self, arn: str) -> Any:
        """The reference for an ARN, or for what is below it; anything else stays as it is."""
        if arn in self._known:
            return self._known[arn]
        above = [known for known in self._known if arn.startswith((f"{known}/", f"{known}:"))]
        if not above:
            return arn
        known = max(above, key=len)
        return self._below(self._known[known], arn.removeprefix(known))

    def within(self, document: Any) -> Any:
        """A policy, or any part of one, with references in place of its ARNs."""
        match document:
            case str():
                return self.of(document)
            case Mapping():
                return {key: self.within(value) for key, value in document.items()}
            case list() | tuple():
                return [self.within(value) for value in document]
        return document


def _resources(pipelines: list[Pipeline], region: str) -> Iterator[tuple[str, str, str]]:
    """Kind, name and ARN of what policies and mappings refer to."""
    for pipeline in pipelines:
        for table in (pipeline.table.name, *(one.name for one in pipeline.tables)):
            yield "Table", table, names.table_arn(table, region)
        function = pipeline.function.name
        yield "LogGroup", function, names.log_group_arn(function, region)
    for service, name in destinations(pipelines):
        yield _KINDS[service], name, destination_arn(service, name, region)


class UniqueNames(ABC):
    """What each resource is called within the exported files, told from its own name."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], str] = {}

    def of(self, kind: str, name: str) -> str:
        """One resource's; always the same, and with a number where it would be another's."""
        if (kind, name) not in self._found:
            taken = set(self._taken(kind, self._found))
            candidates = (self._numbered(kind, name, number) for number in count(1))
            self._found[kind, name] = next(one for one in candidates if one not in taken)
        return self._found[kind, name]

    @abstractmethod
    def _numbered(self, kind: str, name: str, number: int) -> str:
        """The name; from 2 on with the number in it."""

    @abstractmethod
    def _taken(self, kind: str, found: Mapping[tuple[str, str], str]) -> Iterable[str]:
        """Which of the names that were ``found`` a resource of this kind can't have."""


class LogicalIds(UniqueNames):
    """A template's logical ids: letters and digits, ``ProfileUpdatesQueue``; one for all kinds."""

    def _numbered(self, kind: str, name: str, number: int) -> str:
        parts = re.split(r"[^A-Za-z0-9]+", name)
        stem = "".join(part[:1].upper() + part[1:] for part in parts)[:_LONGEST]
        return f"{stem.removesuffix(kind)}{number if number > 1 else ''}{kind}"

    def _taken(self, kind: str, found: Mapping[tuple[str, str], str]) -> Iterable[str]:
        del kind
        return found.values()


class References(ArnReferences):
    """What a template says where a local deploy has an ARN."""

    def __init__(self, pipelines: Iterable[Pipeline], region: str) -> None:
        self.ids = LogicalIds()
        super().__init__(pipelines, region)

    def _key(self, kind: str, arn: str) -> str:
        # A log group's Arn in CloudFormation ends in :* already.
        return f"{arn}:*" if kind == "LogGroup" else arn

    def _reference(self, kind: str, name: str) -> Ref | GetAtt:
        logical_id = self.ids.of(kind, name)
        return Ref(logical_id) if kind == "Topic" else GetAtt(logical_id, "Arn")

    def _below(self, reference: Any, rest: str) -> Sub:
        return Sub(reference.embedded + rest)
