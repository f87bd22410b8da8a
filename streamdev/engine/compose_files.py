"""The Compose files of a checkout's engine, what they interpolate, and the ports they publish."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from streamdev.engine.base import DEFAULT_PORT, HOST, MARK
from streamdev.engine.ports import DEBUG_PORTS, is_free
from streamdev.engine.record import checkout_mark
from streamdev.engine.variables import common_variables, wished_variables
from streamdev.errors import EngineStartError, InvalidInputError
from streamdev.paths import StateDir

FILE_NAME = "docker-compose.yml"
EXECUTOR_FILE_NAME = "docker-compose.docker-executor.yml"
OVERRIDE_FILE_NAME = "docker-compose.override.yml"
SERVICE = "localstack"
PLUGINS = "/opt/streamdev/plugins"
RUNTIME = "/opt/streamdev/runtime"
DATA = "/var/lib/localstack"
EXECUTORS = ("process", "docker")

# LocalStack's own ports for services, beside its gateway: 4510 to 4559 with 4566.
FIRST_SERVICE_PORT = 4510
SERVICE_PORTS = 50


@dataclass(frozen=True)
class PortBlock:
    """Fifty consecutive ports: forty for LocalStack's services, ten left free for debuggers."""

    first: int

    @property
    def last(self) -> int:
        """The last of them."""
        return self.first + SERVICE_PORTS - 1

    @property
    def first_debug_port(self) -> int:
        """The first that is left free."""
        return self.first + SERVICE_PORTS - DEBUG_PORTS

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


def choose_block(port: int) -> PortBlock:
    """The service ports of an engine on ``port``: moved as far as the port is from 4566.

    Where one of them is taken (another checkout's engine on a port nearby), the next fifty
    below that are free.

    Raises:
        EngineStartError: There are none.
    """
    wanted = FIRST_SERVICE_PORT + port - DEFAULT_PORT
    if wanted < 1024:
        wanted = port + 1
    for first in _candidates(wanted):
        block = range(first, first + SERVICE_PORTS)
        if port not in block and all(is_free(each) for each in block):
            return PortBlock(first)
    raise EngineStartError(
        f"There are no {SERVICE_PORTS} free ports in a row for an engine on port {port}.",
        hint="Choose another region of ports: ./dev.py up --port 14566",
    )


def _candidates(wanted: int) -> Iterable[int]:
    yield wanted
    yield from range(wanted - SERVICE_PORTS, 1024, -SERVICE_PORTS)
    yield from range(wanted + 2 * SERVICE_PORTS, 65_536 - SERVICE_PORTS, SERVICE_PORTS)


def project_name(state: StateDir) -> str:
    """The Compose project of a checkout: its folder's name for people, a hash to be unique."""
    folder = re.sub(r"[^a-z0-9]+", "-", state.root.resolve().parent.name.lower()).strip("-")
    return "-".join(filter(None, ("streamdev", folder[:24].strip("-"), checkout_mark(state.root))))


def volume_name(project: str) -> str:
    """Docker's name for the volume of a project."""
    return f"{project}_{SERVICE}"


def check_limits(environ: Mapping[str, str]) -> None:
    """Make sure that ``STREAMDEV_MEMORY`` and ``STREAMDEV_CPUS`` are limits.

    Raises:
        InvalidInputError: One is not; Compose's own words for that lead nowhere.
    """
    memory, cpus = environ.get("STREAMDEV_MEMORY"), environ.get("STREAMDEV_CPUS")
    if memory and not re.fullmatch(r"\d+(\.\d+)?([bkmg]b?)?", memory, re.IGNORECASE):
        raise InvalidInputError(
            f"STREAMDEV_MEMORY is '{memory}', which is no size.",
            hint="For instance: STREAMDEV_MEMORY=6g",
        )
    if cpus and not re.fullmatch(r"\d+(\.\d+)?", cpus):
        raise InvalidInputError(
            f"STREAMDEV_CPUS is '{cpus}', which is no number of processors.",
            hint="For instance: STREAMDEV_CPUS=1.5",
        )


def executor_of(environ: Mapping[str, str]) -> str:
    """How handlers run: ``process``, or ``docker`` by ``STREAMDEV_EXECUTOR``.

    Raises:
        InvalidInputError: It is neither.
    """
    executor = environ.get("STREAMDEV_EXECUTOR") or "process"
    if executor not in EXECUTORS:
        raise InvalidInputError(
            f"STREAMDEV_EXECUTOR is '{executor}', which is not one of: {', '.join(EXECUTORS)}.",
            hint="Unset it for handlers as processes in LocalStack's container.",
        )
    return executor


def compose_file(project_root: Path) -> Path:
    """The docker-compose.yml in force: the project's if it is streamdev's, else our own.

    A project that streamdev was installed into may have a docker-compose.yml for its own work.

    Raises:
        InvalidInputError: The project's can't be read.
    """
    theirs = project_root / FILE_NAME
    try:
        if SERVICE in (text := theirs.read_text(encoding="utf-8")) and "streamdev" in text:
            return theirs
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"{theirs} can't be read: {error}", hint="Make it readable, or move it away."
        ) from error
    return own_file(FILE_NAME)


