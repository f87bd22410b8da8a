"""Marks a test as one behaviour of a DynamoDB event source mapping."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.conformance.pages import Page


@dataclass(frozen=True)
class Behaviour:
    """What AWS documents, and where.

    Attributes:
        group: The parameter or subject it belongs to; a section of the published table.
        id: A name that stays, unique in the suite.
        says: The behaviour in a sentence.
        page: The page of AWS's documentation.
    """

    group: str
    id: str
    says: str
    page: Page


def behaviour(group: str, name: str, says: str, page: Page) -> pytest.MarkDecorator:
    """The decorator: ``@behaviour("BatchSize", "batch-size-limit", "...", PARAMETERS)``."""
    return pytest.mark.behaviour(Behaviour(group, name, says, page))
