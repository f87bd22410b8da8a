"""The gate of writes: many at a time or one alone, and a way in for those who can't wait."""

from __future__ import annotations

import pytest

from streamdev.plugins.dynamodb.gate import Gate, GateBusyError


def test_who_can_not_wait_is_let_in_when_nobody_wants_to_be_alone() -> None:
    gate = Gate()
    assert gate.enter_at_once()
    with pytest.raises(GateBusyError), gate.closed(timeout=0.01):
        pytest.fail("a write was under way")
    # Whoever gave up waiting does not keep others out.
    assert gate.enter_at_once()
    gate.leave()
    gate.leave()
    with gate.closed(timeout=0.01):
        assert not gate.enter_at_once()
    assert gate.enter_at_once()


def test_nor_when_something_is_to_be_done_before_the_next_write() -> None:
    gate, done = Gate(), list[int]()
    gate.before_next(lambda: done.append(1))
    assert not gate.enter_at_once()
    assert done == []
    gate.enter()
    assert done == [1]
    assert gate.enter_at_once()
