"""The gateway: local endpoints only, dummy credentials, errors in words."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from streamdev.aws.endpoints import is_local
from streamdev.aws.gateway import Gateway
from streamdev.errors import EngineNotRunningError, InvalidInputError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:4566",
        "http://127.8.9.1:4566/",
        "http://localhost:4566",
        "https://localhost.localstack.cloud:4566",
        "http://s3.localhost.localstack.cloud:4566",
        "http://engine.localhost",
        "http://[::1]:4566",
        "http://0.0.0.0:4566",
        "http://host.docker.internal:4566",
        "HTTP://LOCALHOST:4566",
    ],
)
def test_loopback_hosts_are_local(url: str) -> None:
    assert is_local(url)
    assert Gateway(url).endpoint_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.us-east-1.amazonaws.com",
        "http://10.0.0.5:4566",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://localhost@example.com",
        "http://evil-localhost",
    ],
)
def test_other_hosts_are_refused_unless_allowed(url: str) -> None:
    with pytest.raises(InvalidInputError, match="not on this machine"):
        Gateway(url)
    assert Gateway(url, allow_remote=True).endpoint_url == url


@pytest.mark.parametrize("url", ["", "127.0.0.1:4566", "ftp://localhost", "http://", "http://[::1"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="no endpoint"):
        Gateway(url, allow_remote=True)


def test_the_users_aws_configuration_is_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[profile mine]\nregion = eu-west-1\naws_access_key_id = REAL\nbroken\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "REAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "REAL")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "REAL")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://10.0.0.5")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.5:3128")
    client: Any = Gateway("http://127.0.0.1:4566").client("dynamodb")
    credentials = client._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key) == ("test", "test")
    assert credentials.token is None
    assert client.meta.endpoint_url == "http://127.0.0.1:4566"
    assert client.meta.region_name == "us-east-1"
    assert client.meta.config.proxies == {}


def test_threads_share_one_client() -> None:
    gateway = Gateway("http://127.0.0.1:4566")
    seen: list[Any] = []
    threads = [
        threading.Thread(target=lambda: seen.append(gateway.client("sqs"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in seen}) == 1


def test_an_engine_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        gateway = Gateway(f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(EngineNotRunningError, match="Nothing answers at") as caught:
            gateway.tables.find("Things")
        assert caught.value.hint == "Start the engine: ./dev.py up"
        with pytest.raises(EngineNotRunningError):
            gateway.control.health()


def test_values_boto3_refuses_are_told_in_words() -> None:
    with pytest.raises(InvalidInputError, match="Invalid type for parameter Item"):
        Gateway("http://127.0.0.1:4566").items.put("Things", "no item")  # type: ignore[arg-type]
