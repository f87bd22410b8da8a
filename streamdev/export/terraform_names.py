"""Names of resources within Terraform files, and what stands for an ARN in them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from streamdev.config.models import Pipeline
from streamdev.export.hcl import Block, Expression, Joined
from streamdev.export.references import ArnReferences, UniqueNames

#: The variable whose value ends every name.
NAME_SUFFIX = "name_suffix"

#: Terraform's type of each kind of resource that others refer to.
TYPES = {
    "Table": "aws_dynamodb_table",
    "Function": "aws_lambda_function",
    "LogGroup": "aws_cloudwatch_log_group",
    "Queue": "aws_sqs_queue",
    "Topic": "aws_sns_topic",
    "Bucket": "aws_s3_bucket",
}


def variable(name: str) -> Expression:
    """``var.NAME``."""
    return Expression(f"var.{name}")


def named(name: str) -> Joined:
    """A resource's name, with the stage's suffix."""
    return Joined((name, variable(NAME_SUFFIX)))


def in_module(path: str) -> Joined:
    """A path from the files' folder, whatever folder Terraform is called in."""
    return Joined((Expression("path.module"), f"/{path}"))


def relative(path: Path, folder: Path) -> str:
    """``path`` from ``folder``, as Terraform writes paths on all platforms."""
    return Path(os.path.relpath(path, folder)).as_posix()


def snake_case(name: str) -> str:
    """``UserProfileTable`` and ``user-profile-table`` → ``user_profile_table``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")


def attribute(block: Block, name: str) -> Expression:
    """What another block calls an attribute of this one."""
    kind, *labels = block.header
    address = ".".join(labels if kind == "resource" else (kind, *labels))
    return Expression(f"{address}.{name}")


class Labels(UniqueNames):
    """Resources' labels: snake case, ``profile_updates``; each is the only one of its kind."""

    def _numbered(self, kind: str, name: str, number: int) -> str:
        stem = snake_case(name) or kind.lower()
        stem = stem.removesuffix(f"_{kind.lower()}")
        if stem[0].isdigit():
            stem = f"_{stem}"
        return stem if number == 1 else f"{stem}_{number}"

    def _taken(self, kind: str, found: Mapping[tuple[str, str], str]) -> Iterable[str]:
        return (label for (other, _), label in found.items() if other == kind)


class Addresses(ArnReferences):
    """What the files say where a local deploy has an ARN, and what resources are called there."""

    def __init__(self, pipelines: Iterable[Pipeline], region: str) -> None:
        self.labels = Labels()
        super().__init__(pipelines, region)

    def attribute(self, kind: str, name: str, what: str) -> Expression:
        """``("Table", "Restaurant", "name")`` → ``aws_dynamodb_table.restaurant.name``."""
        return Expression(f"{TYPES[kind]}.{self.labels.of(kind, name)}.{what}")

    def _reference(self, kind: str, name: str) -> Expression:
        return self.attribute(kind, name, "arn")

    def _below(self, reference: Any, rest: str) -> Joined:
        return Joined((reference, rest))
