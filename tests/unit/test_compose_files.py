"""The Compose files, what the engine adds to them, and the ports an engine publishes."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from streamdev.engine import compose_files
from streamdev.engine.compose_files import PortBlock, choose_block
from streamdev.engine.variables import common_variables, mapping_variables
from streamdev.errors import InvalidInputError
from streamdev.paths import StateDir

REPOSITORY = Path(__file__).resolve().parents[2]
FILE = REPOSITORY / "docker-compose.yml"
EXECUTOR_FILE = REPOSITORY / "docker-compose.docker-executor.yml"


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    with ExitStack() as stack:
        for port in ports:
            server = stack.enter_context(socket.socket())
            server.bind(("127.0.0.1", port))
            server.listen()
        yield


def free_region() -> int:
    """A gateway port with some 200 free ports below it."""
    for port in range(24_000, 60_000, 500):
        with ExitStack() as stack:
            try:
                for each in range(port - 200, port + 1):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", each))
            except OSError:
                continue
        return port
    raise AssertionError("no free ports")


def test_the_service_ports_move_with_the_gateways_port() -> None:
    port = free_region()
    block = choose_block(port)
    assert (block.first, block.last) == (port - 56, port - 7)
    assert (block.first_debug_port, str(block)) == (port - 16, f"{port - 56}-{port - 7}")


def test_with_the_usual_port_they_are_localstacks() -> None:
    assert str(PortBlock(4510)) == "4510-4559"
    assert PortBlock(4510).first_debug_port == 4550


def test_a_taken_port_moves_the_block_further_as_a_whole() -> None:
    port = free_region()
    with taken(port - 30):
        block = choose_block(port)
    assert (block.first, block.last) == (port - 106, port - 57)


def test_a_low_port_has_its_block_above_it() -> None:
    block = choose_block(1030)
    assert block.first > 1030


def test_each_checkout_has_a_project_name_of_its_own(tmp_path: Path) -> None:
    one = compose_files.project_name(StateDir.of_project(tmp_path / "My Project_1"))
    other = compose_files.project_name(StateDir.of_project(tmp_path / "b" / "My Project_1"))
    assert re.fullmatch(r"streamdev-my-project-1-[0-9a-f]{12}", one)
    assert one != other


def test_a_folder_name_without_letters_makes_a_valid_project_name(tmp_path: Path) -> None:
    name = compose_files.project_name(StateDir.of_project(tmp_path / "項目"))
    assert re.fullmatch(r"streamdev-[0-9a-f]{12}", name)


def test_a_projects_own_compose_file_is_taken_when_it_is_streamdevs(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(FILE.read_text())
    assert compose_files.compose_file(tmp_path) == tmp_path / "docker-compose.yml"


def test_a_compose_file_for_other_work_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {web: {image: nginx}}\n")
    assert compose_files.compose_file(tmp_path) == FILE


def test_without_one_our_own_is_taken(tmp_path: Path) -> None:
    assert compose_files.compose_file(tmp_path) == FILE


def test_a_compose_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInputError, match=r"docker-compose\.yml can't be read"):
        compose_files.compose_file(tmp_path)


def test_an_override_of_the_users_comes_last(tmp_path: Path) -> None:
    file, override = tmp_path / "docker-compose.yml", tmp_path / "docker-compose.override.yml"
    override.write_text("services: {}\n")
    engine = tmp_path / "engine.json"
    assert compose_files.files_in_force(file, "process", engine) == [file, engine, override]
    assert compose_files.files_in_force(file, "docker", engine)[1].name == EXECUTOR_FILE.name


def test_the_executor_is_process_or_docker() -> None:
    assert compose_files.executor_of({}) == "process"
    assert compose_files.executor_of({"STREAMDEV_EXECUTOR": "docker"}) == "docker"
    with pytest.raises(InvalidInputError, match="'podman', which is not one of: process, docker"):
        compose_files.executor_of({"STREAMDEV_EXECUTOR": "podman"})


@pytest.mark.parametrize("memory", ["", "6g", "512M", "1.5gb", "1073741824"])
@pytest.mark.parametrize("cpus", ["", "2", "0.5"])
def test_limits_that_docker_understands_pass(memory: str, cpus: str) -> None:
    compose_files.check_limits({"STREAMDEV_MEMORY": memory, "STREAMDEV_CPUS": cpus})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STREAMDEV_MEMORY", "abc"),
        ("STREAMDEV_MEMORY", "-1g"),
        ("STREAMDEV_MEMORY", "4 apples"),
        ("STREAMDEV_CPUS", "all"),
        ("STREAMDEV_CPUS", "-1"),
    ],
)
def test_a_limit_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{name} is '{value}', which is no ") as caught:
        compose_files.check_limits({name: value})
    assert f"{name}=" in str(caught.value.hint)


def test_localstacks_own_mappings_look_as_often_as_localstack_has_it() -> None:
    ours = mapping_variables({})
    theirs = mapping_variables({"STREAMDEV_MAPPING": "localstack"})
    seconds = "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC"
    assert (ours[seconds], theirs[seconds]) == ("1", "10")


def test_the_engines_file_mounts_read_only_by_absolute_paths(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    (plugins / "streamdev_localstack-1.dist-info").mkdir(parents=True)
    file = tmp_path / "engine.json"
    compose_files.write_engine_file(
        file,
        plugins=plugins,
        runtime=tmp_path / "runtime",
        variables={"A": "1", "B": "$x"},
        labels={"streamdev.checkout": "/home/$x"},
    )
    service = json.loads(file.read_text())["services"]["localstack"]
    assert service["labels"] == {"streamdev.checkout": "/home/$$x"}
    assert service["environment"] == {"A": "1", "B": "$$x"}
    for mount in service["volumes"]:
        assert Path(mount["source"]).is_absolute()
        assert mount["target"].startswith("/opt/streamdev/")
        assert mount["read_only"] is True


def test_the_container_gets_what_the_file_may_have_lost() -> None:
    variables = compose_files.container_variables(
        port=5000, engine_id="an-id", region="eu-west-1", executor="docker", environ={}
    )
    assert variables["GATEWAY_LISTEN"] == "0.0.0.0:5000"
    assert variables["LOCALSTACK_HOST"] == "127.0.0.1:5000"
    assert variables["STREAMDEV_ENGINE_ID"] == "an-id"
    assert variables["LAMBDA_RUNTIME_EXECUTOR"] == "docker"
    assert variables["AWS_DEFAULT_REGION"] == "eu-west-1"


def test_settings_for_compose_itself_do_not_reach_our_project() -> None:
    environ = compose_files.interpolated(
        {"COMPOSE_FILE": "other.yml", "COMPOSE_PROJECT_NAME": "other", "HOME": "/home/x"},
        image="an/image:1",
        port=5000,
        block=PortBlock(4944),
        engine_id="id",
        region="eu-west-1",
        host="unix:///run/docker.sock",
    )
    assert "COMPOSE_FILE" not in environ
    assert "COMPOSE_PROJECT_NAME" not in environ
    assert environ["HOME"] == "/home/x"
    assert environ["STREAMDEV_SERVICE_PORTS"] == "4944-4993"
    assert environ["STREAMDEV_SERVICE_PORTS_END"] == "4984"
    assert environ["STREAMDEV_DOCKER_SOCKET"] == "/run/docker.sock"


def test_by_hand_the_file_sets_what_the_engine_sets() -> None:
    text = FILE.read_text()
    wanted = common_variables() | mapping_variables({})
    del wanted["STREAMDEV_MAPPING"]  # the default, in the plugins as well
    for name, value in wanted.items():
        assert re.search(rf'^ +{name}: "?{re.escape(value)}"?$', text, re.MULTILINE), name


def test_the_file_publishes_on_the_loopback_address_alone() -> None:
    ports = re.search(r"\n    ports:\n((?:      .*\n)+)", FILE.read_text())
    assert ports
    published = [line for line in ports[1].splitlines() if line.strip().startswith("-")]
    assert len(published) == 2
    assert all('- "127.0.0.1:' in line for line in published)


def test_only_the_second_file_hands_out_the_docker_socket() -> None:
    assert "docker.sock" not in FILE.read_text()
    assert ":-/var/run/docker.sock}:/var/run/docker.sock" in EXECUTOR_FILE.read_text()


def test_the_file_pins_an_image_that_needs_no_token() -> None:
    assert "${LOCALSTACK_IMAGE:-localstack/localstack:4.14.0}" in FILE.read_text()
