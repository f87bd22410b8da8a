"""The control endpoint of streamdev's plugins, in LocalStack's gateway."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request

from streamdev.aws.errors import AwsError
from streamdev.aws.web import direct_opener
from streamdev.errors import EngineNotRunningError

TIMEOUT_S = 10
WRITE_TIMEOUT_S = 120

# Answered where what is asked for is understood and can't be; the words are for people.
_CONFLICT = 409


@dataclass(frozen=True)
class Generation:
    """Where things stand in an engine, for one who deploys.

    Attributes:
        name: Changes when the engine is started anew, and with each call by others that may
            change what deploys are about.
        untouched: Nobody has made anything in this engine yet; only tables may be there, which
            its database has kept.
    """

    name: str
    untouched: bool


class Control:
    """``/_streamdev/...`` of one engine; the ``external`` engine has none of it."""

    def __init__(self, endpoint_url: str) -> None:
        self._base = f"{endpoint_url}/_streamdev"
        self._opener = direct_opener()

    def health(self) -> dict[str, Any]:
        """Versions, and whether DynamoDB runs."""
        return dict(self._call("GET", "/health"))

    def mappings(self) -> list[dict[str, Any]]:
        """Every mapping: state, position, backlog, counts, last result."""
        return list(self._call("GET", "/mappings"))

    def write_quietly(
        self, stream_arn: str, requests: Sequence[Mapping[str, Any]], source: str
    ) -> None:
        """Put and delete items of one table without its functions being told.

        All other writes wait meanwhile, so give it a few hundred at most.

        Args:
            stream_arn: The table's stream.
            requests: BatchWriteItem's ``PutRequest``s and ``DeleteRequest``s, DynamoDB JSON, no
                item twice.
            source: Where they come from, for the log.

        Raises:
            AwsError: With the code 409 where they could not all be written.
        """
        body = {"stream_arn": stream_arn, "requests": requests, "source": source}
        self._call("POST", "/quiet", body, timeout=WRITE_TIMEOUT_S)

    def configure(self, *, redact: Mapping[str, Sequence[str]], owner: str) -> Generation:
        """Apply settings before a deploy.

        Args:
            redact: The attributes that the log masks, by table.
            owner: Who deploys.

        Returns:
            Where things stand for the ``owner`` (``streamdev.plugins.alterations``).
        """
        answer = self._call("POST", "/config", {"redact": redact, "owner": owner})
        return Generation(str(answer["generation"]), untouched=bool(answer["untouched"]))

    def forget(self, uuid: str) -> None:
        """Drop the stored position of the mapping ``uuid``."""
        self._call("POST", f"/mappings/{uuid}/forget", {})

    def batches(self) -> list[dict[str, Any]]:
        """Every batch that was given up and is stored, oldest first, without its records.

        Each has ``name``, ``function``, ``table``, ``condition``, ``error``, ``destination``,
        ``delivered`` and ``message``, the body of the message to the destination.
        """
        return list(self._call("GET", "/batches"))

    def batch(self, name: str) -> dict[str, Any]:
        """One of them with ``payload``, the event with its records."""
        return dict(self._call("GET", f"/batches/{name}"))

    def put_batch(self, name: str, batch: Mapping[str, Any]) -> None:
        """Store a batch again, as `batch` gave it.

        Raises:
            AwsError: With the code 409 where it can't be stored.
        """
        self._call("PUT", f"/batches/{name}", batch)

    def delete_batch(self, name: str) -> None:
        """Remove a stored batch; nothing happens where it is already gone."""
        self._call("DELETE", f"/batches/{name}")

    def warm(self, function: str, contents: Mapping[str, Any]) -> None:
        """Have an update of ``function`` that comes now load the new code before it counts.

        ``contents`` are those of the new package, as `spare` takes them.
        """
        self._call("POST", f"/functions/{quote(function)}/warm", dict(contents))

    def spare(
        self, function: str, *, account: str, region: str, contents: Mapping[str, Any]
    ) -> None:
        """Have a process wait for the next version of ``function`` until 15 s after the last call.

        Args:
            function: Its name.
            account: Whose it is.
            region: Where it is.
            contents: Of the package that it has now (``plugins.executor.spares.Contents``).
        """
        body = {"account": account, "region": region, **contents}
        self._call("POST", f"/functions/{quote(function)}/spare", body)

    def spares(self) -> list[dict[str, Any]]:
        """The processes that wait: ``function``, ``state`` and ``pid``."""
        return list(self._call("GET", "/spares"))

    def debug(self, function: str, **settings: Any) -> None:
        """Begin to debug ``function``, or go on with it (``plugins.executor.debugging.Request``).

        Raises:
            AwsError: With the code 409 where it can't be debugged; the message says why.
        """
        self._call("POST", f"/debug/{quote(function)}", settings)

    def debugged(self) -> list[dict[str, Any]]:
        """What is being debugged: ``function``, ``owner``, ``port``, ``state``, ``error``."""
        return list(self._call("GET", "/debug"))

    def end_debugging(self, function: str, owner: str) -> None:
        """Begin to end a session; it is over when `debugged` does not list it."""
        self._call("DELETE", f"/debug/{quote(function)}/{owner}")

    def chaos(self, function: str, owner: str, settings: Mapping[str, Any]) -> None:
        """Have chaos for ``function`` until 15 s after the last call.

        Nobody but the ``owner`` can have it meanwhile; ``settings`` are those of
        ``semantics.chaos.ChaosSettings.to_json``.

        Raises:
            AwsError: With the code 409 where it can't be had; the message says why.
        """
        self._call("POST", f"/chaos/{quote(function)}/{owner}", dict(settings))

    def end_chaos(self, function: str, owner: str) -> dict[str, int] | None:
        """End it; how often what was done, ``None`` if it was over already."""
        deeds = self._call("DELETE", f"/chaos/{quote(function)}/{owner}")["deeds"]
        return None if deeds is None else dict(deeds)

    def _call(self, method: str, path: str, body: Any = None, *, timeout: float = TIMEOUT_S) -> Any:
        request = Request(
            self._base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=timeout) as response:
                payload = response.read()
        except HTTPError as error:
            detail = error.read(500).decode("utf-8", "replace").strip()
            if error.code == _CONFLICT:
                raise AwsError(json.loads(detail)["error"], code=str(error.code)) from error
            raise AwsError(
                f"{method} {request.full_url}: {error.code} {detail}", code=str(error.code)
            ) from error
        except (URLError, OSError) as error:
            raise EngineNotRunningError(
                f"Nothing answers at {self._base}.", hint="Start the engine: ./dev.py up"
            ) from error
        return json.loads(payload) if payload else None
