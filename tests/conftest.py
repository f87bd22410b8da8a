"""What all tests share: against which engines they run."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# What takes long here takes longer elsewhere: a slow machine is no failure of the code.
settings.register_profile("any", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any")

ENGINES = ("host", "compose")
_NONE = "none"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--engine`` chooses; by default both run where Docker can be used."""
    parser.addoption(
        "--engine",
        action="append",
        choices=ENGINES,
        help="run the tests against this engine (may be given twice); default: the host engine, "
        "and the compose engine where Docker answers and has the image",
    )


@cache
def why_no_compose() -> str | None:
    """Why the compose engine can't be tested here; ``None`` if it can."""
    from streamdev.engine.compose import why_not

    return why_not(environ=os.environ)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that uses an engine once an engine, unless it says that it is for one.

    ``@pytest.mark.only_on("host", because="...")`` is for behaviour that differs on purpose.
    """
    if "engine" not in metafunc.fixturenames:
        return
    asked = metafunc.config.getoption("--engine")
    names = asked or [name for name in ENGINES if name == "host" or why_no_compose() is None]
    for mark in metafunc.definition.iter_markers("only_on"):
        assert mark.kwargs["because"], "say why"
        names = [name for name in names if name in mark.args]
    metafunc.parametrize("engine", names or [_NONE], indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for another engine than was asked for."""
    left_out = [item for item in items if _engine_of(item) == _NONE]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if _engine_of(item) != _NONE]


def _engine_of(item: pytest.Item) -> Any:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("engine") if callspec else None
