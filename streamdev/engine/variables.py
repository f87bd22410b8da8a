"""The environment variables an engine is started with: LocalStack's, the plugins', no others.

LocalStack reads some two hundred variables, and Python and the AWS SDKs read more. What the
user has set for other work (credentials, a profile, ``PYTHONPATH``, another LocalStack's
``PERSISTENCE``) must not reach this one, so its environment is made up, not inherited.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamdev.engine.base import HOST, MARK
from streamdev.errors import InvalidInputError
from streamdev.paths import StateDir
from streamdev.semantics.chaos import share

if TYPE_CHECKING:
    from streamdev.engine.java_archive import JavaClasses

# What a process needs of its surroundings: where programs, the home folder and temporary
# files are, the language, the time zone, the way to the network and its certificates.
INHERITED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ",
        "LD_LIBRARY_PATH", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
        "LS_LOG",
    }
)  # fmt: skip


@dataclass(frozen=True)
class HostParts:
    """What the host engine is put together from, each made ready beforehand.

    Attributes:
        runtime_dir: What AWS's Python runtime gives a handler.
        runtime_python: The interpreter of the handlers.
        dynamodb_dir: Folder with ``DynamoDBLocal.jar``.
        java_home: A Java runtime; ``None`` leaves it to LocalStack to fetch one.
        java_classes: What makes Java start quicker; ``None`` without a Java known.
    """

    runtime_dir: Path
    runtime_python: Path
    dynamodb_dir: Path
    java_home: Path | None
    java_classes: JavaClasses | None


def common_variables() -> dict[str, str]:
    """What both our engines set, in a process and in a container."""
    return {
        "LAMBDA_RUNTIME_EXECUTOR": "streamdev-process",
        "PROVIDER_OVERRIDE_DYNAMODB": "v2",
        "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",
        "DDB_LOCAL_TELEMETRY": "0",
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "PYTHONUNBUFFERED": "1",
        # Health checks would fill the log.
        "LOG_LEVEL_OVERRIDES": "localstack.request.http=WARNING",
    }


def inherited_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What a process of LocalStack takes over from the user's environment."""
    return {
        name: value
        for name, value in environ.items()
        if name in INHERITED or name.startswith("LC_")
    }


def folder_variables(root: Path) -> dict[str, str]:
    """What has LocalStack as a local process keep all its files below ``root``.

    By default all processes of one environment share them.
    """
    return {
        "LOCALSTACK_VOLUME_DIR": str(root / "volume"),
        # Where it unzips functions. (It takes a TMPDIR for a setting of its own.)
        "TEMP": str(root / "tmp"),
        "FILESYSTEM_ROOT": str(root),
        "CONFIG_DIR": str(root / "no-profiles"),
        # In a development container it would take itself for LocalStack's own image.
        "OVERRIDE_IN_DOCKER": "0",
    }


def wished_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """What the user's ``STREAMDEV_...`` variables wish of the engine, whichever it is.

    Raises:
        InvalidInputError: One of them has no meaning.
    """
    return mapping_variables(environ) | loop_variables(environ) | throttle_variables(environ)


