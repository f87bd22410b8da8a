"""The engine of a test session: found running, or started for the session and stopped after it."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamdev.cli.context import CONFIG_NAME, Context, Settings
from streamdev.cli.engines import choose, region_of
from streamdev.cli.progress import TerminalProgress
from streamdev.engine.base import EngineInfo
from streamdev.engine.ports import free_port
from streamdev.engine.variables import client_variables
from streamdev.errors import EngineNotRunningError, InvalidInputError, NotFoundError
from streamdev.locks import file_lock

if TYPE_CHECKING:
    from streamdev.aws.gateway import Gateway

LOCK_TIMEOUT_S = 900


@dataclass(frozen=True)
class SessionEngine:
    """A running engine.

    Attributes:
        endpoint_url: Where AWS's API answers.
        name: ``host`` or ``compose``.
        environ: The variables that point any AWS SDK at it (``AWS_ENDPOINT_URL`` and others), for
            code under test.
    """

    context: Context = field(repr=False)
    endpoint_url: str
    name: str
    environ: Mapping[str, str] = field(repr=False)

    @property
    def gateway(self) -> Gateway:
        """streamdev's own way to the API."""
        return self.context.gateway

    def client(self, service: str) -> Any:
        """A boto3 client of the engine."""
        # boto3's stubs know services by name; here it is whichever the test wants.
        return self.gateway.client(service)  # type: ignore[call-overload]


def quiet_context(config: Path, engine: str | None, port: int | None = None) -> Context:
    """What commands work with, printing nothing.

    Raises:
        InvalidInputError: ``STREAMDEV_PORT`` is none.
    """
    environ = dict(os.environ)
    if port is None and (given := environ.get("STREAMDEV_PORT")):
        if not given.isdecimal():
            raise InvalidInputError(f"STREAMDEV_PORT is '{given}', which is no port.")
        port = int(given)
    name = engine or environ.get("STREAMDEV_ENGINE") or "auto"
    settings = Settings(
        config=config,
        engine=name,
        port=port,
        endpoint_url=environ.get("STREAMDEV_ENDPOINT_URL") or None,
    )
    return Context(settings, environ, io.StringIO(), io.StringIO(), io.StringIO(), config.parent)


def find_config(*folders: Path) -> Path:
    """The pipelines.toml of ``STREAMDEV_CONFIG``, else the nearest upwards from a folder.

    Raises:
        NotFoundError: There is none.
    """
    if given := os.environ.get("STREAMDEV_CONFIG"):
        return Path(given).resolve()
    for folder in folders:
        for parent in (folder, *folder.parents):
            if (parent / CONFIG_NAME).is_file():
                return parent / CONFIG_NAME
    raise NotFoundError(
        f"There is no {CONFIG_NAME} in {folders[0]} or above it.",
        hint="Make one: streamdev init. Or override the fixture streamdev_config.",
    )


def start_engine(config: Path, engine: str | None, run: Path) -> SessionEngine:
    """The engine of the project of ``config``, started if it does not run.

    Args:
        config: The project's pipelines.toml.
        engine: Which engine to start; ``None``: as the environment says, else by choice.
        run: Where to note that this run started it. Workers of one run share the file, and the
            first of them starts the engine.

    Raises:
        EngineStartError: It did not come up.
        InvalidInputError: It is one without streamdev's plugins.
    """
    context = quiet_context(config, engine)
    context.state.root.mkdir(parents=True, exist_ok=True)
    with file_lock(context.state.root / "pytest.lock", LOCK_TIMEOUT_S):
        info = _running(context)
        if info is None:
            chosen = choose(context).name
            if context.settings.port is None and not context.state.engine_record.exists():
                # Other projects' engines may have the usual one.
                context = quiet_context(config, engine, free_port())
            run.write_text(json.dumps({"config": str(config), "engine": chosen}), "utf-8")
            with TerminalProgress(context.err) as progress:
                info = context.engine.start(progress)
    if not info.has_plugins:
        raise InvalidInputError(
            f"The {info.name} engine tells nothing of single records, which tests need.",
            hint="Use the host or the compose engine: --streamdev-engine host",
        )
    region = region_of(context.environ)
    environ = client_variables(info.endpoint_url, region)
    return SessionEngine(context, info.endpoint_url, info.name, environ)


def _running(context: Context) -> EngineInfo | None:
    try:
        return context.engine.running()
    except EngineNotRunningError:
        return None


def stop_engine(run: Path) -> None:
    """Stop the engine that a run has started; data that it found is kept."""
    told = json.loads(run.read_text(encoding="utf-8"))
    quiet_context(Path(told["config"]), told["engine"]).engine.stop(keep=True)
    run.unlink()
