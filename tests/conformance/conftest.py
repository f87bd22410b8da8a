"""The suite runs against one subject: ``make conformance`` starts each and sets the variables.

``CONFORMANCE_ENDPOINT`` is where the subject answers; without it nothing here is collected.
``CONFORMANCE_RESULTS`` is the JSON file that the outcome of every behaviour is written to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conformance.behaviour import Behaviour
from tests.conformance.world import World

HERE = Path(__file__).parent
_results: dict[str, dict[str, Any]] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "behaviour(behaviour): a documented behaviour")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Collect nothing when there is no subject."""
    ours = HERE in collection_path.parents and collection_path.name.startswith("test_")
    return True if ours and not os.environ.get("CONFORMANCE_ENDPOINT") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here names its behaviour, and no two the same."""
    seen: set[str] = set()
    for item in items:
        if HERE not in item.path.parents:
            continue
        marker = item.get_closest_marker("behaviour")
        if marker is None or marker.args[0].id in seen:
            raise pytest.UsageError(f"{item.nodeid} needs a behaviour of its own")
        seen.add(marker.args[0].id)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down how the behaviour was met: pass, fail, or refused by the subject's API."""
    report = yield
    marker = item.get_closest_marker("behaviour")
    if marker is None or report.when == "teardown" or (report.when == "setup" and report.passed):
        return report
    error = call.excinfo.value if call.excinfo else None
    status = "pass" if report.passed else "fail"
    if isinstance(error, ClientError):
        status = "not supported"
    told = str(error).strip() if error else ""
    _write(marker.args[0], item.nodeid, status, told.splitlines()[0] if told else "")
    return report


def _write(behaviour: Behaviour, test: str, status: str, detail: str) -> None:
    entry = {**asdict(behaviour), "page": behaviour.page._asdict()}
    _results[behaviour.id] = {**entry, "test": test, "status": status, "detail": detail[:300]}
    if path := os.environ.get("CONFORMANCE_RESULTS"):
        Path(path).write_text(json.dumps(_results, indent=1) + "\n")


@pytest.fixture
def world() -> Iterator[World]:
    """The subject's API, and what the test makes there."""
    world = World(os.environ["CONFORMANCE_ENDPOINT"])
    yield world
    world.close()
