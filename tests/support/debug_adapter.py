"""A debugger: it speaks the Debug Adapter Protocol, as an editor does."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any


class DebugClient:
    """A connection to debugpy.

    Args:
        port: Where it listens on 127.0.0.1.
    """

    def __init__(self, port: int, timeout: float = 60) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._stream = self._socket.makefile("rb")
        self._sequence = 0
        self._events: list[dict[str, Any]] = []

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> int:
        self._sequence += 1
        body = {
            "seq": self._sequence,
            "type": "request",
            "command": command,
            "arguments": arguments,
        }
        raw = json.dumps(body).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(raw), raw))
        return self._sequence

    def answer(self, sequence: int) -> dict[str, Any]:
        while True:
            message = self._read()
            if message["type"] == "response" and message["request_seq"] == sequence:
                assert message["success"], message
                body: dict[str, Any] = message.get("body") or {}
                return body
            self._keep(message)

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.answer(self.send(command, **arguments))

    def event(self, name: str, timeout: float = 120) -> dict[str, Any]:
        """The next event of this name, one that came before included."""
        deadline = time.monotonic() + timeout
        while True:
            for event in self._events:
                if event["event"] == name:
                    self._events.remove(event)
                    body: dict[str, Any] = event.get("body") or {}
                    return body
            assert time.monotonic() < deadline, f"no {name} within {timeout} s"
            self._socket.settimeout(timeout)
            self._keep(self._read())

    def attach(self, breakpoints: dict[Path, list[int]], **arguments: Any) -> list[dict[str, Any]]:
        """Attach, set breakpoints, and let the handler go; what became of the breakpoints."""
        self.request("initialize", clientID="test", adapterID="debugpy", pathFormat="path")
        # Without any arguments debugpy refuses.
        attaching = self.send("attach", **{"justMyCode": True, **arguments})
        self.event("initialized")
        found = []
        for path, lines in breakpoints.items():
            found += self.request(
                "setBreakpoints",
                source={"path": str(path)},
                breakpoints=[{"line": line} for line in lines],
            )["breakpoints"]
        self.request("configurationDone")
        self.answer(attaching)
        return found

    def top_frame(self, thread: int) -> dict[str, Any]:
        """The innermost frame of a thread that stands."""
        frame: dict[str, Any] = self.request("stackTrace", threadId=thread)["stackFrames"][0]
        return frame

    def evaluate(self, frame: dict[str, Any], expression: str) -> str:
        result: str = self.request("evaluate", expression=expression, frameId=frame["id"])["result"]
        return result

    def _keep(self, message: dict[str, Any]) -> None:
        assert message.get("success", True), message
        if message["type"] == "event":
            self._events.append(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self._stream.read(length)
        assert body, "the debugger closed the connection"
        message: dict[str, Any] = json.loads(body)
        return message
