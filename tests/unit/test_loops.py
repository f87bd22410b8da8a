"""After how many rounds a loop is stopped: from the user's variable to the guard."""

from __future__ import annotations

import pytest

from streamdev.engine.variables import loop_variables
from streamdev.errors import InvalidInputError
from streamdev.plugins.loops import LoopGuard
from streamdev.plugins.settings import PluginSettings


@pytest.mark.parametrize(
    ("environ", "limit"),
    [
        ({}, 16),
        ({"STREAMDEV_LOOP_LIMIT": ""}, 16),
        ({"STREAMDEV_LOOP_LIMIT": "3"}, 3),
        ({"STREAMDEV_LOOP_LIMIT": "off"}, None),
    ],
)
def test_the_limit_reaches_the_engine(environ: dict[str, str], limit: int | None) -> None:
    assert PluginSettings.from_environ(loop_variables(environ)).loop_limit == limit


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", "OFF "])
def test_what_is_no_limit_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError, match="no number of rounds"):
        loop_variables({"STREAMDEV_LOOP_LIMIT": value})


@pytest.mark.parametrize(("limit", "writes"), [(None, 0), (3, 1)])
def test_a_guard_that_is_off_looks_at_no_write(limit: int | None, writes: int) -> None:
    guard = LoopGuard(limit, lambda _: None)
    request = {"TableName": "T", "Item": {"id": {"S": "a"}}}
    begun = guard.begin("0", "r", "PutItem", request, None, lambda *_: ("id",))
    assert len(begun) == writes
    guard.end(begun)