def mapping_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Whose event source mappings run, and how often LocalStack's own look for something.

    ``STREAMDEV_MAPPING`` is for comparing them: ``streamdev`` is the default; ``localstack``
    leaves mappings and how often they look to LocalStack, while handlers, database and log
    stay streamdev's. Table streams are not polled with ``streamdev``; queues and Kinesis
    streams always are, by LocalStack (its module ``event_source_mapping.esm_worker``).

    Raises:
        InvalidInputError: It is neither.
    """
    value = environ.get("STREAMDEV_MAPPING") or "streamdev"
    if value not in ("streamdev", "localstack"):
        raise InvalidInputError(
            f"STREAMDEV_MAPPING is {value!r}, which is no mapping.",
            hint="Set it to 'streamdev' (the default) or 'localstack', or unset it.",
        )
    interval, longest = ("0.5", "1") if value == "streamdev" else ("1", "10")
    return {
        "STREAMDEV_MAPPING": value,
        "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": interval,
        "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": longest,
    }


def loop_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """After how many rounds a loop is stopped: ``STREAMDEV_LOOP_LIMIT``, a number or ``off``.

    Raises:
        InvalidInputError: It is neither.
    """
    value = environ.get("STREAMDEV_LOOP_LIMIT") or ""
    if value not in ("", "off") and not (value.isdecimal() and int(value)):
        raise InvalidInputError(
            f"STREAMDEV_LOOP_LIMIT is {value!r}, which is no number of rounds.",
            hint="Set it to 1 or more (16 is the default), or to 'off', or unset it.",
        )
    return {"STREAMDEV_LOOP_LIMIT": value} if value else {}


def throttle_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """How many reads and writes of items are throttled: ``STREAMDEV_DYNAMODB_THROTTLE``, a share.

    LocalStack refuses so many with ``ProvisionedThroughputExceededException`` (its module
    ``services.dynamodb.v2.provider``, ``should_throttle``).

    Raises:
        InvalidInputError: It is no share.
    """
    value = environ.get("STREAMDEV_DYNAMODB_THROTTLE")
    if not value:
        return {}
    try:
        return {"DYNAMODB_ERROR_PROBABILITY": f"{share(value):g}"}
    except ValueError as error:
        raise InvalidInputError(
            f"STREAMDEV_DYNAMODB_THROTTLE: {error}.", hint="Set it to 20% or 0.2, or unset it."
        ) from error


def host_variables(
    state: StateDir,
    parts: HostParts,
    *,
    port: int,
    engine_id: str,
    region: str,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of LocalStack as a local process.

    Args:
        state: The checkout's state folder.
        parts: What the engine is put together from.
        port: Where it is to listen, on 127.0.0.1.
        engine_id: The mark of all its processes.
        region: The region of its DynamoDB and of the dummy AWS configuration.
        environ: The user's environment; only ``INHERITED``, ``LC_*`` and what
            ``wished_variables`` reads are taken from it.

    Raises:
        InvalidInputError: One of the latter has no meaning.
    """
    nowhere = str(state.localstack / "no-aws-configuration")
    variables = inherited_variables(environ) | common_variables() | wished_variables(environ)
    variables |= folder_variables(state.localstack)
    variables |= {
        # Nothing between the engine's own parts goes through a proxy.
        "NO_PROXY": _no_proxy(environ),
        "no_proxy": _no_proxy(environ),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_LISTEN": f"{HOST}:{port}",
        # Addresses that LocalStack hands out (queue URLs) must resolve without a network.
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",
        "PYTHONPATH": str(state.plugins),
        MARK: engine_id,
        "STREAMDEV_STATE_DIR": str(state.streams),
        "STREAMDEV_RUNTIME_DIR": str(parts.runtime_dir),
        "STREAMDEV_RUNTIME_PYTHON": str(parts.runtime_python),
        "STREAMDEV_DYNAMODB_DIR": str(parts.dynamodb_dir),
        "STREAMDEV_DB_DIR": str(state.database),
        "STREAMDEV_LOG_FILE": str(state.log),
    }
    if parts.java_home:
        variables["STREAMDEV_JAVA_HOME"] = str(parts.java_home)
    if parts.java_classes:
        variables["STREAMDEV_CLASS_PATH"] = parts.java_classes.class_path
        if parts.java_classes.archive:
            variables["STREAMDEV_JAVA_ARCHIVE"] = str(parts.java_classes.archive)
    return variables


def _no_proxy(environ: Mapping[str, str]) -> str:
    given = environ.get("NO_PROXY") or environ.get("no_proxy") or ""
    names = [name.strip() for name in given.split(",") if name.strip()]
    return ",".join([*names, *(n for n in (HOST, "localhost") if n not in names)])


# What an SDK would prefer to the variables below, or mix with them.
CLEARED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")


def client_variables(endpoint_url: str, region: str) -> dict[str, str]:
    """What points any AWS SDK or command line at the engine (``./dev.py env``)."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        # LocalStack's own command lines (awslocal) go by this one.
        "LOCALSTACK_HOST": endpoint_url.split("://", 1)[-1].rstrip("/"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