def own_file(name: str) -> Path:
    """streamdev's own Compose file of that name.

    It lies beside this module; in a checkout that is a link to the one at its root.
    """
    return Path(__file__).with_name(name).resolve()


def files_in_force(file: Path, executor: str, engine_file: Path) -> list[Path]:
    """All files of the project, the later over the earlier.

    Args:
        file: The docker-compose.yml.
        executor: How handlers run.
        engine_file: What ``write_engine_file`` wrote.
    """
    files = [file]
    if executor == "docker":
        theirs = file.with_name(EXECUTOR_FILE_NAME)
        files.append(theirs if theirs.is_file() else own_file(EXECUTOR_FILE_NAME))
    files.append(engine_file)
    # Compose itself takes it only where no file is named. The user's wishes come last.
    override = file.with_name(OVERRIDE_FILE_NAME)
    return [*files, override] if override.is_file() else files


def container_variables(
    *, port: int, engine_id: str, region: str, executor: str, environ: Mapping[str, str]
) -> dict[str, str]:
    """The container's environment, whatever docker-compose.yml says.

    Args:
        port: The gateway's, inside as outside.
        engine_id: The engine's mark.
        region: The region of its DynamoDB and of the dummy AWS configuration.
        executor: How handlers run.
        environ: The user's environment; what ``wished_variables`` reads is taken from it.

    Raises:
        InvalidInputError: One of those has no meaning.
    """
    variables = common_variables() | wished_variables(environ)
    if executor == "docker":
        variables["LAMBDA_RUNTIME_EXECUTOR"] = "docker"
    return variables | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "GATEWAY_LISTEN": f"0.0.0.0:{port}",
        "LOCALSTACK_HOST": f"{HOST}:{port}",
        "SQS_ENDPOINT_STRATEGY": "path",
        "PYTHONPATH": PLUGINS,
        MARK: engine_id,
        "STREAMDEV_STATE_DIR": f"{DATA}/streamdev/streams",
        "STREAMDEV_DB_DIR": f"{DATA}/streamdev/dynamodb",
        "STREAMDEV_RUNTIME_DIR": RUNTIME,
    }


def write_engine_file(
    path: Path,
    *,
    plugins: Path,
    runtime: Path,
    variables: Mapping[str, str],
    labels: Mapping[str, str],
) -> None:
    """Write what the engine adds to docker-compose.yml; JSON, which is YAML too.

    Args:
        path: Where to.
        plugins: The folder with the plugins and their ``.dist-info``.
        runtime: What handlers may import, made for the container's Python and platform.
        variables: The container's environment.
        labels: Of the container.
    """
    info = next(plugins.glob("*.dist-info"))
    mounted_info = f"{PLUGINS}/streamdev_localstack-0.dist-info"
    service = {
        "labels": _literal(labels),
        "environment": _literal(variables),
        "volumes": [
            _read_only(plugins / "streamdev", f"{PLUGINS}/streamdev"),
            _read_only(info / "entry_points.txt", f"{mounted_info}/entry_points.txt"),
            _read_only(runtime, RUNTIME),
        ],
    }
    path.write_text(json.dumps({"services": {SERVICE: service}}, indent=2) + "\n", "utf-8")


def _literal(values: Mapping[str, str]) -> dict[str, str]:
    """Compose replaces $NAME in values; $$ is a dollar sign."""
    return {name: value.replace("$", "$$") for name, value in values.items()}


def _read_only(source: Path, target: str) -> dict[str, str | bool]:
    source_text = str(source.resolve()).replace("$", "$$")
    return {"type": "bind", "source": source_text, "target": target, "read_only": True}


def interpolated(
    environ: Mapping[str, str],
    *,
    image: str,
    port: int,
    block: PortBlock,
    engine_id: str,
    region: str,
    host: str,
) -> dict[str, str]:
    """The environment for Compose: the user's, and what the files interpolate.

    Args:
        environ: The user's.
        image: The image to run.
        port: The gateway's.
        block: The services'.
        engine_id: The engine's mark.
        region: The region of its DynamoDB.
        host: The Docker daemon's address.
    """
    variables = {
        **environ,
        "DOCKER_HOST": host,
        "LOCALSTACK_IMAGE": image,
        "STREAMDEV_PORT": str(port),
        "STREAMDEV_SERVICE_PORTS": str(block),
        "STREAMDEV_SERVICE_PORTS_START": str(block.first),
        "STREAMDEV_SERVICE_PORTS_END": str(block.first_debug_port),
        "STREAMDEV_ENGINE_ID": engine_id,
        "DEFAULT_REGION": region,
    }
    # These would change what runs.
    for name in ("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES"):
        variables.pop(name, None)
    if host.startswith("unix://"):
        variables.setdefault("STREAMDEV_DOCKER_SOCKET", host.removeprefix("unix://"))
    return variables
