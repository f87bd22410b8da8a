"""The pytest plugin: an engine for the session, and a pipeline of its own for each test.

pytest imports this module in every run where streamdev is installed. So it imports nothing but
pytest; the rest comes when a fixture is used. docs/other-projects.md tells how to use it.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from streamdev.testing.pipeline import TestedPipeline
    from streamdev.testing.session import SessionEngine

ENGINES = ("auto", "host", "compose")
_RUN = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--streamdev-engine``: which engine is started where none runs."""
    parser.getgroup("streamdev").addoption(
        "--streamdev-engine",
        choices=ENGINES,
        help="which engine streamdev's fixtures start if none runs (default: STREAMDEV_ENGINE, "
        "else auto)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Know the marker, and where this run notes that it started an engine."""
    config.addinivalue_line(
        "markers",
        "streamdev(pipeline): the pipeline of pipelines.toml that streamdev_pipeline is a copy of",
    )
    # With pytest-xdist the workers' fixtures start the engine and the controller stops it.
    told = getattr(config, "workerinput", {}).get("streamdev_run")
    name = f"streamdev-pytest-{uuid.uuid4().hex}.json"
    config.stash[_RUN] = Path(told or Path(tempfile.gettempdir()) / name)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where it notes that it started an engine."""
    node.workerinput["streamdev_run"] = str(node.config.stash[_RUN])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the engine if this run has started it."""
    run = config.stash.get(_RUN, None)
    if run is not None and run.exists() and not hasattr(config, "workerinput"):
        from streamdev.testing.session import stop_engine

        stop_engine(run)


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with the project or the engine in a line or two, without a traceback."""
    from streamdev.errors import StreamdevError

    try:
        yield
    except StreamdevError as error:
        pytest.fail("\n".join(filter(None, (error.message, error.hint))), pytrace=False)


@pytest.fixture(scope="session")
def streamdev_config(pytestconfig: pytest.Config) -> Path:
    """The pipelines.toml in force; override this fixture to use another.

    ``STREAMDEV_CONFIG``, else the nearest one upwards from where pytest was started, else from
    pytest's root.
    """
    from streamdev.testing.session import find_config

    with _told():
        return find_config(pytestconfig.invocation_params.dir, pytestconfig.rootpath)


@pytest.fixture(scope="session")
def streamdev_engine(pytestconfig: pytest.Config, streamdev_config: Path) -> SessionEngine:
    """The project's engine, running: the one that runs already, else one for this run."""
    from streamdev.testing.session import start_engine

    engine = pytestconfig.getoption("--streamdev-engine")
    with _told():
        return start_engine(streamdev_config, engine, pytestconfig.stash[_RUN])


@pytest.fixture
def streamdev_pipelines(
    streamdev_engine: SessionEngine,
) -> Iterator[Callable[..., TestedPipeline]]:
    """Makes copies of pipelines, each under names of its own; they are removed after the test.

    Call it with a pipeline's name (default: the first one), and with ``config=`` for one of
    another pipelines.toml.
    """
    from streamdev.testing.pipeline import deployed

    made: list[TestedPipeline] = []

    def make(name: str | None = None, *, config: Path | None = None) -> TestedPipeline:
        with _told():
            pipeline = deployed(streamdev_engine, name, config)
        made.append(pipeline)
        return pipeline

    try:
        yield make
    finally:
        for pipeline in made:
            pipeline.remove()


@pytest.fixture
def streamdev_pipeline(
    request: pytest.FixtureRequest, streamdev_pipelines: Callable[..., TestedPipeline]
) -> TestedPipeline:
    """A copy of one pipeline for this test alone.

    It is the first of pipelines.toml, or that of ``@pytest.mark.streamdev("NAME")``.
    """
    mark = request.node.get_closest_marker("streamdev")
    if mark is None:
        return streamdev_pipelines()
    if len(mark.args) != 1 or mark.kwargs:
        raise pytest.UsageError('The marker takes one name: @pytest.mark.streamdev("NAME")')
    return streamdev_pipelines(mark.args[0])
