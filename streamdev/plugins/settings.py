"""What the command line tells the plugins, through the environment of LocalStack's process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_LOOP_LIMIT = 16


@dataclass(frozen=True)
class PluginSettings:
    """The ``STREAMDEV_...`` variables, read once.

    Attributes:
        state_dir: Folder for positions and failed batches (``STREAMDEV_STATE_DIR``).
        runtime_dir: What AWS's Python runtime gives a handler: boto3, botocore,
            awslambdaric... (``STREAMDEV_RUNTIME_DIR``).
        runtime_python: The interpreter of the handlers (``STREAMDEV_RUNTIME_PYTHON``;
            default: the one LocalStack's environment was made from).
        dynamodb_dir: Folder with ``DynamoDBLocal.jar`` and ``DynamoDBLocal_lib``
            (``STREAMDEV_DYNAMODB_DIR``; default: LocalStack's own).
        java_home: A Java runtime (``STREAMDEV_JAVA_HOME``; default: LocalStack's own).
        class_path: Of DynamoDB Local and our own classes (``STREAMDEV_CLASS_PATH``; default: the
            classes beside this package's modules, and ``dynamodb_dir``).
        java_archive: The JVM's data of these classes (``STREAMDEV_JAVA_ARCHIVE``; default: none).
        database_dir: DynamoDB Local's files (``STREAMDEV_DB_DIR``; default: in memory).
        log_file: The file that standard output goes to, so that it can be rotated
            (``STREAMDEV_LOG_FILE``; default: not rotated by us).
        engine_id: Marks every process of this engine (``STREAMDEV_ENGINE_ID``).
        own_mapping: Whether mappings are streamdev's; ``STREAMDEV_MAPPING=localstack`` leaves
            them, and how often they look, to LocalStack.
        loop_limit: After so many rounds a loop is stopped (``STREAMDEV_LOOP_LIMIT``, default
            16, as AWS's recursion detection); ``None`` (``off``) stops none.
        own_runtime_client: Run handlers with streamdev's Runtime API client even where
            ``awslambdaric`` is there (``STREAMDEV_RUNTIME_CLIENT=own``).
    """

    state_dir: Path | None
    runtime_dir: Path | None
    runtime_python: str | None
    dynamodb_dir: Path | None
    java_home: Path | None
    class_path: str | None
    java_archive: Path | None
    database_dir: Path | None
    log_file: Path | None
    engine_id: str | None
    own_mapping: bool
    own_runtime_client: bool
    loop_limit: int | None = DEFAULT_LOOP_LIMIT

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> PluginSettings:
        """Read the settings; an empty variable counts as unset."""

        def path(name: str) -> Path | None:
            value = environ.get(name)
            return Path(value) if value else None

        return cls(
            state_dir=path("STREAMDEV_STATE_DIR"),
            runtime_dir=path("STREAMDEV_RUNTIME_DIR"),
            runtime_python=environ.get("STREAMDEV_RUNTIME_PYTHON") or None,
            dynamodb_dir=path("STREAMDEV_DYNAMODB_DIR"),
            java_home=path("STREAMDEV_JAVA_HOME"),
            class_path=environ.get("STREAMDEV_CLASS_PATH") or None,
            java_archive=path("STREAMDEV_JAVA_ARCHIVE"),
            database_dir=path("STREAMDEV_DB_DIR"),
            log_file=path("STREAMDEV_LOG_FILE"),
            engine_id=environ.get("STREAMDEV_ENGINE_ID") or None,
            own_mapping=environ.get("STREAMDEV_MAPPING") != "localstack",
            own_runtime_client=environ.get("STREAMDEV_RUNTIME_CLIENT") == "own",
            loop_limit=_loop_limit(environ.get("STREAMDEV_LOOP_LIMIT") or ""),
        )


def _loop_limit(value: str) -> int | None:
    """The command line has checked the value; a container started by hand gets the default."""
    if value == "off":
        return None
    return int(value) if value.isdecimal() and int(value) else DEFAULT_LOOP_LIMIT
