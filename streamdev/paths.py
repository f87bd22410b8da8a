"""Where a checkout keeps its state, and where a user keeps what all checkouts share."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StateDir:
    """The folder ``.streamdev`` of one project: safe to delete when the engine is down."""

    root: Path

    @classmethod
    def of_project(cls, project_root: Path) -> StateDir:
        """The state folder of the project at ``project_root`` (not created here)."""
        return cls(project_root / ".streamdev")

    @property
    def lock(self) -> Path:
        """Held by whoever starts or stops the engine."""
        return self.root / "engine.lock"

    @property
    def engine_record(self) -> Path:
        """JSON: which engine was started here, its process or container, its port."""
        return self.root / "engine.json"

    @property
    def log(self) -> Path:
        """The host engine's log; rotated files beside it end in ``.1``, ``.2``..."""
        return self.root / "engine.log"

    @property
    def database(self) -> Path:
        """DynamoDB Local's files."""
        return self.root / "dynamodb"

    @property
    def streams(self) -> Path:
        """What the mapping plugin keeps exact: positions and failed batches."""
        return self.root / "streams"

    @property
    def localstack(self) -> Path:
        """LocalStack's own volume folder."""
        return self.root / "localstack"

    @property
    def plugins(self) -> Path:
        """The plugins as LocalStack loads them: our code and its entry points."""
        return self.root / "plugins"

    @property
    def packages(self) -> Path:
        """The zips of functions, as they were deployed."""
        return self.root / "packages"

    @property
    def deployed(self) -> Path:
        """What the last deploy left behind (``deploy.memory``)."""
        return self.root / "deployed.json"


def user_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """The per-user cache: engine environments, DynamoDB Local, runtimes.

    ``STREAMDEV_CACHE`` overrides it; otherwise ``XDG_CACHE_HOME`` (or the platform's
    usual place) holds a folder ``streamdev``.
    """
    if override := environ.get("STREAMDEV_CACHE"):
        return Path(override)
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "streamdev"
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "streamdev"
    return home / ".cache" / "streamdev"
