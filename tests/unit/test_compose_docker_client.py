"""Reaching a Docker daemon: each way to fail has its own words."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from streamdev.engine.compose import why_not
from streamdev.engine.docker_client import DockerUnavailableError, connected, docker_host


def fails(host: str) -> DockerUnavailableError:
    with pytest.raises(DockerUnavailableError) as caught, connected({"DOCKER_HOST": host}):
        pass
    return caught.value


def test_no_socket_means_no_daemon(tmp_path: Path) -> None:
    error = fails(f"unix://{tmp_path}/docker.sock")
    assert error.message == f"No Docker daemon answers at unix://{tmp_path}/docker.sock."
    assert error.reason == "no Docker daemon answers"
    assert "--engine host" in str(error.hint)


def test_a_socket_that_nobody_listens_on_means_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    assert fails(f"unix://{path}").reason == "no Docker daemon answers"


def test_a_closed_tcp_port_means_no_daemon() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert fails(f"tcp://127.0.0.1:{port}").reason == "no Docker daemon answers"


def test_something_else_on_the_socket_is_no_daemon(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def hang_up() -> None:
            for _ in range(2):  # the probe, then the client
                connection, _ = server.accept()
                connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        error = fails(f"unix://{path}")
        thread.join(10)
    assert error.message.startswith(f"No Docker daemon answers at unix://{path} (")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone without permission")
def test_a_socket_that_one_may_not_use_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder != Path("/") and folder.name:
            folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import os, sys\n"
        "from streamdev.engine.docker_client import DockerUnavailableError, connected\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n"
        "    with connected({'DOCKER_HOST': sys.argv[1]}): pass\n"
        "except DockerUnavailableError as error:\n"
        "    print(error.message, error.hint, error.reason, sep='\\n')\n"
    )
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o660)
        server.listen()
        told = subprocess.run(
            [sys.executable, "-c", code, f"unix://{path}"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    assert told[0] == f"You may not use the Docker socket {path}."
    assert "docker $USER" in told[1]
    assert told[2] == "the Docker socket may not be used by this user"


def test_a_daemon_on_another_machine_is_refused() -> None:
    error = fails("tcp://build-server.example:2376")
    assert "is on another machine" in error.message


def test_docker_host_wins() -> None:
    assert docker_host({"DOCKER_HOST": "unix:///x.sock"}) == "unix:///x.sock"


def test_the_current_context_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As Docker Desktop and Colima set it up.
    name = "colima"
    digest = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16"
    meta = tmp_path / "contexts" / "meta" / digest
    meta.mkdir(parents=True)
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
    (meta / "meta.json").write_text(
        json.dumps(
            {
                "Name": name,
                "Metadata": {},
                "Endpoints": {"docker": {"Host": "unix:///colima.sock", "SkipTLSVerify": False}},
            }
        )
    )
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert docker_host({}) == "unix:///colima.sock"


def test_an_unknown_context_is_named() -> None:
    with pytest.raises(DockerUnavailableError, match="no Docker context named 'nowhere'"):
        docker_host({"DOCKER_CONTEXT": "nowhere"})


def test_auto_says_why_it_does_not_take_compose(tmp_path: Path) -> None:
    environ = {"DOCKER_HOST": f"unix://{tmp_path}/docker.sock"}
    assert why_not(environ=environ) == "no Docker daemon answers"
