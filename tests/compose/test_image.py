"""streamdev's own image, by itself: no Compose, no mounts."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import docker

from streamdev.engine.images import OWN
from streamdev.engine.readiness import probe
from tests.support.project import eventually

DOCS = Path(__file__).resolve().parents[2] / "docs" / "compose.md"


def printed(client: docker.DockerClient, *command: str, errors: bool = True) -> str:
    container = client.containers.run(
        OWN, entrypoint=list(command), detach=True, network_mode="none"
    )
    try:
        container.wait()
        return bytes(container.logs(stderr=errors)).decode()
    finally:
        container.remove(force=True, v=True)


def test_it_works_alone_and_ends_in_order(client: docker.DockerClient) -> None:
    container = client.containers.run(
        OWN, detach=True, init=True, ports={"4566/tcp": ("127.0.0.1", 0)}
    )
    try:

        def bindings() -> list[dict[str, str]] | None:
            container.reload()
            return container.ports.get("4566/tcp")

        (binding,) = eventually(bindings) or []
        endpoint = f"http://127.0.0.1:{binding['HostPort']}"
        eventually(lambda: probe(endpoint).ready, timeout=120, interval=0.5)
        dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        assert dynamodb.list_tables()["TableNames"] == []
        container.stop(timeout=120)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0
    finally:
        container.remove(force=True, v=True)


def test_it_runs_as_an_ordinary_user_without_a_shell(client: docker.DockerClient) -> None:
    config = client.images.get(OWN).attrs["Config"]
    assert config["User"] == "localstack"
    assert config["Entrypoint"][0] == "/opt/code/localstack/.venv/bin/python"
    assert not any(word in ("sh", "bash", "-c") for word in config["Entrypoint"])
    assert printed(client, "id", "--user").strip() == "1000"
    assert "denied" in printed(client, "touch", "/opt/streamdev/plugins/x")


def test_it_holds_nothing_that_only_the_build_needed(client: docker.DockerClient) -> None:
    def files(*where: str) -> list[str]:
        told = printed(client, "find", *where, "-type", "f").splitlines()
        return [line for line in told if not line.startswith("find: ")]

    assert files("/src", "/opt/tools", "/usr/local/share/ca-certificates") == []
    assert files("/", "-xdev", "-name", "node") == []
    assert files("/", "-xdev", "-name", "*.debuginfo") == []


def test_its_size_is_as_the_docs_say(client: docker.DockerClient) -> None:
    stated = re.search(r"it is about (\d+) MB", DOCS.read_text())
    assert stated
    size = client.images.get(OWN).attrs["Size"] / 1e6
    # On python:3.13-slim it differs a little.
    assert abs(size - int(stated[1])) < 100, f"{size:.0f} MB"
