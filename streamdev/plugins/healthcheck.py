"""The container's health check: exit code 0 when LocalStack and its DynamoDB are ready.

Docker runs this file every few seconds for as long as the container lives, so it costs little:
an interpreter without site packages, one request over a plain socket.
"""

import os
import socket
import sys


def main() -> int:
    """Ask ``/_streamdev/health``; return 0 when DynamoDB runs, else 1 after a line why."""
    # GATEWAY_LISTEN as docker-compose.yml sets it: ADDRESS:PORT, of several the first.
    port = int(os.environ.get("GATEWAY_LISTEN", ":4566").split(",")[0].rpartition(":")[2])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=4) as connection:
            connection.sendall(b"GET /_streamdev/health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
    except OSError as error:
        print(f"LocalStack does not answer on port {port}: {error}")
        return 1
    head, _, body = answer.partition(b"\r\n\r\n")
    print(body.decode("utf-8", "replace"))
    healthy = head.split(b" ", 2)[1:2] == [b"200"] and b'"running"' in body
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
