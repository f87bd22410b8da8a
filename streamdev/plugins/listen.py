"""LocalStack listening where ``GATEWAY_LISTEN`` says, and nowhere else, for many at once."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

from localstack import config
from localstack.runtime.server import twisted as server
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint


def install() -> None:
    """Make LocalStack's server keep to the host of an IPv4 address as well.

    It does so for IPv6; for IPv4 it takes the port alone and listens on all addresses of the
    machine (4.7.0 and 4.14.0, ``TwistedRuntimeServer.register``). And 50 connections may wait to
    be accepted there, while API Gateway makes one to DynamoDB for each request: of hundreds at
    once some would be reset.
    """
    addresses = [listen.host for listen in config.GATEWAY_LISTEN]
    ipv4_hosts = iter([host for host in addresses if not config.is_ipv6_address(host)])

    def ipv4(reactor: Any, port: int) -> TCP4ServerEndpoint:
        # It asks for them in the order of GATEWAY_LISTEN, once.
        return TCP4ServerEndpoint(reactor, port, socket.SOMAXCONN, interface=next(ipv4_hosts))

    def ipv6(reactor: Any, port: int, interface: str) -> TCP6ServerEndpoint:
        return TCP6ServerEndpoint(reactor, port, socket.SOMAXCONN, interface=interface)

    server.endpoints = SimpleNamespace(TCP4ServerEndpoint=ipv4, TCP6ServerEndpoint=ipv6)
