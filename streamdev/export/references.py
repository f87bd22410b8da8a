"""Logical ids, and what stands for an ARN in a template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from streamdev.aws import names
from streamdev.aws.destinations import destination_arn
from streamdev.config.models import Pipeline
from streamdev.deploy.topics import destinations
from streamdev.export.values import GetAtt, Ref, Sub

#: The parameter whose value ends every name.
NAME_SUFFIX = "NameSuffix"

_LONGEST = 200  # of a logical id's stem; AWS takes 255 characters


def named(name: str) -> Sub:
    """A resource's name, with the stage's suffix."""
    return Sub(f"{name}${{{NAME_SUFFIX}}}")


class LogicalIds:
    """The name of each resource within the template: letters and digits, told from its own name."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], str] = {}

    def of(self, kind: str, name: str) -> str:
        """``("Queue", "profile-updates")`` → ``ProfileUpdatesQueue``; always the same."""
        if (kind, name) not in self._ids:
            self._ids[kind, name] = self._new(kind, name)
        return self._ids[kind, name]

    def _new(self, kind: str, name: str) -> str:
        parts = re.split(r"[^A-Za-z0-9]+", name)
        stem = "".join(part[:1].upper() + part[1:] for part in parts)[:_LONGEST]
        stem = stem.removesuffix(kind)
        taken, number, found = set(self._ids.values()), 1, stem + kind
        while found in taken:
            number += 1
            found = f"{stem}{number}{kind}"
        return found


class References:
    """What the template says where a local deploy has an ARN."""

    def __init__(self, pipelines: Iterable[Pipeline], region: str) -> None:
        self.ids = LogicalIds()
        self._known: dict[str, Ref | GetAtt] = {}
        pipelines = list(pipelines)
        for pipeline in pipelines:
            for table in (pipeline.table.name, *(one.name for one in pipeline.tables)):
                self._known[names.table_arn(table, region)] = self._arn("Table", table)
            function = pipeline.function.name
            # A log group's Arn in CloudFormation ends in :* already.
            log_group = f"{names.log_group_arn(function, region)}:*"
            self._known[log_group] = self._arn("LogGroup", function)
        for service, name in destinations(pipelines):
            arn = destination_arn(service, name, region)
            match service:
                case "sqs":
                    self._known[arn] = self._arn("Queue", name)
                case "sns":
                    self._known[arn] = Ref(self.ids.of("Topic", name))
                case "s3":
                    self._known[arn] = self._arn("Bucket", name)

    def _arn(self, kind: str, name: str) -> GetAtt:
        return GetAtt(self.ids.of(kind, name), "Arn")

    def of(self, arn: str) -> Ref | GetAtt | Sub | str:
        """The reference for an ARN, or for what is below it; anything else stays as it is."""
        if arn in self._known:
            return self._known[arn]
        above = [known for known in self._known if arn.startswith((f"{known}/", f"{known}:"))]
        if not above:
            return arn
        known = max(above, key=len)
        return Sub(self._known[known].embedded + arn.removeprefix(known))

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
