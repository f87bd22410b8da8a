"""The settings of docker-compose.yml reach LocalStack, and a debugger's port reaches a handler."""

from __future__ import annotations

import socket
from collections.abc import Callable

import boto3
import docker
import pytest
from botocore.exceptions import ClientError

from streamdev.engine.readiness import get_json
from tests.support.containers import container_of
from tests.support.project import Project, eventually

# As debugpy.listen(("0.0.0.0", PORT)) does.
HANDLER = """
import socket, threading

def listen():
    server = socket.create_server(("0.0.0.0", {port}))
    while True:
        connection, _ = server.accept()
        connection.sendall(b"a debugger")
        connection.close()

threading.Thread(target=listen, daemon=True).start()

def lambda_handler(event, context):
    return None
"""


def test_settings_reach_localstack_and_the_debuggers_ports_are_free(
    client: docker.DockerClient, new_project: Callable[..., Project]
) -> None:
    project = new_project(
        SERVICES="apigateway,dynamodb,dynamodbstreams,iam,lambda,logs,s3,sqs,sts",
        STREAMDEV_REGION="eu-west-1",
        STREAMDEV_MEMORY="3g",
        STREAMDEV_CPUS="1.5",
    )
    project.run("up")

    attributes = container_of(client, project).attrs
    assert "AWS_DEFAULT_REGION=eu-west-1" in attributes["Config"]["Env"]
    limits = attributes["HostConfig"]
    assert (limits["Memory"], limits["NanoCpus"]) == (3 * 2**30, 1_500_000_000)

    _, health = get_json(project.endpoint, "/_localstack/health")
    assert health["services"]["kms"] == "disabled"
    kms = boto3.client(
        "kms",
        endpoint_url=project.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with pytest.raises(ClientError, match="not enabled"):
        kms.list_keys()

    detail = project.run("status", "--json").json()["engine"]["detail"]["service ports"]
    debug_port = int(detail.partition("debuggers: ")[2].partition("-")[0])
    project.write_handler("things", HANDLER.format(port=debug_port))
    project.run("deploy")
    project.run("put-item", "id=1", "--wait")

    def answer() -> bytes:
        with socket.create_connection(("127.0.0.1", debug_port), timeout=5) as connection:
            return connection.recv(100)

    eventually(lambda: answer() == b"a debugger")
